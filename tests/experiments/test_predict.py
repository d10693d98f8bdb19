import numpy as np
import pytest
from PIL import Image

from experiments import common, predict
from smpl_tf import SMPL
from smpl_tf.camera import Camera

SIZES = {"tall.png": (40, 60), "grey.jpg": (40, 60), "wide.jpg": (800, 60), "dot.png": (1, 1)}
DAMAGED = ("notes.jpg", "cut.png")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    noise = np.random.default_rng(0).integers(0, 255, (60, 40, 3), np.uint8)
    Image.fromarray(noise).save(folder / "tall.png")
    Image.fromarray(noise[:1, :1]).save(folder / "dot.png")
    Image.fromarray(noise[..., 0]).save(folder / "grey.jpg")
    Image.fromarray(noise.repeat(20, 1)).save(folder / "wide.jpg")
    (folder / "notes.jpg").write_text("notes")
    (folder / "cut.png").write_bytes((folder / "tall.png").read_bytes()[:3000])
    return folder


@pytest.fixture(scope="module")
def output(finished, photographs, tmp_path_factory):
    """What predict.py makes of the photographs, two of which do not decode."""
    folder = tmp_path_factory.mktemp("predicted")
    arguments = [f"--run={finished}", f"--images={photographs}", f"--output={folder}"]
    status = common.run(predict.main, predict.define_flags, ["predict.py", *arguments])
    assert status == common.EXIT_ERROR
    return folder


def test_every_picture_gets_its_files_and_its_place_on_the_page(output):
    page = (output / "index.html").read_text()
    assert "No segmentation network" in page
    assert "4 of 6 pictures" in page
    for name in SIZES:
        assert name in page
        names = {file.name for file in (output / name).iterdir()}
        assert names == {"parameters.npz", "overlay.png", "side.png"}


def test_what_does_not_decode_is_named_and_gets_no_files(output):
    page = (output / "index.html").read_text()
    for name in DAMAGED:
        assert name in page
        assert not (output / name).exists()


def test_the_parameters_give_the_joints_in_the_original_picture(output):
    smpl = SMPL(vertex_ids=[])
    for name, (width, height) in SIZES.items():
        with np.load(output / name / "parameters.npz") as file:
            found = dict(file)
        for pose in (found["pose"], found["rotations"]):
            body = smpl(betas=found["betas"], pose=pose, translation=found["translation"])
            np.testing.assert_allclose(body.joints, found["joints_3d"], atol=1e-4)
        camera = Camera(found["intrinsics"], width, height)
        projected = camera.project(found["joints_3d"])
        np.testing.assert_allclose(projected, found["joints_2d"], rtol=1e-4, atol=1e-3)
        # NBF's camera looks at the middle of a picture, and 2.08 m fill its longer side; the
        # network sees 16 pixels of it.
        pixel = max(width, height) / 16
        if name != "wide.jpg":  # which is one pixel high to the network
            ends = camera.project(np.array([[0, -1.04, 20.3], [0, 1.04, 20.3]], np.float32))
            np.testing.assert_allclose(ends[:, 0], width / 2, atol=pixel / 2)
            np.testing.assert_allclose(ends[1, 1] - ends[0, 1], max(width, height), atol=pixel / 2)


@pytest.mark.parametrize(
    ("changed", "status", "words"),
    [
        ({"output": None}, 2, ["--output is missing"]),
        ({"images": "/nowhere"}, 1, ["/nowhere: no such folder"]),
        ({"run": "/nowhere"}, 1, ["/nowhere: no run here"]),
    ],
)
def test_a_mistake_is_one_line(finished, photographs, call, tmp_path, changed, status, words):
    values = {"run": finished, "images": photographs, "output": tmp_path / "out", **changed}
    arguments = [f"--{name}={value}" for name, value in values.items() if value]
    answer = call(predict, *arguments)
    assert answer.status == status
    assert answer.err.count("\n") == 1
    assert all(word in answer.err for word in words)
    assert not (tmp_path / "out").exists()


def test_another_body_than_the_one_trained_on_is_refused(
    finished, call, other_body, photographs, tmp_path
):
    answer = call(
        predict,
        f"--run={finished}",
        f"--body_model={other_body}",
        f"--images={photographs}",
        f"--output={tmp_path / 'out'}",
    )
    assert answer.status == 1
    assert answer.err.count("\n") == 1
    assert "epoch_0002.weights.h5" in answer.err and "--body_model" in answer.err
