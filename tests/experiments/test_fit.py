"""fit.py: every form of file, what it writes, and the mistakes it names."""

import json
import resource
import zipfile

import numpy as np
import pytest

from experiments import fit
from experiments.prediction import point_files
from experiments.runs.common import UserError
from smpl_tf import SMPL
from smpl_tf.directions import shortest_rotation
from smpl_tf.skeleton import SMPL_24
from smpl_tf.skeleton_points import SKELETONS
from smplr.point_fitting import METHODS
from tests.smpl_tf import fake_model_files as fakes
from tests.smplr.people import people


@pytest.fixture(scope="module")
def joints():
    """SMPL's joints of two people, metres, `[2, 24, 3]`."""
    drawn = people(2)["points"][:, :23]
    return np.concatenate([np.zeros((2, 1, 3)), drawn], axis=1) + [0.2, 0.1, 3.0]


def test_the_flags_list_what_the_library_has():
    assert set(fit.SKELETONS) == set(SKELETONS)
    assert fit.METHODS == METHODS


class TestFiles:
    def read(self, path, unit="m"):
        return point_files.read(path, SMPL_24, unit)

    def test_forms_agree(self, joints, tmp_path):
        holes = joints.copy()
        holes[1, 5] = np.nan
        np.save(tmp_path / "p.npy", holes)
        np.savez(tmp_path / "p.npz", points=holes, weights=np.ones((2, 24)))
        lists = [[None if np.isnan(p).any() else list(p) for p in one] for one in holes]
        (tmp_path / "p.json").write_text(json.dumps({"points": lists}))
        (tmp_path / "bare.json").write_text(json.dumps(lists))
        names = [f"{name}_{axis}" for name in SMPL_24.names for axis in "xyz"]
        rows = [["" if np.isnan(x) else repr(float(x)) for x in one.ravel()] for one in holes]
        order = np.random.default_rng(0).permutation(72)
        named = [[names[i] for i in order], *([row[i] for i in order] for row in rows)]
        (tmp_path / "named.csv").write_text("\n".join(",".join(row) for row in named))
        (tmp_path / "plain.csv").write_text("\n".join(",".join(row) for row in rows))
        for name in ("p.npy", "p.npz", "p.json", "bare.json", "named.csv", "plain.csv"):
            found = self.read(tmp_path / name)
            np.testing.assert_allclose(found.points, holes, err_msg=name)
            assert (found.weights is None) == (name != "p.npz")

    def test_a_person_of_whom_nothing_is_known(self, joints, tmp_path):
        for nothing in (None, [None] * 24, [[None] * 3] * 24):
            lists = [joints[0].tolist(), nothing]
            (tmp_path / "p.json").write_text(json.dumps({"points": lists}))
            found = self.read(tmp_path / "p.json").points
            np.testing.assert_allclose(found[0], joints[0])
            assert np.isnan(found[1]).all()

    def test_units_and_sequences(self, joints, tmp_path):
        np.save(tmp_path / "p.npy", 1000 * joints.reshape(2, 1, 24, 3))
        np.testing.assert_allclose(self.read(tmp_path / "p.npy", "mm").points, joints)

    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("none.npy", None, "no such file"),
            ("p.txt", "1", "expected a file ending in .npz .npy .json .csv"),
            ("p.json", "[[1, 2", "cannot be read as points"),
            ("p.json", '{"poses": [1]}', "expected an array named points or joints_3d"),
            ("p.json", "[[1, 2, 3]]", r"expected points \[..., 24, 3\] for .* got \[1, 3\]"),
            ("p.json", json.dumps([[None] * 24]), "all points of all people are missing"),
            ("p.json", json.dumps([[[None] * 3] * 24]), "all points of all people are missing"),
            ("p.csv", "", "it is empty"),
            ("p.csv", "a,b\n1,2", "no column has a name like pelvis_x"),
            ("p.csv", "pelvis_x,pelvis_y\n1", "row 1 has 1 cells, expected 2"),
            ("p.csv", "pelvis_x,pelvis_y\n1,up", "row 1: 'up' is not a number"),
            ("p.npz", "no archive", "cannot be read as points"),
        ],
    )
    def test_mistakes_are_named_in_one_line(self, name, content, message, tmp_path):
        if content is not None:
            (tmp_path / name).write_text(content)
        with pytest.raises(UserError, match=message) as error:
            self.read(tmp_path / name)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("separator", [";", "\t", ","])
    @pytest.mark.parametrize("decimal", [".", ","])
    def test_tables_of_other_countries(self, joints, tmp_path, separator, decimal):
        if separator == decimal:
            return
        names = [f"{name}_{axis}" for name in SMPL_24.names for axis in "xyz"]
        rows = [[repr(float(x)).replace(".", decimal) for x in one.ravel()] for one in joints]
        text = "\r\n".join(separator.join(row) for row in (names, *rows))
        for unicode in ("utf-8-sig", "utf-16"):
            (tmp_path / "p.csv").write_text(text, encoding=unicode)
            np.testing.assert_allclose(self.read(tmp_path / "p.csv").points, joints)

    def test_columns_that_are_not_read_are_named(self, joints, tmp_path):
        names = [f"{name}_{axis}" for name in SMPL_24.names for axis in "xyz"]
        names = ["frame", *names[:-1], "right_hnad_z"]
        rows = [["7", *(repr(float(x)) for x in one.ravel())] for one in joints]
        (tmp_path / "p.csv").write_text("\n".join(",".join(row) for row in (names, *rows)))
        found = self.read(tmp_path / "p.csv")
        assert found.notes == ("2 columns are ignored: frame, right_hnad_z",)
        assert np.isnan(found.points[:, -1, 2]).all()

    def test_a_column_that_comes_twice_is_refused(self, tmp_path):
        (tmp_path / "p.csv").write_text("pelvis_x,pelvis_x\n1,2")
        with pytest.raises(UserError, match="pelvis_x occurs twice"):
            self.read(tmp_path / "p.csv")

    def test_json_with_the_mark_of_windows(self, joints, tmp_path):
        (tmp_path / "p.json").write_text(json.dumps(joints.tolist()), encoding="utf-8-sig")
        np.testing.assert_allclose(self.read(tmp_path / "p.json").points, joints)

    @pytest.mark.parametrize("ending", ["npy", "npz", "json", "csv"])
    def test_exact_zeros_are_missing_and_said_to_be(self, joints, tmp_path, ending):
        points = joints.copy()
        points[0, [4, 7]] = 0
        path = tmp_path / f"p.{ending}"
        if ending == "npy":
            np.save(path, points)
        elif ending == "npz":
            np.savez(path, points=points)
        elif ending == "json":
            path.write_text(json.dumps(points.tolist()))
        else:
            np.savetxt(path, points.reshape(2, -1), delimiter=",")
        found = self.read(path)
        assert np.isnan(found.points[0, [4, 7]]).all()
        assert np.isfinite(np.delete(found.points[0], [4, 7], 0)).all()
        assert np.isfinite(found.points[1]).all()
        (note,) = found.notes
        assert note == "2 points of 1 people are exactly (0, 0, 0): taken as missing"

    def test_a_pelvis_that_is_the_origin_is_known(self, joints, tmp_path):
        np.save(tmp_path / "p.npy", joints - joints[:, :1])
        found = self.read(tmp_path / "p.npy")
        assert (found.points[:, 0] == 0).all() and found.notes == ()
        mixed = joints.copy()
        mixed[1, 0] = 0  # of one person alone: nobody's origin
        np.save(tmp_path / "p.npy", mixed)
        assert np.isnan(self.read(tmp_path / "p.npy").points[1, 0]).all()

    def test_claims_are_bounded_before_there_is_memory_for_them(self, tmp_path):
        def zip_of(path, header, size):
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                with archive.open("points.npy", "w") as member:
                    np.lib.format.write_array_header_1_0(member, header)
                    for _ in range(size >> 20):
                        member.write(bytes(1 << 20))

        described = {"descr": "<f8", "fortran_order": False, "shape": (520_000, 24, 3)}
        zip_of(tmp_path / "zeros.npz", described, 300 << 20)
        zip_of(tmp_path / "claim.npz", {**described, "shape": (1 << 40, 24, 3)}, 0)
        with open(tmp_path / "claim.npy", "wb") as file:
            np.lib.format.write_array_header_1_0(file, {**described, "shape": (1000, 24, 3)})
        deepest = [[0.0] * 30_000]
        (tmp_path / "nulls.json").write_text(json.dumps([deepest, *[None] * 100_000]))
        (tmp_path / "deep.json").write_text("[" * 100_000 + "]" * 100_000)
        (tmp_path / "wide.csv").write_text("pelvis_x\n" + "1\n" * 200_000)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for name in ("zeros.npz", "claim.npz", "claim.npy", "nulls.json", "deep.json", "wide.csv"):
            refused = "cannot be read as points .*(declares|nested deeper)"
            with pytest.raises(UserError, match=refused) as error:
                self.read(tmp_path / name)
            assert "\n" not in str(error.value)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1 << 18  # kB

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"points": 1j}, "points holds complex128, expected real numbers"),
            ({"points": 1e300}, "expected points of people, got numbers up to"),
            ({"weights": np.inf}, "expected weights of 0 and more, got inf to inf"),
            ({"weights": -1.0}, "expected weights of 0 and more, got -1 to -1"),
        ],
    )
    def test_numbers_that_are_no_points_or_weights(self, joints, tmp_path, change, message):
        arrays = {"points": joints, "weights": np.ones(joints.shape[:2])}
        arrays = {name: array * change.get(name, 1) for name, array in arrays.items()}
        np.savez(tmp_path / "x.npz", **arrays)
        with pytest.raises(UserError, match=message):
            point_files.read(tmp_path / "x.npz", SMPL_24, "m")

    def test_weights_of_another_shape_are_refused(self, joints, tmp_path):
        np.savez(tmp_path / "p.npz", points=joints, weights=np.ones(24))
        with pytest.raises(UserError, match=r"expected weights \[2, 24\].* got \[24\]"):
            self.read(tmp_path / "p.npz")


def test_bodies_meshes_and_a_page_come_out(joints, call, tmp_path):
    np.save(tmp_path / "p.npy", joints)
    arguments = ("--skeleton=smpl_24", "--meshes=1", "--mesh=obj")
    answer = call(fit, f"--points={tmp_path / 'p.npy'}", f"--output={tmp_path / 'o'}", *arguments)
    assert answer.status == 0, answer.err
    assert "24 of 24" in answer.out
    with np.load(tmp_path / "o/parameters.npz") as found:
        assert np.linalg.norm(found["joints"] - joints, axis=-1).mean() < 0.005
        assert found["method"].tolist() == ["optimise"] * 2
        assert found["point_names"].tolist() == list(SMPL_24.names)
    lines = (tmp_path / "o/body_000.obj").read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], float)
    assert len(vertices) == 6890
    # The mesh stands where the points are.
    assert (vertices.min(0) < joints[0].min(0)).all()
    assert (vertices.max(0) > joints[0].max(0)).all()
    page = (tmp_path / "o/index.html").read_text()
    assert page.count("data:image/jpeg") == 2
    assert "Bodies fitted to points" in page
    assert not (tmp_path / "o/body_001.obj").exists()


@pytest.mark.slow
def test_a_sequence_has_one_shape_and_files_of_motion(call, tmp_path):
    times = np.arange(4) / 25
    pose = np.zeros((4, 24, 3))
    pose[:, 18, 1] = -times  # a bending elbow
    place = np.stack([times, np.zeros(4), np.full(4, 3.0)], axis=-1)
    truth = SMPL()(pose=pose, translation=place).joints.numpy()
    np.save(tmp_path / "p.npy", truth @ shortest_rotation(np.eye(3)[1], np.eye(3)[2]).T)  # z up
    arguments = ("--skeleton=smpl_24", "--meshes=1", "--sequence", "--frame_rate=25")
    answer = call(fit, f"--points={tmp_path / 'p.npy'}", f"--output={tmp_path / 'o'}", *arguments)
    assert answer.status == 0, answer.err
    with np.load(tmp_path / "o/parameters.npz") as found:
        assert (found["betas"] == found["betas"][0]).all()
    lines = (tmp_path / "o/motion.bvh").read_text().splitlines()
    assert "Frame Time: 0.04" in "\n".join(lines)
    rows = np.array([line.split()[:3] for line in lines[-4:]], float) / 100  # centimetres
    np.testing.assert_allclose(rows[-1] - rows[0], place[-1] - place[0], atol=0.01)  # y up again
    assert (tmp_path / "o/motion.glb").stat().st_size > 100_000
    page = (tmp_path / "o/index.html").read_text()
    assert '"motion"' in page and page.count("data:image/jpeg") == 2


def test_a_sequence_uses_no_networks(call, tmp_path):
    arguments = (f"--points={tmp_path / 'p.npy'}", f"--output={tmp_path / 'o'}", "--sequence")
    answer = call(fit, *arguments, "--method=closed_form")
    assert answer.status == 2 and "--sequence fits by optimise" in answer.err


def test_body_parameters_of_other_programs_give_their_points(tmp_path):
    rng = np.random.default_rng(0)
    poses, betas = rng.normal(0, 0.2, (3, 72)), rng.normal(size=(3, 10))
    camera = np.ones((3, 3))
    np.savez(tmp_path / "spin.npz", pose=poses, betas=betas, camera=camera)
    given = point_files.read(tmp_path / "spin.npz", SMPL_24, "m")
    place = [1, 1, 2 * 5000 / 224]
    body = SMPL()(betas=betas, pose=poses, translation=np.tile(place, (3, 1)))
    np.testing.assert_allclose(given.points, body.joints, atol=1e-4)
    assert "body parameters: the points of" in given.notes[0]


def test_bodies_of_smpls_successors_are_refused_in_one_line(joints, call, tmp_path):
    np.save(tmp_path / "p.npy", joints)
    arrays = fakes.random_arrays(60, 16, fakes.SMPLH_PARENTS)
    body = fakes.write_npz(tmp_path / "SMPLH_MALE.npz", arrays)
    arguments = (f"--points={tmp_path / 'p.npy'}", f"--output={tmp_path / 'o'}")
    answer = call(fit, *arguments, "--skeleton=smpl_24", f"--body_model={body}")
    assert answer.status == 1 and len(answer.err.strip().splitlines()) == 1
    assert "SMPLH_MALE.npz: a body of 52 joints (SMPL+H), expected SMPL's 24" in answer.err


def test_a_mistake_is_one_line_and_leaves_nothing(joints, call, tmp_path):
    np.save(tmp_path / "p.npy", 1000 * joints)
    arguments = (f"--points={tmp_path / 'p.npy'}", f"--output={tmp_path / 'o'}")
    answer = call(fit, *arguments, "--skeleton=smpl_24")
    assert answer.status == 1
    assert "looks like millimetres" in answer.err and "--unit=mm" in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    answer = call(fit, *arguments, "--skeleton=kinect")
    assert answer.status == 2 and "kinect" in answer.err
    answer = call(fit, *arguments, "--method=networks")
    assert answer.status == 2 and "needs --run" in answer.err
    assert not (tmp_path / "o").exists()


def test_the_points_are_not_replaced_by_the_result(joints, call, tmp_path):
    np.savez(tmp_path / "parameters.npz", points=joints)
    before = (tmp_path / "parameters.npz").read_bytes()
    points = f"--points={tmp_path / 'parameters.npz'}"
    answer = call(fit, points, f"--output={tmp_path}", "--skeleton=smpl_24")
    assert answer.status == 1 and "would be replaced by the result" in answer.err
    assert (tmp_path / "parameters.npz").read_bytes() == before


def test_points_of_another_skeleton_name_those_that_fit(tmp_path):
    np.save(tmp_path / "points.npy", np.zeros((2, 17, 3)))
    expected = r"\[2, 17, 3\]; of so many points are --skeleton=h36m_17 or coco_17"
    with pytest.raises(UserError, match=expected):
        point_files.read(tmp_path / "points.npy", SMPL_24, "m")
