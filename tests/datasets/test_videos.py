"""Frames by their number, from anywhere in a video, and lenses undone."""

import cv2
import numpy as np
import pytest

from datasets import sources, videos
from tests.datasets import fakes


@pytest.fixture(scope="module", params=["clip.mp4", "clip.avi"])
def video(request, tmp_path_factory):
    """A video of noise that moves, and all its frames as decoded from the start."""
    path = tmp_path_factory.mktemp("videos") / request.param
    noise = np.random.default_rng(0).integers(0, 255, (48, 264), np.uint8)
    noise = cv2.GaussianBlur(noise, (5, 5), 0)
    pictures = [np.repeat(noise[:, t : t + 64, None], 3, 2) for t in range(200)]
    fakes.write_video(path, pictures, "mp4v" if path.suffix == ".mp4" else "XVID")
    capture = cv2.VideoCapture(str(path))
    return path, [capture.read()[1] for _ in range(200)]


@pytest.mark.parametrize(
    "frames", [[0, 1, 2], range(0, 200, 10), [57, 58, 90], [150, 199], [199], []]
)
def test_frames_are_those_of_a_reading_from_the_start(video, frames):
    path, all_frames = video
    for frame, picture in zip(frames, videos.read_frames(path, frames), strict=True):
        np.testing.assert_array_equal(picture, all_frames[frame])


def test_a_video_that_cannot_be_read_is_named(video, tmp_path):
    path, _ = video
    assert videos.num_frames(path) == 200
    with pytest.raises(sources.BadItemError, match=f"{path.name}: frame 200 does not decode"):
        list(videos.read_frames(path, [198, 199, 200]))
    with pytest.raises(sources.BadItemError, match="none.mp4: not found"):
        videos.num_frames(tmp_path / "none.mp4")
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    with pytest.raises(sources.BadItemError, match="bad.mp4: cannot be opened"):
        videos.num_frames(tmp_path / "bad.mp4")


def test_undistortion_moves_what_the_lens_shows_to_where_a_pinhole_sees_it():
    intrinsics = np.array([[300.0, 0, 161], [0, 310, 117], [0, 0, 1]])

    def distortion(x, y):
        scale = 1 - 0.3 * (x * x + y * y)
        return x * scale + 0.01, y * scale

    points = np.array([[0.3, 0.2], [-0.4, 0.1], [0.1, -0.3]])
    shown = np.stack(distortion(*points.T), -1) * [300, 310] + [161, 117]
    wanted = points * [300, 310] + [161, 117]
    joints = np.zeros((24, 2))
    joints[[20, 21, 7]] = shown
    joints[[8, 15]] = [[20, 20], [300, 220]]
    picture = fakes.picture_with_dots(240, 320, joints)
    maps = videos.undistortion(intrinsics, distortion, 320, 240)
    joints[[20, 21, 7]] = wanted
    joints[[8, 15]] = 1000  # not looked for
    assert fakes.dot_errors(videos.undistort(picture, maps), joints).max() < 0.3
