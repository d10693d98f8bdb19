import json
import os

import keras
import numpy as np
import pytest
import trimesh
from absl import flags
from PIL import Image

from experiments import predict
from experiments.nbf import networks, segmenters
from experiments.nbf.flags import define_run_flags
from experiments.prediction import files as prediction_files
from experiments.prediction import videos
from experiments.runs import common, shipped_runs
from experiments.runs.run_folder import RunFolder
from nbf.prediction import windows
from smpl_tf import SMPL, measure, named_points
from smpl_tf.camera import Camera
from smpl_tf.files import MARK
from smpl_tf.nbf_scale import nbf_camera
from smpl_tf.skeleton import COCO_17, SMPL_24

SIZES = {"tall.png": (40, 60), "grey.jpg": (40, 60), "wide.jpg": (800, 60)}
DAMAGED = ("notes.jpg", "cut.png", "dot.png", "empty.mp4")
OF_PARTS = {"parts.png", "audit.json"}
FILES = {"parameters.npz", "joints.json", "side.png", *OF_PARTS}


def untrained(path, *arguments, favoured=None):
    """A run of a network without training; a segmenter may see one class everywhere."""
    values = flags.FlagValues()
    define_run_flags(values)
    values(["", *arguments, f"--runs_dir={path.parent}", f"--run_name={path.name}"])
    run = RunFolder(path)
    run.adopt_flags(values)
    keras.utils.set_random_seed(0)
    body = networks.load_body(values)
    if body is None:
        network = segmenters.build_segmenter(values)
        logits = network.network.layers[-1]
        logits.bias.assign(100 * np.eye(network.scheme.num_classes, dtype=np.float32)[favoured])
    else:
        network = networks.build_network(values, body)
    network.save(run.model_file)
    return path


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Networks of all kinds; for the segmenters a picture is all torso, or empty."""
    folder = tmp_path_factory.mktemp("runs")
    tiny = ("--stage=segmentation", "--input_size=16", "--segmenter_width=4")
    return {
        "fitting": untrained(folder / "fitting", "--input_size=16"),
        "torso": untrained(folder / "torso", *tiny, favoured=8),
        "empty": untrained(folder / "empty", *tiny, favoured=0),
        "parts_3": untrained(folder / "parts_3", *tiny, "--num_parts=3", favoured=1),
        "rgb": untrained(folder / "rgb", "--input_map=rgb", "--input_size=16"),
        "joints": untrained(folder / "joints", "--input_map=joints_24", "--input_size=16"),
    }


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    noise = np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)
    Image.fromarray(noise).save(folder / "tall.png")
    Image.fromarray(noise[..., 0]).save(folder / "grey.jpg")
    Image.fromarray(noise.repeat(20, 1)).save(folder / "wide.jpg")
    Image.fromarray(noise[:1, :1]).save(folder / "dot.png")
    (folder / "notes.jpg").write_text("notes")
    (folder / "cut.png").write_bytes((folder / "tall.png").read_bytes()[:3000])
    (folder / "empty.mp4").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def given(tmp_path_factory):
    """Two people of tall.png, one with joints and one with a box, and one of another picture."""
    keypoints = np.zeros((17, 3))
    for name, x, y in (
        *(("left_shoulder", 14, 16), ("right_shoulder", 8, 16), ("left_elbow", 18, 20)),
        *(("left_hip", 13, 28), ("right_hip", 9, 28), ("left_knee", 13, 38)),
        *(("right_knee", 9, 38), ("left_ankle", 13, 48)),
    ):
        keypoints[COCO_17.index(name)] = x, y, 1
    path = tmp_path_factory.mktemp("people") / "people.json"
    path.write_text(
        json.dumps(
            [
                {"image_id": "tall.png", "keypoints": keypoints.ravel().tolist()},
                {"image_id": "tall.png", "bbox": [22, 5, 15, 50]},
                {"image_id": "elsewhere.png", "bbox": [1, 2, 30, 40]},
            ]
        )
    )
    return path


@pytest.fixture(scope="module")
def output(runs, photographs, tmp_path_factory):
    """What predict.py makes of the photographs, some of which do not decode."""
    folder = tmp_path_factory.mktemp("predicted")
    arguments = [
        *(f"--run={runs['fitting']}", f"--segmentation_run={runs['torso']}"),
        *(f"--images={photographs}", f"--output={folder}", "--mesh=obj,ply,glb"),
    ]
    status = common.run(predict.main, predict.define_flags, ["predict.py", *arguments])
    assert status == common.EXIT_ERROR
    return folder


def load(path):
    with np.load(path) as file:
        return dict(file)


def test_every_picture_gets_its_files_and_its_place_on_the_page(output):
    page = (output / "index.html").read_text()
    assert "3 of 7 inputs" in page
    meshes = {"mesh.obj", "mesh.ply", "mesh.glb"}
    for name, (width, height) in SIZES.items():
        assert name in page
        assert {file.name for file in (output / name).iterdir()} == {
            MARK,
            "overlay.jpg",
            "person_1",
        }
        assert {file.name for file in (output / name / "person_1").iterdir()} == FILES | meshes
        with Image.open(output / name / "overlay.jpg") as overlay:
            assert overlay.size == (width, height)


def test_what_cannot_be_done_is_named_and_gets_no_files(output):
    page = (output / "index.html").read_text()
    for name in DAMAGED:
        assert name in page
    assert {file.name for file in output.iterdir()} == {"index.html", *SIZES}


def test_the_parameters_give_the_joints_in_the_original_picture(output):
    smpl = SMPL(vertex_ids=[])
    for name, (width, height) in SIZES.items():
        found = load(output / name / "person_1" / "parameters.npz")
        for pose in (found["pose"], found["rotations"]):
            body = smpl(betas=found["betas"], pose=pose, translation=found["translation"])
            np.testing.assert_allclose(body.joints, found["joints_3d"], atol=1e-4)
        camera = Camera(found["intrinsics"], width, height)
        projected = camera.project(found["joints_3d"])
        np.testing.assert_allclose(projected, found["joints_2d"], rtol=1e-4, atol=1e-3)
        written = json.loads((output / name / "person_1" / "joints.json").read_text())
        named = written["joints"]
        assert list(named) == list(SMPL_24.names)
        pixels = [joint["pixels"] for joint in named.values()]
        np.testing.assert_allclose(pixels, found["joints_2d"], atol=1e-3)
        assert list(written["skeletons"]) == ["coco_17", "h36m_17", "lsp_14"]
        whole = SMPL()
        body = whole(betas=found["betas"], pose=found["pose"], translation=found["translation"])
        points = named_points(body, "h36m_17", whole)
        np.testing.assert_allclose(found["h36m_17_3d"], points, atol=1e-4)
        nose = written["skeletons"]["coco_17"]["nose"]
        np.testing.assert_allclose(nose["metres"], found["coco_17_3d"][0], atol=1e-4)
        measured = measure(whole, found["betas"])
        assert list(found["measurement_names"]) == list(measured._fields)
        np.testing.assert_allclose(found["measurements"], measured)


def test_the_meshes_are_the_body_of_the_parameters(output):
    folder = output / "tall.png" / "person_1"
    found = load(folder / "parameters.npz")
    smpl = SMPL()
    body = smpl(betas=found["betas"], pose=found["pose"], translation=found["translation"])
    vertices, root = body.vertices.numpy(), body.joints.numpy()[0]
    # On the floor (y points down here, up in the files) and above the origin.
    vertices = vertices - [root[0], vertices[:, 1].max(), root[2]]
    for ending in ("obj", "ply"):
        mesh = trimesh.load(folder / f"mesh.{ending}", process=False)
        np.testing.assert_allclose(mesh.vertices, vertices * (1, -1, -1), atol=1e-4)
        np.testing.assert_array_equal(mesh.faces, smpl.faces)
    assert trimesh.load(folder / "mesh.glb").geometry


def test_people_named_beforehand(runs, photographs, given, call, tmp_path):
    answer = call(
        predict,
        *(f"--run={runs['fitting']}", f"--segmentation_run={runs['torso']}", "--refine"),
        *(f"--images={photographs / 'tall.png'}", f"--people={given}", f"--output={tmp_path}"),
    )
    assert answer.status == common.EXIT_ERROR
    assert answer.err == ("predict.py: elsewhere.png: is in --people, but not an input\n")
    folders = [tmp_path / "tall.png" / f"person_{i}" for i in (1, 2)]
    first, second = (load(folder / "parameters.npz") for folder in folders)
    np.testing.assert_allclose(first["joints_2d"][0], (11, 27), atol=2)
    # The other one is where a person standing in the box would be, and as large.
    metres = np.ptp(SMPL()().vertices[:, 1])
    camera = windows.from_box((22, 5, 37, 55), metres).camera(40, 60)
    np.testing.assert_allclose(second["intrinsics"], camera.intrinsics, rtol=1e-4)
    assert "refined 1 people: points" in answer.out
    before, after = (
        float(text.split()[-1])
        for text in answer.out.split("points ")[1].split(" px")[0].split(" → ")
    )
    assert after < 0.8 * before
    ankle = first["joints_2d"][SMPL_24.index("left_ankle")]
    np.testing.assert_allclose(ankle, (13, 48), atol=4)


def test_a_network_that_takes_pictures_needs_no_segmenter(runs, photographs, call, tmp_path):
    answer = call(
        predict,
        *(f"--run={runs['rgb']}", f"--images={photographs / 'wide.jpg'}", f"--output={tmp_path}"),
    )
    assert answer.status == 0
    folder = tmp_path / "wide.jpg" / "person_1"
    assert {file.name for file in folder.iterdir()} == FILES - OF_PARTS
    # The square is the one around the picture.
    found = load(folder / "parameters.npz")
    square = nbf_camera(800).crop(0, 370, 800, 60)
    np.testing.assert_allclose(found["intrinsics"], square.intrinsics, atol=1e-2)


def test_a_video_becomes_moving_people(runs, call, tmp_path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (48, 32, 3), np.uint8) for _ in range(5)]
    videos.write(tmp_path / "film.mp4", frames, 10)
    answer = call(
        predict,
        *(f"--run={runs['fitting']}", f"--segmentation_run={runs['torso']}"),
        *(f"--images={tmp_path / 'film.mp4'}", f"--output={tmp_path / 'out'}", "--frames=4"),
    )
    assert answer.status == 0
    folder = tmp_path / "out" / "film.mp4"
    overlay = videos.open_video(folder / "overlay.mp4")
    assert overlay.frame_rate == 10 and len(list(overlay.frames())) == 4
    found = load(folder / "person_1" / "parameters.npz")
    assert found["frames"].tolist() == [0, 1, 2, 3]
    assert found["betas"].shape == (10,) and found["pose"].shape == (4, 24, 3)
    body = SMPL(vertex_ids=[])(
        betas=found["betas"], pose=found["pose"], translation=found["translation"]
    )
    np.testing.assert_allclose(body.joints, found["joints_3d"], atol=1e-4)
    camera = Camera(found["intrinsics"], 32, 48)
    np.testing.assert_allclose(camera.project(body.joints), found["joints_2d"], atol=1e-2)
    assert {file.name for file in (folder / "person_1").iterdir()} == {
        *("parameters.npz", "motion.glb", "motion.bvh", "side.mp4", "parts.mp4", "audit.json")
    }
    for name in ("side.mp4", "parts.mp4"):
        assert len(list(videos.open_video(folder / "person_1" / name).frames())) == 4
    audited = json.loads((folder / "person_1" / "audit.json").read_text())
    assert [frame["frame"] for frame in audited["frames"]] == [0]
    motion = (folder / "person_1" / "motion.bvh").read_text()
    assert "Frames: 4" in motion
    assert trimesh.load(folder / "person_1" / "motion.glb").geometry


def test_one_camera_for_all_sees_the_bodies_where_their_own_cameras_do():
    rng = np.random.default_rng(0)
    smpl = SMPL()
    cameras = [
        nbf_camera(size).crop(x, y, 640, 480) for size, x, y in ((300, -50, -9), (700, 80, 5))
    ]
    shared = prediction_files.shared_camera(cameras)
    for camera in cameras:
        pose = rng.normal(0, 0.3, (24, 3)).astype(np.float32)
        body = smpl(pose=pose, translation=(0.0, 0.115, 20.3))
        moved = prediction_files.moved_to(shared, camera, np.zeros(3), body.joints[0].numpy())
        own = camera.project(body.vertices).numpy()
        found = shared.project(body.vertices.numpy() + moved).numpy()
        assert np.abs(found - own).max() < 0.02 * np.ptp(own, axis=0).max()


def test_a_failed_writing_leaves_the_old_files(runs, photographs, call, tmp_path, monkeypatch):
    arguments = (
        *(f"--run={runs['rgb']}", f"--images={photographs / 'wide.jpg'}", f"--output={tmp_path}"),
    )
    (tmp_path / "wide.jpg").mkdir()
    (tmp_path / "wide.jpg" / "old").write_text("old")
    (tmp_path / "wide.jpg" / MARK).touch()

    def full(*arguments):
        raise OSError(28, "No space left on device", "parameters.npz")

    monkeypatch.setattr(prediction_files, "write_joints", full)
    answer = call(predict, *arguments)
    assert answer.status == common.EXIT_ERROR
    assert "no space left" in answer.err.lower() and answer.err.count("\n") == 1
    assert {file.name for file in tmp_path.rglob("*")} == {"wide.jpg", MARK, "old"}


def test_odd_inputs_fail_alone(runs, photographs, call, tmp_path, monkeypatch):
    """Long names, links, pipes, the page's name, and what the user already has there."""
    pictures, output = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    good = (photographs / "wide.jpg").read_bytes()
    names = [b"a" * 250 + b".jpg", b"\xe4.jpg", b"index.html", b"photo.jfif", b"no_ending"]
    for name in (*names, b"mine.jpg"):
        (pictures / os.fsdecode(name)).write_bytes(good)
    (pictures / "loop.jpg").symlink_to(pictures / "loop.jpg")
    os.mkfifo(pictures / "pipe.jpg")
    (pictures / "._a.jpg").write_bytes(b"notes of macOS")
    (pictures / "notes.txt").write_text("notes")
    (pictures / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(90))
    (output / "mine.jpg").mkdir(parents=True)
    (output / "mine.jpg" / "thesis.tex").write_text("mine")
    arguments = (f"--run={runs['rgb']}", f"--images={pictures}", f"--output={output}")
    for _ in range(2):  # the second replaces what the first has made
        answer = call(predict, *arguments)
        assert answer.status == common.EXIT_ERROR
        assert "5 of 9 inputs done" in answer.out
        lines = answer.err.splitlines()
        assert len(lines) == 5
        assert any("skipped 2 " in line and "._a.jpg, notes.txt" in line for line in lines)
        for name in (
            "loop.jpg",
            "pipe.jpg",
            "mine.jpg",
            "phone.heic: a picture of the format HEIC",
        ):
            assert sum(name in line for line in lines) == 1
        assert "unexpected" not in answer.err
    found = {os.fsencode(file.name) for file in output.iterdir() if file.is_dir()}
    assert found == {*names, b"mine.jpg", b"pictures_index.html"} - {b"index.html"}
    assert (output / "index.html").is_file()
    assert (output / "mine.jpg" / "thesis.tex").read_text() == "mine"
    # The folder of the pictures as output: nothing of the user's is replaced.
    jfif = f"--images={pictures / 'photo.jfif'}"
    answer = call(predict, arguments[0], jfif, f"--output={pictures}")
    assert answer.status == common.EXIT_ERROR
    assert (pictures / "photo.jfif").read_bytes() == good


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"mesh": "obj,fbx"}, 2, ["--mesh=fbx: expected obj, ply, glb"]),
        ({"images": "/nowhere"}, 1, ["/nowhere: no such file or folder"]),
        ({"run": "/nowhere"}, 1, ["/nowhere: no run here"]),
        ({"people": "/nowhere"}, 1, ["/nowhere: no such file or folder"]),
        ({"segmentation_run": None}, 1, ["parts_12", "--segmentation_run"]),
        ({"segmentation_run": "parts_3"}, 1, ["parts_12", "parts_3"]),
        ({"segmentation_run": "fitting"}, 1, ["expected a PartSegmenter, got a FittingNetwork"]),
        ({"run": "joints"}, 1, ["joints_24", "parts_12 or rgb"]),
        ({"run": None, "method": "parts"}, 1, ["no trained network here", "train_nbf.py"]),
        ({"method": "fit"}, 2, ["--method=fit uses shipped networks; leave out --run"]),
    ],
)
def test_a_mistake_is_one_line(
    runs, photographs, call, tmp_path, monkeypatch, changed, status, words
):
    monkeypatch.setattr(shipped_runs, "PRETRAINED", tmp_path / "pretrained")
    values = {"run": "fitting", "segmentation_run": "torso", "images": photographs, **changed}
    values = {"output": tmp_path / "out", **values}
    arguments = [f"--{name}={runs.get(value, value)}" for name, value in values.items() if value]
    answer = call(predict, *arguments)
    assert answer.status == status
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words), answer.err
    assert not (tmp_path / "out").exists()


def test_a_picture_without_people_is_named(runs, photographs, call, tmp_path):
    answer = call(
        predict,
        *(f"--run={runs['fitting']}", f"--segmentation_run={runs['empty']}"),
        *(f"--images={photographs / 'tall.png'}", f"--output={tmp_path}"),
    )
    assert answer.status == 1
    assert "tall.png: no person found; give a box or joints" in answer.err
    assert [file.name for file in tmp_path.iterdir()] == ["index.html"]


def test_another_body_than_the_one_trained_on_is_refused(
    runs, call, other_body, photographs, tmp_path
):
    answer = call(
        predict,
        *(f"--run={runs['fitting']}", f"--segmentation_run={runs['torso']}"),
        *(f"--body_model={other_body}", f"--images={photographs}"),
        f"--output={tmp_path / 'out'}",
    )
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert "model.keras" in answer.err and "--body_model" in answer.err
