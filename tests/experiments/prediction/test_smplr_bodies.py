"""SMPLR behind predict.py: where the cube is cut, where the body goes, and the whole path."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from absl import flags
from PIL import Image

from experiments import predict
from experiments.prediction.smplr_bodies import SMPLRBodies, cube_window
from experiments.prediction.smplr_pictures import PictureBodies
from experiments.runs import shipped_runs
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from experiments.smplr.flags import define_run_flags
from nbf.prediction import refinement
from nbf.prediction.windows import Window
from smpl_tf import SMPL, load_model_data
from smpl_tf.camera import Camera
from smpl_tf.nbf_scale import NBF_TRANSLATION
from smpl_tf.rotations import axis_angle_to_matrix
from smplr import SMPLR, StackedHourglass
from smplr.targets import CUBE_SIDE, window_root

SQUARE = Window(30.0, -20.0, 256.0)
BOXES = {"first": [5, 5, 15, 50], "second": [22, 5, 15, 50]}


def test_the_cube_is_where_nbf_has_the_person():
    cube = cube_window(SQUARE)
    intrinsics = np.float32(SQUARE.camera(320, 240).intrinsics)
    root = window_root(np.float32([*cube, cube.side]), intrinsics).numpy()
    assert root[2] == pytest.approx(NBF_TRANSLATION[2], rel=1e-4)
    # The pelvis of the mean body in NBF's camera; turns about it do not move it.
    pelvis = SMPL()().joints[0].numpy()
    np.testing.assert_allclose(root[:2], (pelvis + NBF_TRANSLATION)[:2], atol=0.02)


def test_the_body_lies_on_the_points_that_the_hourglass_saw():
    genders = [load_model_data(gender=gender) for gender in ("female", "male")]
    rng = np.random.default_rng(0)
    rotations = axis_angle_to_matrix(rng.normal(0, 0.3, (1, 24, 3)).astype(np.float32)).numpy()
    betas = rng.normal(size=(1, 10)).astype(np.float32)
    joints = SMPL(genders[1])(betas=betas, pose=rotations).joints.numpy()
    points = joints[:, 1:] - joints[:, :1] + np.float32([0.12, -0.07, 0])
    found = PictureBodies(points, rotations, betas, np.array([1]))
    shapes = []

    def see(pictures):
        shapes.append(pictures.shape)
        return found

    model = SimpleNamespace(bodies=genders, image_size=64)
    fit = SMPLRBodies(_callable(model, see))
    (one,) = fit([np.zeros((240, 320, 3), np.uint8)], [SQUARE], None)
    person = one.person
    assert shapes == [(1, 64, 64, 3)]
    assert person.body.model_data.gender == "male"
    # A metre of the cube has the same size in the picture wherever it is, up to the body's depth.
    cube = cube_window(SQUARE)
    expected = np.array(cube[:2]) + (points[0, :, :2] / CUBE_SIDE + 0.5) * cube.side
    pixels = person.joints_2d[1:]
    np.testing.assert_allclose(pixels, expected, atol=0.04 * np.ptp(expected))
    np.testing.assert_allclose(pixels.mean(0), expected.mean(0), atol=0.01 * np.ptp(expected))


def _callable(model, see):
    """A model of these attributes that answers by a function."""
    return type("Model", (), {**vars(model), "__call__": lambda self, pictures: see(pictures)})()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of untrained networks, joined to one model."""
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=4, num_limbs=0)
    run = RunFolder(tmp_path_factory.mktemp("runs") / "joined")
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", "--stage=end_to_end", "--image_size=64"])
    networks.keep_joined(run, SMPLR(hourglass=hourglass), values)
    return run.path


@pytest.mark.slow
def test_a_picture_goes_all_the_way(run, call, tmp_path, monkeypatch):
    # Refined for one round, eagerly: each of the two bodies would have a graph of its own.
    monkeypatch.setattr(refinement, "_STEPS", refinement._ROUND)
    compiled = refinement._compiled
    monkeypatch.setattr(
        refinement, "_compiled", lambda body, loss: compiled(body, loss).python_function
    )
    noise = np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "two.png")
    people = [{"image_id": "two.png", "bbox": box} for box in BOXES.values()]
    (tmp_path / "people.json").write_text(json.dumps(people))
    answer = call(
        predict,
        *(f"--run={run}", f"--images={tmp_path / 'two.png'}", "--mesh=glb", "--refine"),
        *(f"--people={tmp_path / 'people.json'}", f"--output={tmp_path / 'out'}"),
    )
    assert answer.status == 0, answer.err
    assert "refined 2 people: parts' IoU" in answer.out
    for number in (1, 2):
        folder = tmp_path / "out" / "two.png" / f"person_{number}"
        with np.load(folder / "parameters.npz") as found:
            smpl = SMPL(gender=str(found["gender"]), vertex_ids=[])
            assert found["gender"] in ("female", "male")
            names = ("betas", "pose", "translation")
            body = smpl(**{name: found[name] for name in names})
            np.testing.assert_allclose(body.joints, found["joints_3d"], atol=1e-4)
            camera = Camera(found["intrinsics"], 40, 60)
            np.testing.assert_allclose(camera.project(body.joints), found["joints_2d"], atol=1e-2)
        assert {"mesh.glb", "parts.png", "audit.json"} <= {p.name for p in folder.iterdir()}
    page = (tmp_path / "out" / "index.html").read_text()
    assert '"gender":"female"' in page and '"gender":"male"' in page


@pytest.mark.slow
def test_other_stages_and_bodies_are_refused_in_one_line(run, call, tmp_path):
    answer = call(
        predict,
        *(f"--run={run}", "--body_model=other.pkl", f"--images={__file__}"),
        f"--output={tmp_path / 'out'}",
    )
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert "leave out --body_model" in answer.err
    points_alone = shipped_runs.PRETRAINED / "smplr_pose_shape"
    answer = call(
        predict, f"--run={points_alone}", f"--images={__file__}", f"--output={tmp_path / 'out'}"
    )
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert "does not predict bodies from pictures" in answer.err
