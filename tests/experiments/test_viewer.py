"""What a page of bodies holds; test_viewer_browser.py looks at it in Chromium."""

import base64
import dataclasses
import json
import re

import numpy as np
import pytest
from absl import flags

from experiments import view
from smpl_tf.open_body import load_open_body
from smpl_tf.viewer import body_viewer as viewer
from smpl_tf.viewer import shape_words
from smpl_tf.viewer.body_viewer import ViewedBody, body_viewer
from tests.small_body import small_body

BODY = small_body()


def content_of(fragment):
    """The JSON that the fragment's script reads."""
    found = re.search(r'data-part="content">(.*?)</script>', fragment, re.DOTALL)
    return json.loads(found[1])


def values(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def still(name="a <b>", **options):
    return ViewedBody(name, np.zeros(10), np.zeros((24, 3)), **options)


def test_a_page_of_the_open_body_stays_small_and_keeps_all_that_matters():
    body = load_open_body("male")
    fragment = body_viewer([still()], body)
    assert len(fragment) < 1.5e6
    packed = content_of(fragment)["models"][0]
    template = values(packed["template"], np.int16).reshape(-1, 3) * packed["template_step"]
    np.testing.assert_allclose(template, body.v_template, atol=2e-5)
    shapes = values(packed["shapes"], np.int16).reshape(10, -1, 3)
    shapes = shapes * np.array(packed["shape_steps"])[:, None, None]
    np.testing.assert_allclose(np.moveaxis(shapes, 0, -1), body.shapedirs, atol=2e-6)
    corrections = np.zeros((23, body.num_vertices, 3, 9))
    joints = np.repeat(np.arange(23), packed["pose_counts"])
    offsets = values(packed["pose_offsets"], np.int8).reshape(-1, 3, 9) * packed["pose_step"]
    corrections[joints, values(packed["pose_vertices"], np.uint16)] = offsets
    expected = body.posedirs.reshape(-1, 3, 23, 9).transpose(2, 0, 1, 3)
    np.testing.assert_allclose(corrections, expected, atol=packed["pose_step"] * 0.501)


def test_of_many_pose_blend_shapes_the_largest_are_kept(monkeypatch):
    monkeypatch.setattr(viewer, "MAX_CORRECTIONS", 100)
    packed = content_of(body_viewer([still()], BODY))["models"][0]
    assert sum(packed["pose_counts"]) == 100
    kept = np.zeros((23, BODY.num_vertices), bool)
    joints = np.repeat(np.arange(23), packed["pose_counts"])
    kept[joints, values(packed["pose_vertices"], np.uint16)] = True
    size = np.abs(BODY.posedirs.reshape(-1, 3, 23, 9)).max(axis=(1, 3)).T
    assert size[kept].min() >= size[~kept].max()


def test_a_page_has_the_betas_that_its_bodies_use_and_no_more():
    rich = small_body(num_betas=16)
    for used, sliders in ((3, 10), (12, 12)):
        fragment = body_viewer([still()._replace(betas=np.zeros(used))], rich)
        assert fragment.count("data-beta=") == sliders
        assert len(content_of(fragment)["models"][0]["shape_steps"]) == sliders


def test_names_are_text_and_never_markup():
    fragment = body_viewer([still(note="</script><b>")], BODY)
    assert content_of(fragment)["bodies"][0]["note"] == "</script><b>"
    assert fragment.count("</script>") == 2 and "<b>" not in fragment.replace("<b data-part", "")
    assert "http" not in fragment


def test_only_a_foreign_body_speaks_of_its_licence():
    assert BODY.name in body_viewer([still()], BODY)
    assert "licence" not in body_viewer([still()], load_open_body())


def test_what_does_not_fit_is_refused_in_one_line():
    other = small_body(num_vertices=100)
    cases = [
        ("Expected bodies and a model, got 0 and 1", ([], BODY)),
        ("one topology, got small_body_200_0 and small_body_100_0", ([still()], BODY, other)),
        (
            r"at most 10 betas, got shapes \(24, 3\) and \(11,\)",
            ([still()._replace(betas=np.zeros(11))], BODY),
        ),
        (r"a pose \[24, 3\].*\(23, 3\)", ([still()._replace(pose=np.zeros((23, 3)))], BODY)),
        ("expected finite parameters", ([still(translation=np.full(3, np.nan))], BODY)),
        ("frame 'camera' or 'model', got 'up'", ([still(frame="up")], BODY)),
    ]
    for message, arguments in cases:
        with pytest.raises(ValueError, match=message):
            body_viewer(*arguments)


def test_view_writes_a_page_of_a_saved_motion(call, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(view.webbrowser, "open", lambda address: opened.append(address) or True)
    rng = np.random.default_rng(0)
    motion = {"betas": rng.normal(size=10), "pose": rng.normal(size=(3, 24, 3)), "frame_rate": 12}
    np.savez(tmp_path / "walk.npz", **motion)
    page = tmp_path / "page" / "index.html"
    answer = call(view, f"--parameters={tmp_path / 'walk.npz'}", f"--output={page}")
    assert (answer.status, answer.err, opened) == (0, "", [page.as_uri()])
    content = content_of(page.read_text())
    assert [model["gender"] for model in content["models"]] == ["neutral", "female", "male"]
    assert page.stat().st_size < 3.1e6
    (body,) = content["bodies"]
    assert (body["name"], body["frame_rate"], len(body["translations"])) == ("walk", 12, 3)
    poses = np.array(content["poses"])
    assert poses.shape == (view.RANDOM_POSES, 24, 3) and np.isfinite(poses).all()


def test_a_page_goes_to_the_working_folder_unless_said_otherwise():
    values = flags.FlagValues()
    view.define_flags(values)
    assert values["output"].default == "runs/view.html"


def test_view_shows_motions_and_people_of_other_programs(call, tmp_path):
    pose = np.zeros((2, 156))
    np.savez(tmp_path / "amass.npz", poses=pose, trans=pose[:, :3], betas=np.ones(16))
    spin = {"pose": np.zeros((3, 72)), "betas": np.zeros((3, 10)), "camera": np.ones((3, 3))}
    np.savez(tmp_path / "spin.npz", **spin)
    for name, count in (("amass", 1), ("spin", 3)):
        flags = (f"--parameters={tmp_path}/{name}.npz", f"--output={tmp_path}/a.html", "--noopen")
        answer = call(view, *flags)
        assert answer.status == 0, answer.err
        page = (tmp_path / "a.html").read_text()
        assert page.count(f'"scene":"{name}') == count
        # AMASS's z-up world becomes y up; pictures are upside down until the page turns them.
        assert page.count('"upside_down":true') == (0 if name == "amass" else 3)


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"other": 1}, "expected the arrays betas and pose (predict.py), poses and trans (AMASS)"),
        (None, "not an .npz file"),
    ],
)
def test_view_says_what_is_wrong_with_a_file(call, tmp_path, arrays, message):
    path = tmp_path / "a.npz"
    path.write_bytes(b"text") if arrays is None else np.savez(path, **arrays)
    answer = call(view, f"--parameters={path}", f"--output={tmp_path / 'b.html'}")
    assert answer.status == 1 and message in answer.err and answer.err.count("\n") == 1
    assert not (tmp_path / "b.html").exists()


def test_words_say_what_a_beta_does():
    """A body whose first beta scales it up, whose second thickens it; the third does nothing."""
    body = load_open_body()
    scaled = body.v_template * 0.02
    thick = body.v_template * (0.05, 0, 0.05)
    shapedirs = np.stack([scaled, thick, np.zeros_like(scaled), -thick], axis=-1)
    changed = dataclasses.replace(body, shapedirs=shapedirs)
    words = shape_words.shape_words(changed, 4)
    assert words[0] == "taller" and words[2] == ""
    assert "heavier" in words[1] and "lighter" in words[3]
