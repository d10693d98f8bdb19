"""Backgrounds, occluders, and the effects of a camera."""

import cv2
import numpy as np

from datasets.synthetic.appearance import draw_colour

_MOST_HIDDEN = 0.4  # fraction of the person's pixels that an occluder may hide
_SCENE_VIVIDNESS = 0.6


def draw_background(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws a random background: a wall, a room, a landscape, or clutter.

    Args:
      rng: random generator.
      size: width and height, pixels.

    Returns:
      [size, size, 3] float32 RGB 0..1.
    """
    kind = rng.choice(["fade", "noise", "clutter", "room", "land"], p=[0.15, 0.2, 0.25, 0.2, 0.2])
    picture = _fade(rng, size)
    if kind == "noise":
        picture = 0.5 * picture + 0.5 * _noise(rng, size) @ _mixing(rng)
    elif kind == "clutter":
        for _ in range(rng.integers(4, 22)):
            _add_thing(rng, picture, rng.uniform(0.05, 0.5) * size)
    elif kind == "room":
        picture = _room(rng, size)
    elif kind == "land":
        picture = _land(rng, size)
    # Fine noise over everything, since no real surface has a single colour.
    picture += rng.uniform(0, 0.12) * (_noise(rng, size)[..., :1] - 0.5)
    return np.clip(picture, 0, 1)


def draw_occluder(rng: np.random.Generator, person: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Draws a random occluder that leaves most of the person visible.

    Args:
      rng: random generator.
      person: [size, size] bool, where the person is.

    Returns:
      [size, size, 3] float32 RGB 0..1, and [size, size] bool of the occluder.
    """
    size = len(person)
    rows, columns = np.nonzero(person)
    for _ in range(8):
        canvas = np.full((size, size, 3), -1, np.float32)
        index = rng.integers(len(rows))
        centre = columns[index] + 0.5, rows[index] + 0.5
        _add_thing(rng, canvas, rng.uniform(0.1, 0.4) * size, centre)
        where = canvas[..., 0] >= 0
        if (where & person).sum() <= _MOST_HIDDEN * person.sum():
            return canvas, where
    return canvas, np.zeros_like(person)


def draw_thing(rng: np.random.Generator, size: int) -> np.ndarray:
    """Draws a single random object.

    Args:
      rng: random generator.
      size: width and height of the picture, pixels.

    Returns:
      [size, size, 4] uint8 RGBA; the alpha is 0 or 255.
    """
    canvas = np.full((size, size, 3), -1, np.float32)
    _add_thing(rng, canvas, 0.4 * size, (size / 2, size / 2))
    alpha = np.where(canvas[..., :1] >= 0, 255, 0)
    colours = np.rint(255 * np.clip(canvas, 0, 1))
    return np.concatenate([colours, alpha], axis=-1).astype(np.uint8)


def photograph(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Adds effects of lens and sensor: blur, exposure, contrast, noise.

    Args:
      rng: random generator.
      picture: [size, size, 3] float32 RGB 0..1.

    Returns:
      [size, size, 3] uint8 RGB.
    """
    if rng.random() < 0.4:
        sigma = rng.uniform(0.3, 0.35 + len(picture) / 400)
        picture = cv2.GaussianBlur(picture, (0, 0), sigma)
    exposure, contrast = rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.15)
    picture = exposure * (0.5 + contrast * (picture - 0.5))
    noise = rng.standard_normal(picture.shape, np.float32) * rng.uniform(0, 0.035)
    return np.rint(255 * np.clip(picture + noise, 0, 1)).astype(np.uint8)


def motion_blur(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    """Blurs a picture along a line, as a camera that moves does, by 1 to 5 % of its width.

    Args:
      rng: the source of chance.
      picture: [size, size, 3] float32 RGB.

    Returns:
      The same, blurred; every brightness is kept.
    """
    length = max(2.0, rng.uniform(0.01, 0.05) * len(picture))
    angle = rng.uniform(0, np.pi)
    half = int(np.ceil(length / 2))
    steps = np.linspace(-length / 2, length / 2, 8 * half + 1)
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    rows = np.rint(half + steps * np.sin(angle)).astype(int)
    columns = np.rint(half + steps * np.cos(angle)).astype(int)
    np.add.at(kernel, (rows, columns), 1 / len(steps))
    return cv2.filter2D(picture, -1, kernel, borderType=cv2.BORDER_REPLICATE)


def _fade(rng, size):
    """A colour gradient in a random direction."""
    direction = rng.normal(size=2)
    direction /= np.abs(direction).sum()
    rows, columns = np.mgrid[:size, :size] / size - 0.5
    share = 0.5 + direction[0] * rows + direction[1] * columns
    first = draw_colour(rng, _SCENE_VIVIDNESS)
    second = 0.5 * first + 0.5 * draw_colour(rng, _SCENE_VIVIDNESS)
    return (first + share[..., None] * (second - first)).astype(np.float32)


def _noise(rng, size):
    """Random fields of three channels, 0..1, with structure from coarse to fine."""
    picture, weight = np.zeros((size, size, 3), np.float32), 0.0
    decay = rng.uniform(0.4, 0.9)
    cells = int(rng.integers(2, 6))
    amplitude = 1.0
    while cells < size:
        coarse = rng.random((cells, cells, 3), np.float32)
        picture += amplitude * cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
        weight += amplitude
        amplitude *= decay
        cells *= 2
    return np.clip(0.5 + 1.6 * (picture / weight - 0.5), 0, 1)


def _mixing(rng):
    """A random map of the noise's channels to colours, from grey to colourful."""
    grey, motley = np.full((3, 3), 1 / 3), rng.dirichlet(np.ones(3), 3).T
    share = rng.random()
    return ((1 - share) * grey + share * motley).astype(np.float32)


def _add_thing(rng, picture, extent, centre=None):
    """Paints a box, disc, polygon or bar with a plain or structured surface, in place."""
    size = len(picture)
    x, y = rng.uniform(0, size, 2) if centre is None else centre
    half = np.exp(rng.uniform(-0.7, 0.7))
    width, height = extent * half, extent / half
    mask = np.zeros((size, size), np.uint8)
    kind, angle = rng.choice(["box", "disc", "polygon", "bar"]), rng.uniform(0, 180)
    if kind == "disc":
        axes = (max(1, int(width / 2)), max(1, int(height / 2)))
        cv2.ellipse(mask, (int(x), int(y)), axes, angle, 0, 360, 1, -1)
    elif kind == "polygon":
        angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 8)))
        radius = extent * rng.uniform(0.3, 0.7, len(angles))
        corners = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], -1)
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    else:
        if kind == "bar":
            width, height = 2.5 * extent, extent / 5
        angle = angle if rng.random() < 0.4 else 0.0
        corners = cv2.boxPoints(((float(x), float(y)), (float(width), float(height)), angle))
        cv2.fillPoly(mask, [np.rint(corners).astype(np.int32)], 1)
    where = mask > 0
    colour = draw_colour(rng).astype(np.float32)
    surface = rng.random()
    if surface < 0.3:
        other, period = draw_colour(rng), max(2.0, extent * rng.uniform(0.06, 0.4))
        rows, columns = np.nonzero(where)
        turned = columns * np.cos(angle) + rows * np.sin(angle)
        picture[where] = np.where((turned / period % 1 < 0.5)[:, None], colour, other)
    elif surface < 0.6:
        grain = _noise(rng, size)[where].mean(axis=1, keepdims=True)
        picture[where] = np.clip(colour * (0.5 + grain), 0, 1)
    else:
        rows = np.nonzero(where)[0]
        shade = 1 - rng.uniform(-0.3, 0.5) * (rows - y) / max(extent, 1)
        picture[where] = np.clip(colour * shade[:, None], 0, 1)


def _room(rng, size):
    """A wall with objects, above a floor of boards or tiles."""
    horizon = int(rng.uniform(0.5, 0.85) * size)
    picture = _fade(rng, size)
    for _ in range(rng.integers(0, 5)):
        where = rng.uniform(0, size), rng.uniform(0, horizon)
        _add_thing(rng, picture, rng.uniform(0.1, 0.4) * size, where)
    floor, joint = draw_colour(rng, _SCENE_VIVIDNESS), draw_colour(rng, _SCENE_VIVIDNESS)
    rows, columns = np.mgrid[horizon:size, :size]
    depth = 1 / (rows - horizon + 0.08 * size)
    across = (columns - size / 2) * depth * rng.uniform(2, 6)
    along = size * depth * rng.uniform(1, 4) if rng.random() < 0.5 else np.zeros_like(depth)
    tile = (np.floor(across) + np.floor(along)) % 2
    share = (tile * rng.uniform(0, 1))[..., None]
    picture[horizon:] = floor + share * (0.5 * joint - 0.5 * floor)
    return picture


def _land(rng, size):
    """Sky, a line of trees or houses, and ground with structure."""
    horizon = int(rng.uniform(0.35, 0.7) * size)
    picture = _fade(rng, size)
    picture[:horizon] += 0.25 * (_noise(rng, size)[:horizon, :, :1] - 0.5)
    ground = draw_colour(rng, _SCENE_VIVIDNESS)
    grain = _noise(rng, size)[horizon:]
    picture[horizon:] = ground * (0.55 + 0.9 * grain.mean(-1, keepdims=True))
    for _ in range(rng.integers(0, 12)):
        where = rng.uniform(0, size), horizon - rng.uniform(-0.05, 0.15) * size
        _add_thing(rng, picture, rng.uniform(0.06, 0.35) * size, where)
    return np.clip(picture, 0, 1).astype(np.float32)
