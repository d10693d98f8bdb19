"""The page's slider and its full-size pictures in a headless Chromium."""

import numpy as np
import pytest

from experiments.pages import report
from tests.chromium import PROGRAM, Chromium

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: apt-get install chromium"),
]

OVER = "document.querySelector('.layers .over')"
SLIDER = "document.querySelector('.pictures input[type=range]')"
WIDTH, HEIGHT = 900, 600


@pytest.fixture
def browser(tmp_path):
    red, grey = (np.full((HEIGHT, WIDTH, 3), colour, np.uint8) for colour in ((255, 0, 0), 90))
    shown = [report.see_through("photograph and bodies", red, grey), report.picture("side", grey)]
    person = report.Person("one.jpg", shown, doubt="the finder is unsure of this person")
    report.write(
        report.Page("Bodies", "Lead.", groups=[report.Group("People", [person])]),
        tmp_path / "page.html",
    )
    browser = Chromium(tmp_path / "profile")
    browser.open(tmp_path / "page.html")
    yield browser
    browser.close()


def middle_of(browser, element):
    """Where an element is in the window, [x, y]."""
    browser.run(f"{element}.scrollIntoView({{block: 'center'}})")
    return browser.run(
        f"(({{left, top, width, height}}) => [left + width / 2, top + height / 2])"
        f"({element}.getBoundingClientRect())"
    )


def test_the_slider_moves_and_a_click_opens_the_full_size(browser):
    x, y = middle_of(browser, SLIDER)
    half = browser.run(f"{SLIDER}.getBoundingClientRect().width") / 2
    assert browser.run(f"getComputedStyle({OVER}).opacity") == "1"
    browser.drag([x + half - 8, y], [x, y])
    assert 0.4 < float(browser.run(f"getComputedStyle({OVER}).opacity")) < 0.6
    browser.drag([x, y], [x - half, y])
    assert float(browser.run(f"getComputedStyle({OVER}).opacity")) < 0.1

    side = "document.querySelector('.pictures img[alt=side]')"
    assert browser.run(f"{side}.getBoundingClientRect().width") < WIDTH
    x, y = middle_of(browser, side)
    browser.drag([x, y], [x, y])
    assert browser.run("document.querySelector('dialog.large').open")
    large = "document.querySelector('dialog.large img').getBoundingClientRect()"
    assert [browser.run(f"{large}.{side}") for side in ("width", "height")] == [WIDTH, HEIGHT]
    x, y = middle_of(browser, "document.querySelector('dialog.large img')")
    browser.drag([x, y], [x, y])
    browser.wait("!document.querySelector('dialog.large')", 10)
    assert browser.problems == []


def test_a_doubtful_person_looks_it(browser):
    colour = browser.run("getComputedStyle(document.querySelector('.person')).borderTopColor")
    assert colour == "rgb(179, 38, 30)"
    text = browser.run("document.querySelector('.doubt').textContent")
    assert text == "Do not trust this body: the finder is unsure of this person."
