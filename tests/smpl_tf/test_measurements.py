"""Measurements against planes that trimesh cuts, and against bodies whose sizes are known."""

import numpy as np
import pytest
import trimesh
from scipy.spatial import ConvexHull

from smpl_tf import load_model_data, measure
from smpl_tf.measurements import DENSITY, Measurements, measurement_spread
from smpl_tf.skeleton import SMPL_24
from tests.small_body import small_body

GENDERS = ("neutral", "female", "male")


def shaped(gender, seed):
    data = load_model_data(gender=gender)
    betas = np.random.default_rng(seed).normal(0, 1.5, 10) if seed else np.zeros(10)
    vertices = data.v_template + data.shapedirs[..., :10] @ betas
    return data, betas, trimesh.Trimesh(vertices, data.faces, process=False)


def tape(mesh, origin, normal):
    """Trimesh's cut: the hull of the loop whose middle is nearest to the origin."""
    loops = mesh.section(plane_origin=origin, plane_normal=normal).discrete
    loop = min(loops, key=lambda one: np.linalg.norm(one.mean(axis=0) - origin))
    normal = np.asarray(normal) / np.linalg.norm(normal)
    basis = np.linalg.svd(normal[None])[2][1:]
    return ConvexHull(loop @ basis.T).area


@pytest.mark.parametrize("gender, seed", [("neutral", 0), ("female", 1), ("male", 2)])
def test_girths_are_those_of_trimesh_planes_to_a_millimetre(gender, seed):
    data, betas, mesh = shaped(gender, seed)
    found = measure(data, betas)
    joints = dict(zip(SMPL_24.names, data.J_regressor @ mesh.vertices, strict=True))
    up = [0, 1, 0]
    floor = mesh.bounds[0, 1]

    def level(y):
        return [joints["pelvis"][0], y, joints["spine1"][2]]

    breasts = mesh.vertices[data.landmark_ids(["left_breast", "right_breast"]), 1].mean()
    navel = mesh.vertices[data.landmark_ids(["belly_button"])[0], 1]
    crotch = floor + found.inseam
    hips = [tape(mesh, level(y), up) for y in np.arange(crotch + 0.01, navel, 0.005)]
    thighs, arms = [], []
    for side in ("left", "right"):
        leg = joints[f"{side}_hip"] * [1, 0, 1] + [0, crotch - 0.02, 0]
        thighs.append(tape(mesh, leg, up))
        shoulder, elbow = joints[f"{side}_shoulder"], joints[f"{side}_elbow"]
        arms.append(tape(mesh, (shoulder + elbow) / 2, elbow - shoulder))
    neck, head = joints["neck"], joints["head"]
    necks = [tape(mesh, neck + s * (head - neck), head - neck) for s in np.linspace(0, 1, 60)]
    expected = {
        "stature": np.ptp(mesh.vertices[:, 1]),
        "chest_girth": tape(mesh, level(breasts), up),
        "waist_girth": tape(mesh, level(navel), up),
        "hip_girth": max(hips),
        "thigh_girth": np.mean(thighs),
        "neck_girth": min(necks),
        "upper_arm_girth": np.mean(arms),
    }
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-3), name
    assert found.volume == pytest.approx(mesh.volume, rel=1e-6)
    assert found.mass == pytest.approx(DENSITY * mesh.volume, rel=1e-6)


@pytest.mark.parametrize("gender", GENDERS)
def test_sizes_are_those_of_people(gender):
    found = measure(load_model_data(gender=gender))
    assert 1.5 < found.stature < 1.9
    assert 0.4 * found.stature < found.inseam < 0.52 * found.stature
    assert found.neck_girth < found.thigh_girth < found.waist_girth < found.hip_girth < 1.3
    assert 0.2 < found.upper_arm_girth < 0.45 and 0.45 < found.arm_length < 0.65
    assert 40 < found.mass < 100


def test_a_body_twice_as_large_measures_twice_as_much():
    data = load_model_data()
    once, twice = measure(data), measure(data, vertices=2 * data.v_template)
    for name in ("stature", "chest_girth", "waist_girth", "upper_arm_girth", "arm_length"):
        assert getattr(twice, name) == pytest.approx(2 * getattr(once, name), rel=1e-6)
    assert twice.volume == pytest.approx(8 * once.volume)
    assert measure(data, density=1000).mass == pytest.approx(1000 * once.volume)


def test_spread_follows_the_betas_that_are_uncertain():
    data = load_model_data()
    betas = np.zeros(3)
    assert measurement_spread(data, betas, 0.0) == Measurements(*np.zeros(11))
    spread = measurement_spread(data, betas, [0.1, 0, 0])
    # The stature is linear in a beta as long as the highest and lowest vertices stay the same.
    change = measure(data, [0.1, 0, 0]).stature - measure(data, [-0.1, 0, 0]).stature
    assert spread.stature == pytest.approx(abs(change) / 2)
    both = measurement_spread(data, betas, [0.1, 0.1, 0])
    assert both.stature > spread.stature


def test_what_cannot_be_measured_is_said():
    data = load_model_data()
    with pytest.raises(ValueError, match=r"betas \[B\] of one body.*got shape \[2, 3\]"):
        measure(data, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"those of open_body.* in its rest pose, got shape"):
        measure(data, vertices=np.zeros((5, 3)))
    with pytest.raises(ValueError, match="got both"):
        measure(data, np.zeros(3), data.v_template)
    with pytest.raises(ValueError, match="lacks the landmarks left_breast"):
        measure(small_body())
