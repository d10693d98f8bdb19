"""Pages of bodies in a headless Chromium: what is drawn, and what mouse, keys and fingers do."""

import io
import json

import cv2
import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from experiments.pages import report
from smpl_tf import SMPL, measure
from smpl_tf.open_body import load_open_body
from smpl_tf.skeleton import SMPL_24
from smpl_tf.viewer.body_viewer import ViewedBody, body_viewer
from smpl_tf.viewer.shape_words import shape_words
from tests.chromium import PROGRAM, Chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: apt-get install chromium"),
]

RNG = np.random.default_rng(0)
BETAS = RNG.normal(size=10)
POSES = RNG.normal(0, 0.3, (40, 24, 3)) + [np.pi, 0, 0] * (np.arange(24) == 0)[:, None]
POSES[:] = POSES[:1] + np.sin(np.arange(40) / 6)[:, None, None] * (POSES[1] - POSES[0])
MOVES = np.linspace([0, 0, 4], [1, 0, 5], 40)
VIEWER = "document.querySelector('.body-viewer').viewer"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Chromium(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """A page with a still body, a moving one, and two in one scene; and one with pose sliders."""
    folder, body = tmp_path_factory.mktemp("pages"), load_open_body()
    bodies = [
        ViewedBody("still", BETAS, POSES[0], MOVES[0], note="a note"),
        ViewedBody("moving", BETAS, POSES, MOVES, frame_rate=20.0),
        ViewedBody("predicted", BETAS, POSES[0], [0, 0, 3], scene="two"),
        ViewedBody("true", -BETAS, POSES[9], [1, 0, 3], scene="two", colour=(150, 195, 130)),
    ]
    people = [report.Person("The walker", [], scene="moving")]
    page = report.Page("Bodies", "Lead.", viewer=body_viewer(bodies, body))
    report.write(page._replace(groups=[report.Group("People", people)]), folder / "bodies.html")
    learning = body_viewer(
        [ViewedBody("body", np.zeros(10), np.zeros((24, 3)), frame="model")],
        *(body, load_open_body("female")),
        poses=POSES[:3] - [np.pi, 0, 0] * (np.arange(24) == 0)[:, None],
    )
    report.write(report.Page("Sliders", "Lead.", viewer=learning), folder / "view.html")
    genders = [load_open_body(gender) for gender in ("female", "male")]
    couple = [
        ViewedBody(name, BETAS, POSES[0], [x, 0, 4], scene="couple", note=f"{x} m", model=x)
        for x, name in enumerate(("she", "he"))
    ]
    couple = body_viewer(couple, *genders)
    report.write(report.Page("Couple", "Lead.", viewer=couple), folder / "couple.html")
    return folder


@pytest.fixture
def opened(browser, pages):
    """Opens a page of ours; afterwards nothing may have gone wrong or left the machine.

    The window is small: without a graphics card every pixel costs time.
    """

    def open_page(name="bodies.html", **window):
        browser.problems.clear()
        browser.requests.clear()
        browser.open(pages / name, **{"width": 480, "height": 400, **window})
        return browser

    yield open_page
    assert browser.problems == []
    assert all(address.startswith(("file://", "data:")) for address in browser.requests)
    assert sum(address.startswith("file://") for address in browser.requests) == 1


def drawn(browser):
    """The pixels of the picture, [H, W, 3], without the person's name and the sign of focus."""
    browser.run("document.querySelector('.naming').style.visibility = 'hidden'")
    browser.run("document.querySelector('.picture').style.outline = 'none'")
    browser.run("document.querySelector('.picture').scrollIntoView()")
    x, y, width, height = (round(value) for value in canvas_box(browser))
    encoded = np.frombuffer(browser.screenshot(), np.uint8)
    return cv2.imdecode(encoded, cv2.IMREAD_COLOR)[y : y + height, x : x + width].astype(int)


def canvas_box(browser):
    return browser.run(
        "(({x, y, width, height}) => [x, y, width, height])"
        "(document.querySelector('.picture').getBoundingClientRect())"
    )


def changed(before, after):
    """Share of the pixels that differ visibly."""
    return (np.abs(before - after).max(axis=-1) > 12).mean()


def blue(pixels):
    """Share of the pixels in the colour of a predicted body, which nothing else has."""
    return (pixels[..., 0] - pixels[..., 2] > 40).mean()


def vertices(browser):
    return np.array(browser.run(f"Array.from({VIEWER}.selected.body.vertices)")).reshape(-1, 3)


def click(browser, selector):
    browser.run(f"document.querySelector({json.dumps(selector)}).click()")


def focus(browser, selector):
    browser.run(f"document.querySelector({json.dumps(selector)}).focus()")


def test_bodies_are_drawn_where_the_layer_has_them(opened):
    browser = opened()
    assert browser.run(f"{VIEWER}.painter.constructor.name") == "MeshPainter"
    assert 0.03 < blue(drawn(browser)) < 0.6
    expected = SMPL(load_open_body())(betas=BETAS, pose=POSES[0], translation=MOVES[0]).vertices
    # 0.5 mm: the quantised pose blend shapes.
    np.testing.assert_allclose(vertices(browser), expected * np.array([1, -1, -1]), atol=5e-4)
    assert browser.run("document.querySelector('.naming').textContent") == "still a note"


def test_mouse_wheel_and_keys_turn_move_and_zoom(opened):
    browser = opened()
    x, y, width, height = canvas_box(browser)
    middle = (x + width / 2, y + height / 2)
    front = drawn(browser)
    browser.drag(middle, (middle[0] + 120, middle[1] + 20))
    turned = drawn(browser)
    assert changed(front, turned) > 0.02
    focus(browser, ".picture")
    browser.press("0", "Digit0")
    assert changed(front, drawn(browser)) < 0.001
    before = browser.run(f"{VIEWER}.camera.azimuth")
    browser.press("ArrowRight", "ArrowRight")
    assert browser.run(f"{VIEWER}.camera.azimuth") > before
    browser.press("+", "Equal")
    assert blue(drawn(browser)) > 1.1 * blue(front)
    browser.press("Home", "Home")
    browser.call(
        "Input.dispatchMouseEvent",
        **{"type": "mouseWheel", "x": middle[0], "y": middle[1], "deltaX": 0, "deltaY": 400},
    )
    browser.wait(f"{VIEWER}.camera.zoom < 0.9")
    assert blue(drawn(browser)) < 0.9 * blue(front)


def test_the_wheel_scrolls_the_page_until_the_picture_is_clicked(opened):
    browser = opened(height=300)
    x, y, *_ = canvas_box(browser)
    browser.call(
        "Input.dispatchMouseEvent",
        **{"type": "mouseWheel", "x": x + 50, "y": y + 50, "deltaX": 0, "deltaY": 100},
    )
    browser.wait("scrollY > 50")
    assert browser.run(f"{VIEWER}.camera.zoom") == 1


def test_measurements_and_words_are_those_of_the_body(opened):
    browser = opened("view.html")
    click(browser, "[data-action=random-shape]")
    betas = browser.run(f"Array.from({VIEWER}.selected.body.betas)")
    found = measure(load_open_body(), betas)
    shown = browser.run(f"{VIEWER}.selected.body.measures()")
    for name in ("chest", "waist", "hip"):
        assert shown[name] == pytest.approx(getattr(found, f"{name}_girth"), abs=1e-3), name
    assert shown["stature"] == pytest.approx(found.stature, abs=1e-3)
    assert shown["mass"] == pytest.approx(found.mass, rel=1e-3)
    text = browser.run("document.querySelector('.measures').textContent")
    assert f"waist {100 * shown['waist']:.1f}, hip {100 * shown['hip']:.1f} cm" in text
    words = "Array.from(document.querySelectorAll('.slider small'), (one) => one.textContent)"
    assert browser.run(words) == shape_words(load_open_body(), 10)
    # Those of the other body, once it is chosen.
    browser.run("document.querySelector('[data-input=model]').value = 1")
    browser.run("document.querySelector('[data-input=model]').dispatchEvent(new Event('change'))")
    assert browser.run(words) == shape_words(load_open_body("female"), 10)


def test_a_shape_slider_moved_by_a_key_changes_mesh_picture_and_numbers(opened):
    browser = opened()
    before, pixels = vertices(browser), drawn(browser)
    measures = browser.run("document.querySelector('.measures').textContent")
    focus(browser, "[data-beta='0']")
    for _ in range(3):
        browser.press("PageUp", "PageUp")
    value = browser.run("Number(document.querySelector('[data-beta=\"0\"]').value)")
    assert value > BETAS[0] + 1
    betas = np.array([value, *BETAS[1:]])
    expected = SMPL(load_open_body())(betas=betas, pose=POSES[0], translation=MOVES[0]).vertices
    np.testing.assert_allclose(vertices(browser), expected * np.array([1, -1, -1]), atol=5e-4)
    assert np.abs(vertices(browser) - before).max() > 0.02
    assert changed(pixels, drawn(browser)) > 0.02
    assert browser.run("document.querySelector('.measures').textContent") != measures
    click(browser, "[data-action=reset-shape]")
    np.testing.assert_allclose(vertices(browser), before, atol=1e-6)


def test_a_motion_plays_pauses_and_goes_to_a_frame(opened):
    browser = opened()
    assert browser.run("document.querySelector('.player').hidden")
    click(browser, "[data-show-scene]")
    assert not browser.run("document.querySelector('.player').hidden")
    browser.wait("document.activeElement.className === 'picture'")
    start = vertices(browser)
    browser.press(" ", "Space")
    browser.wait(f"{VIEWER}.moment > 3")
    assert browser.run("document.querySelector('[data-action=play]').ariaLabel") == "Pause"
    browser.press(" ", "Space")
    assert not browser.run(f"{VIEWER}.playing")
    assert np.abs(vertices(browser) - start).max() > 0.02
    for frame in (39, 17):
        browser.run(
            f"(() => {{ const s = document.querySelector('[data-input=frame]'); s.value = {frame};"
            "s.dispatchEvent(new Event('input')); })()"
        )
        drawn(browser)
        posed = SMPL(load_open_body())(betas=BETAS, pose=POSES[frame], translation=MOVES[frame])
        expected = posed.vertices * np.array([1, -1, -1])
        np.testing.assert_allclose(vertices(browser), expected, atol=5e-4)
    assert "18/40" in browser.run("document.querySelector('[data-part=time]').textContent")


def test_bodies_of_one_scene_are_shown_together_and_hidden_one_by_one(opened):
    browser = opened()
    browser.run(f"{VIEWER}.show('two')")
    both = drawn(browser)
    click(browser, ".shown input")
    one = drawn(browser)
    assert blue(both) > 0.01 and blue(one) < 0.001 and changed(both, one) > 0.01
    browser.run(
        "(() => { const s = document.querySelector('[data-input=selected]'); s.value = 1;"
        "s.dispatchEvent(new Event('change')); })()"
    )
    assert browser.run(f"{VIEWER}.selected.source.name") == "true"


def test_each_body_has_its_own_model_until_the_reader_changes_it(opened):
    browser = opened("couple.html")
    expected = {
        gender: SMPL(load_open_body(gender))(betas=BETAS, pose=POSES[0]).vertices.numpy()
        for gender in ("female", "male")
    }

    def is_shown(gender, place):
        shape = (expected[gender] + [place, 0, 4]) * [1, -1, -1]
        return np.allclose(vertices(browser), shape, atol=5e-4)

    assert is_shown("female", 0)
    assert "she: 0 m · he: 1 m" in browser.run("document.querySelector('.naming').textContent")
    choose = (
        "(() => {{ const s = document.querySelector('[data-input={}]'); s.value = {};"
        "s.dispatchEvent(new Event('change')); }})()"
    )
    browser.run(choose.format("selected", 1))
    assert is_shown("male", 1)
    assert browser.run("document.querySelector('[data-input=model]').value") == "1"
    browser.run(choose.format("model", 0))
    assert is_shown("female", 1)
    browser.run(choose.format("selected", 0))
    assert is_shown("female", 0)


@pytest.mark.parametrize("box", ["skeleton", "wireframe", "turntable"])
def test_every_switch_changes_the_picture(opened, box):
    browser = opened()
    before = drawn(browser)
    click(browser, f"[data-input={box}]")
    browser.run("new Promise((done) => setTimeout(done, 700))")
    assert changed(before, drawn(browser)) > 0.005
    click(browser, f"[data-input={box}]")


def test_without_webgl_bodies_are_drawn_in_a_plainer_way(opened):
    browser = opened()
    script = (
        "{ const get = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {"
        "  return kind === 'webgl2' ? null : get.call(this, kind, ...rest); } }"
    )
    added = browser.call("Page.addScriptToEvaluateOnNewDocument", source=script)
    with_webgl = drawn(browser)
    browser.requests.clear()
    browser = opened()
    browser.call("Page.removeScriptToEvaluateOnNewDocument", identifier=added["identifier"])
    assert browser.run(f"{VIEWER}.painter.constructor.name") == "FlatPainter"
    assert "no WebGL" in browser.run("document.querySelector('.message').textContent")
    assert blue(drawn(browser)) == pytest.approx(blue(with_webgl), rel=0.1)


@pytest.mark.parametrize("name", ["bodies.html", "view.html"])
def test_a_phone_shows_everything_without_scrolling_sideways(opened, name):
    browser = opened(name, width=360, height=740, phone=True, dark=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360
    assert blue(drawn(browser)) > 0.02
    x, y, width, height = canvas_box(browser)
    assert height < 0.8 * 740
    browser.pinch((x + width / 2, y + height / 2), 60, 120)
    assert browser.run(f"{VIEWER}.camera.zoom") == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("name", ["bodies.html", "view.html"])
def test_every_control_has_a_name(opened, name):
    browser = opened(name)
    browser.call("Accessibility.enable")
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    controls = {"slider", "button", "checkbox", "combobox", "application"}
    named = [
        node["name"]["value"]
        for node in nodes
        if node["role"]["value"] in controls and not node["ignored"]
    ]
    assert len(named) > 20 and all(named)
    browser.call("Accessibility.disable")


def test_pose_sliders_turn_joints_about_their_axes_and_colour_them(opened):
    browser = opened("view.html")
    browser.run(
        "document.querySelectorAll('.region').forEach((region) => { region.open = true; })"
    )
    elbow = SMPL_24.index("left_elbow")
    before = drawn(browser)
    focus(browser, f'[data-joint="{elbow}"][data-axis="1"]')
    assert changed(before, drawn(browser)) > 0.002
    for _ in range(2):
        browser.press("PageDown", "PageDown")
    degrees = browser.run(
        f'Number(document.querySelector(\'[data-joint="{elbow}"][data-axis="1"]\').value)'
    )
    assert degrees < -30
    pose = np.zeros((24, 3))
    pose[elbow, 1] = np.radians(degrees)
    expected = SMPL(load_open_body())(pose=pose).vertices
    np.testing.assert_allclose(vertices(browser), expected, atol=5e-4)
    click(browser, "[data-action=mirror-pose]")
    mirrored = load_open_body().vertex_mirror
    flipped = np.asarray(expected)[mirrored] * [-1, 1, 1]
    np.testing.assert_allclose(vertices(browser), flipped, atol=5e-4)
    click(browser, "[data-action=reset-pose]")
    np.testing.assert_allclose(vertices(browser), SMPL(load_open_body())().vertices, atol=5e-4)


def test_what_is_taken_away_gives_the_same_body(opened):
    browser = opened("view.html")
    browser.run(
        "(() => { const s = document.querySelector('[data-input=model]'); s.value = 1;"
        "s.dispatchEvent(new Event('change')); })()"
    )
    click(browser, "[data-action=random-pose]")
    click(browser, "[data-action=random-shape]")
    shown = vertices(browser)
    # What would be saved to disk.
    browser.run("URL.createObjectURL = (blob) => { window.saved = blob; return '#saved'; }")
    click(browser, "[data-action=download-json]")
    saved = json.loads(browser.run("saved.text()"))
    female = load_open_body("female")
    assert saved["body"]["fingerprint"] == female.fingerprint
    assert saved["joint_names"] == list(SMPL_24.names)
    posed = SMPL(female)(
        betas=saved["betas"], pose=saved["pose"], translation=saved["translation"]
    )
    np.testing.assert_allclose(shown, posed.vertices, atol=5e-4)
    assert any(
        np.allclose(Rotation.from_rotvec(saved["pose"][3]).as_rotvec(), pose[3], atol=1e-3)
        for pose in POSES[:3]
    )
    click(browser, "[data-action=download-obj]")
    mesh = trimesh.load(io.StringIO(browser.run("saved.text()")), "obj", process=False)
    np.testing.assert_allclose(mesh.vertices[mesh.faces], shown[female.faces], atol=1e-5)
