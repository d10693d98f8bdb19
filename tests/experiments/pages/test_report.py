import base64
import html.parser

import cv2
import numpy as np
import pytest

from experiments.pages import report
from experiments.pages.curves import Chart
from smpl_tf.files import NotOursError


class Checker(html.parser.HTMLParser):
    """Collects the addresses a page refers to, and checks that its elements are nested."""

    def __init__(self):
        super().__init__()
        self.open, self.addresses = [], []

    def handle_starttag(self, tag, attributes):
        self.addresses += [v for k, v in attributes if k in ("src", "href")]
        if tag not in ("meta", "img", "line", "circle", "polyline"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.fixture
def page():
    pixels = np.random.default_rng(0).integers(0, 255, (9, 7, 3), np.uint8)
    person = report.Person("id <1>", [report.picture("input", pixels)])
    return report.Page(
        title="A & B",
        lead="Lead.",
        warning="Beware.",
        headlines=[report.Headline("98 mm", "err_joints3D", "mean pose: 200 mm")],
        table=report.Table(["metric", "network"], [["PA-MPJPE", "61.2 mm"]]),
        charts=[Chart("loss", {"training": [3.0, 2.0]})],
        groups=[report.Group("Best quarter", [person])],
        failures=["a.png: does not decode"],
        details=[("--epochs", "10")],
    )


def test_the_page_holds_everything_in_itself(page, tmp_path):
    path = tmp_path / "report" / "index.html"
    report.write(page, path)
    text = path.read_text()
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    assert checker.addresses
    assert all(address.startswith("data:image/") for address in checker.addresses)
    assert "http" not in text and "@import" not in text and "url(" not in text
    expected = ["A &amp; B", "Beware.", "98 mm", "61.2 mm", "id &lt;1&gt;", "a.png", "--epochs"]
    assert all(word in text for word in expected)


def test_a_page_replaces_pages_alone(tmp_path):
    (tmp_path / "index.html").write_text("<!doctype html>my own")
    for path in (tmp_path / "index.html", tmp_path):
        with pytest.raises(NotOursError, match="is no page of this program, so it is not"):
            report.write(report.Page("A title", "A lead"), path)
    assert (tmp_path / "index.html").read_text() == "<!doctype html>my own"
    for title in ("first", "second"):
        report.write(report.Page(title, "A lead"), tmp_path / "own.html")
    assert "second" in (tmp_path / "own.html").read_text()


def test_a_page_of_a_title_alone_has_no_empty_sections(tmp_path):
    report.write(report.Page("Title", "Lead."), tmp_path / "index.html")
    assert "<h2>" not in (tmp_path / "index.html").read_text()


@pytest.mark.parametrize("lossless", [True, False])
def test_an_embedded_picture_is_the_picture(lossless):
    pixels = np.zeros((32, 48, 3), np.uint8)
    pixels[8:24, :, 0] = 200
    pixels[..., 1] = np.linspace(20, 120, 48).astype(np.uint8)
    kind, encoded = report.picture("", pixels, lossless).data_uri.split(";base64,")
    assert kind == ("data:image/png" if lossless else "data:image/jpeg")
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), cv2.IMREAD_COLOR)
    difference = decoded[..., ::-1].astype(float) - pixels
    assert np.abs(difference).mean() <= (0 if lossless else 6)


def test_a_table_in_plain_text_is_aligned():
    table = report.Table(["metric", "network"], [["PA-MPJPE", "61.2 mm"], ["PCKh", "9 %"]])
    assert str(table).split("\n") == [
        "metric    network",
        "-----------------",
        "PA-MPJPE  61.2 mm",
        "PCKh          9 %",
    ]


def test_a_transparent_picture_stays_transparent():
    pixels = np.zeros((4, 5, 4), np.uint8)
    pixels[1:3] = (250, 100, 10, 255)
    encoded = report.picture("", pixels).data_uri.split("data:image/png;base64,")[1]
    decoded = cv2.imdecode(np.frombuffer(base64.b64decode(encoded), np.uint8), -1)
    np.testing.assert_array_equal(decoded[..., [2, 1, 0, 3]], pixels)


def test_a_doubtful_person_is_marked_and_a_slider_has_both_pictures(tmp_path):
    over, under = np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 20, np.uint8)
    shown = report.see_through("both", over, under)
    assert abs(int(report.pixels(shown).mean()) - 200) < 3
    people = [report.Person("sure", [shown]), report.Person("unsure", [shown], doubt="why <not>")]
    group = report.Group("People", people, "explained once")
    report.write(report.Page("title", "lead", groups=[group]), tmp_path / "index.html")
    page = (tmp_path / "index.html").read_text()
    assert page.count("narrow doubtful") == 1
    assert "why &lt;not&gt;" in page
    assert page.count("explained once") == 1
    assert page.count('type="range" min') == 2
    assert page.count(shown.under) == 2
