import os
import shutil
import struct

import numpy as np
import pytest

from experiments.prediction import videos
from experiments.runs.common import UserError
from smpl_tf import pictures


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Ten frames, each brighter than the one before; an odd width."""
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    videos.write(path, (np.full((48, 65, 3), 20 * i, np.uint8) for i in range(10)), 12.5)
    return path


def test_a_video_is_read_as_it_was_written(film):
    video = videos.open_video(film)
    assert (video.frame_rate, video.width, video.height) == (12.5, 64, 48)
    frames = list(video.frames())
    assert [frame.shape for frame in frames] == [(48, 64, 3)] * 10
    np.testing.assert_allclose([f.mean() for f in frames], np.arange(10) * 20, atol=6)


def test_colours_keep_their_order(tmp_path):
    red = np.zeros((32, 32, 3), np.uint8)
    red[..., 0] = 250
    videos.write(tmp_path / "red.mp4", [red, red], 25)
    (frame, _) = videos.open_video(tmp_path / "red.mp4").frames()
    assert frame[..., 0].mean() > 200 and frame[..., 1:].mean() < 40


def test_every_third_frame_and_no_more_than_asked(film):
    video = videos.open_video(film)
    for step, most, expected in ((3, None, [0, 3, 6, 9]), (2, 3, [0, 2, 4]), (1, 1, [0])):
        brightness = [frame.mean() / 20 for frame in video.frames(step, most)]
        np.testing.assert_allclose(brightness, expected, atol=0.3)


def with_durations(path, durations):
    """Gives the frames of an MP4 file that OpenCV wrote other times, in MP4's table of them."""
    content = path.read_bytes()
    place = content.index(b"stts") - 4
    (size,) = struct.unpack_from(">I", content, place)
    (delta,) = struct.unpack_from(">I", content, place + 20)
    table = b"".join(struct.pack(">II", 1, count * delta) for count in durations)
    table = struct.pack(">I4sII", 16 + len(table), b"stts", 0, len(durations)) + table
    longer = bytearray(content[:place] + table + content[place + size :])
    for box in (b"moov", b"trak", b"mdia", b"minf", b"stbl"):
        at = longer.index(box) - 4
        (old,) = struct.unpack_from(">I", longer, at)
        struct.pack_into(">I", longer, at, old + len(table) - size)
    path.write_bytes(bytes(longer).replace(b"edts", b"free"))  # the list that cuts it short


def test_frames_that_are_not_evenly_apart_have_their_own_times(tmp_path, film):
    path = tmp_path / "a.mp4"
    path.write_bytes(film.read_bytes())
    even = videos.open_video(path)
    np.testing.assert_array_equal(even.times(), np.arange(10) / 12.5)
    np.testing.assert_array_equal(even.times(3), np.arange(0, 10, 3) / 12.5)
    with_durations(path, [1, 1, 1, 1, 10, 1, 1, 30, 1, 1])
    uneven = videos.open_video(path)
    expected = np.array([0, 1, 2, 3, 4, 14, 15, 16, 46, 47]) / 12.5
    for step, most in ((1, None), (3, None), (2, 3)):
        times = uneven.times(step, most)
        np.testing.assert_allclose(times, expected[::step][:most], atol=1e-3)
        assert len(times) == len(list(uneven.frames(step, most)))


@pytest.mark.parametrize("content", [b"", b"this is a text\n" * 100])
def test_what_is_no_video_is_named(tmp_path, content):
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.mp4: ") as error:
        videos.open_video(tmp_path / "a.mp4")
    assert "\n" not in str(error.value)


def test_a_playlist_is_not_followed(tmp_path, film):
    for content in (
        f"ffconcat version 1.0\nfile {film.name}\n",
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:1,\n{film}\n#EXT-X-ENDLIST\n",
    ):
        (tmp_path / "a.mp4").write_text(content)
        with pytest.raises(UserError, match=r"a\.mp4: not a video"):
            videos.open_video(tmp_path / "a.mp4")


@pytest.mark.parametrize("name", [b"\xe4\xff.mp4", "ä.mp4".encode(), b"%03d.mp4", b"a b;c*.mp4"])
def test_a_video_of_any_name(tmp_path, film, name):
    folder = tmp_path / os.fsdecode(b"\xe4")
    path = folder / os.fsdecode(name)
    videos.write(path, videos.open_video(film).frames(), 12.5)
    assert os.listdir(os.fsencode(folder)) == [name]
    assert len(list(videos.open_video(path).frames())) == 10


def test_a_name_that_is_a_pattern_of_pictures_leads_to_no_other_file(tmp_path, film):
    for number in range(3):
        pixels = np.full((48, 64, 3), 200, np.uint8)
        (tmp_path / f"x{number:03d}.png").write_bytes(pictures.encode(pixels, ".png"))
    shutil.copy(film, tmp_path / "x%03d.png")
    assert len(list(videos.open_video(tmp_path / "x%03d.png").frames())) == 10


def test_a_video_that_is_not_whole_gets_no_name(tmp_path, monkeypatch):
    """As of a full disk, of which OpenCV does not tell."""
    open_writer = videos._writer

    class Cutting:
        def __init__(self, *arguments):
            self.path, self.writer = arguments[0], open_writer(*arguments)
            self.write = self.writer.write

        def release(self):
            self.writer.release()
            os.truncate(self.path, self.path.stat().st_size // 2)

    monkeypatch.setattr(videos, "_writer", Cutting)
    frames = np.random.default_rng(0).integers(0, 255, (30, 64, 64, 3), np.uint8)
    with pytest.raises(OSError, match="a.mp4"):
        videos.write(tmp_path / "a.mp4", frames, 25)
    assert not list(tmp_path.iterdir())


def test_a_camera_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="camera 97: cannot be opened"):
        videos.record(97, tmp_path / "a.mp4", 3)
    assert not list(tmp_path.iterdir())
