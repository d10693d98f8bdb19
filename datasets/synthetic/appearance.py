"""Appearance of people: skin, hair, clothes and shoes, painted on the rest-pose body and lit.

The colour of a pixel is a function of its point in the rest pose, so patterns move with the body,
need no texture map, and have no seams.
"""

import functools
from typing import NamedTuple

import cv2
import numpy as np

from smpl_tf import rasterizer
from smpl_tf.camera import Camera
from smpl_tf.model_data import SMPLModelData
from smpl_tf.parts import face_labels
from smpl_tf.skeleton import SMPL_24

# RGB 0..1 from light to dark skin, and usual hair; neighbours are mixed at random.
_SKIN = np.array(
    [
        (0.96, 0.83, 0.73),
        (0.87, 0.69, 0.55),
        (0.72, 0.52, 0.37),
        (0.48, 0.32, 0.22),
        (0.26, 0.17, 0.13),
    ]
)
_HAIR = np.array(
    [
        (0.05, 0.04, 0.04),
        (0.2, 0.12, 0.07),
        (0.42, 0.26, 0.14),
        (0.75, 0.6, 0.36),
        (0.65, 0.65, 0.65),
    ]
)


class Garment(NamedTuple):
    """A coloured, patterned fabric."""

    colours: np.ndarray  # [2, 3] RGB 0..1
    pattern: str
    direction: np.ndarray  # [3] unit, rest pose
    scale: float  # metres


class Outfit(NamedTuple):
    """Fabric and its ends: along a limb 0 = its root, 1 = wrist or ankle."""

    top: Garment
    legwear: Garment
    shoes: Garment | None
    skin: np.ndarray  # [3] RGB
    hair: np.ndarray | None  # [3] RGB; None = bald
    hairline: float  # metres below the top of the head to the end of the hair at the back
    sleeve: float
    trouser: float
    hem: float  # end of the top on the legs; below 0: above the crotch
    neckline: float  # metres below the neck joint


class Light(NamedTuple):
    """A distant lamp, and ambient light."""

    direction: np.ndarray  # [3] unit, towards the lamp, camera frame
    colour: np.ndarray  # [3]
    ambient: np.ndarray  # [3]


_PATTERNS = ("plain", "stripes", "checks", "dots", "fade", "blotches", "rings")


def draw_outfit(rng: np.random.Generator) -> Outfit:
    """Draws a random outfit."""
    dress = rng.random() < 0.12
    top, legwear = _draw_garment(rng), _draw_garment(rng)
    return Outfit(
        top=top,
        legwear=top if rng.random() < 0.08 else legwear,
        shoes=None if rng.random() < 0.12 else _draw_garment(rng, plain=True),
        skin=_between(rng, _SKIN),
        hair=None if rng.random() < 0.1 else _between(rng, _HAIR),
        hairline=rng.uniform(0.1, 0.34),
        sleeve=rng.choice([0.02, rng.uniform(0.25, 0.5), rng.uniform(0.85, 1.0)]),
        trouser=rng.choice([rng.uniform(0.12, 0.5), rng.uniform(0.85, 1.0)], p=[0.35, 0.65]),
        hem=rng.uniform(0.1, 0.6) if dress else rng.uniform(-0.16, 0.1),
        neckline=rng.uniform(-0.01, 0.1),
    )


def draw_light(rng: np.random.Generator) -> Light:
    """Draws random light; lamps are in front of the person or to the side, mostly above."""
    direction = np.array([rng.normal(0, 0.8), rng.normal(-0.6, 0.5), rng.normal(-0.8, 0.4)])
    warmth = rng.normal(0, 0.06)
    tint = np.array([1 + warmth, 1, 1 - warmth])
    ambient = rng.uniform(0.3, 0.65)
    return Light(
        direction=direction / np.linalg.norm(direction),
        colour=(rng.uniform(0.85, 1.2) - ambient) * tint,
        ambient=ambient / tint,
    )


def harder(light: Light, rng: np.random.Generator) -> Light:
    """Makes a lamp stronger and its shadows darker, as the sun or a flash does."""
    return light._replace(
        colour=light.colour * rng.uniform(1.3, 2.0), ambient=light.ambient * rng.uniform(0.3, 0.7)
    )


def paint(
    vertices: np.ndarray,
    body: SMPLModelData,
    camera: Camera,
    outfit: Outfit,
    light: Light,
    samples: int,
) -> np.ndarray:
    """Renders a dressed person.

    Args:
      vertices: [V, 3] metres, camera frame; of the body or of clothes that stand off it.
      body: of the vertices.
      camera: of a square picture.
      outfit: of the person.
      light: of the scene.
      samples: per pixel and axis.

    Returns:
      [size, size, 4] float32 RGBA, 0..1; alpha is the fraction of the pixel that the person
      covers, and the colours are multiplied by it.
    """
    surface, size = surface_of(body), int(camera.width)
    fine = camera.resize(size * samples, size * samples)
    raster = rasterizer.rasterize(vertices, surface.faces, fine)
    values = np.concatenate(
        [surface.template, rasterizer.vertex_normals(vertices, surface.faces)], axis=1
    )
    mask = raster.mask
    seen = rasterizer.interpolate(raster, surface.faces, values)[mask]
    colours = _dress(outfit, surface, seen[:, :3], surface.labels[raster.face_index[mask]])
    rgba = np.zeros((*mask.shape, 4), np.float32)
    rgba[mask, :3] = np.clip(_lit(colours, seen, light), 0, 1)
    rgba[mask, 3] = 1
    return cv2.resize(rgba, (size, size), interpolation=cv2.INTER_AREA)


class Surface(NamedTuple):
    """What of a body its clothes depend on."""

    template: np.ndarray  # [V, 3]
    faces: np.ndarray  # [F, 3]
    labels: np.ndarray  # [F] 1..24
    vertex_labels: np.ndarray  # [V] 1..24, of one of the vertex' faces
    joints: np.ndarray  # [24, 3]
    crown: float  # y of the top of the head


@functools.lru_cache
def surface_of(body: SMPLModelData) -> Surface:
    """Returns the surface of a body."""
    labels = face_labels(body)
    of_vertices = np.ones(len(body.v_template), labels.dtype)
    of_vertices[body.faces] = labels[:, None]
    return Surface(
        body.v_template,
        body.faces,
        labels,
        of_vertices,
        body.J_regressor @ body.v_template,
        body.v_template[:, 1].max(),
    )


_ARMS = np.isin(
    np.arange(25) - 1,
    SMPL_24.indices(
        [f"{s}_{j}" for s in ("left", "right") for j in ("shoulder", "elbow", "wrist", "hand")]
    ),
)
_LEGS = np.isin(
    np.arange(25) - 1,
    SMPL_24.indices(
        [f"{s}_{j}" for s in ("left", "right") for j in ("hip", "knee", "ankle", "foot")]
    ),
)
_HEAD = np.isin(np.arange(25) - 1, SMPL_24.indices(["neck", "head"]))


class Worn(NamedTuple):
    """Where each garment is seen, [P] bool of points."""

    legwear: np.ndarray
    top: np.ndarray
    shoes: np.ndarray
    hair: np.ndarray


def worn(outfit: Outfit, surface: Surface, points: np.ndarray, labels: np.ndarray) -> Worn:
    """Says what rest-pose points [P, 3] that lie on the parts [P] wear."""
    x, y, z = points.T
    joint = {name: surface.joints[SMPL_24.index(name)] for name in SMPL_24.names}
    shoulder, wrist = joint["left_shoulder"][0], joint["left_wrist"][0]
    along_arm = (np.abs(x) - shoulder) / (wrist - shoulder)
    hip, ankle = joint["left_hip"][1], joint["left_ankle"][1]
    along_leg = (hip - y) / (hip - ankle)
    arms, legs, head = _ARMS[labels], _LEGS[labels], _HEAD[labels]

    below_neck = joint["neck"][1] - y
    topped = ~head & (along_leg < outfit.hem)
    topped &= ~arms | (along_arm < outfit.sleeve)
    topped &= (below_neck > outfit.neckline) | (np.abs(x) > 0.5 * shoulder)
    trousered = ~head & ~arms & ~topped & (along_leg > -0.25) & (along_leg < outfit.trouser)
    shod = legs & (y < ankle - 0.015)
    below_crown = surface.crown - y
    # Above the brow, and behind the ears down to the hairline.
    haired = head & (below_crown < np.where(z > joint["head"][2] + 0.02, 0.055, outfit.hairline))
    haired &= (z < joint["head"][2] + 0.02) | (below_crown < 0.055)
    return Worn(trousered, topped, shod, haired)


def _dress(outfit: Outfit, surface: Surface, points: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Colours of rest-pose points [P, 3] that lie on the parts [P]."""
    where = worn(outfit, surface, points, labels)
    colours = np.tile(outfit.skin, (len(points), 1))
    for garment, there in (
        (outfit.legwear, where.legwear),
        (outfit.top, where.top),
        (outfit.shoes, where.shoes),
    ):
        if garment is not None:
            colours[there] = _cloth(garment, points[there])
    if outfit.hair is not None:
        locks = waves(points[where.hair], 0.02)[:, None]
        colours[where.hair] = outfit.hair * (0.85 + 0.3 * locks)
    return colours


def _cloth(garment: Garment, points: np.ndarray) -> np.ndarray:
    first, second = garment.colours
    along = points @ garment.direction / garment.scale
    if garment.pattern == "plain":
        share = np.zeros(len(points))
    elif garment.pattern == "stripes":
        share = (along % 1 < 0.5).astype(float)
    elif garment.pattern == "rings":
        share = (points[:, 1] / garment.scale % 1 < 0.35).astype(float)
    elif garment.pattern == "checks":
        share = 0.5 * ((points[:, :2] / garment.scale % 1) < 0.5).sum(axis=1)
    elif garment.pattern == "dots":
        cell = points / garment.scale % 1 - 0.5
        share = ((cell * cell).sum(axis=1) < 0.11).astype(float)
    elif garment.pattern == "fade":
        share = np.clip(0.5 + points @ garment.direction, 0, 1)
    else:
        share = (waves(points, garment.scale) > 0.55).astype(float)
    return first + share[:, None] * (second - first)


def _lit(colours: np.ndarray, seen: np.ndarray, light: Light) -> np.ndarray:
    """Lambert shading, with folds as bumps of the rest pose."""
    points, normals = seen[:, :3], seen[:, 3:]
    normals = normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6)
    folds = 0.92 + 0.16 * waves(points, 0.09)
    diffuse = np.clip(normals @ light.direction, 0, None) * folds
    # Surfaces that face down get light from the darker ground.
    sky = 0.85 - 0.15 * normals[:, 1]
    return colours * (light.ambient * sky[:, None] + light.colour * diffuse[:, None])


def waves(points: np.ndarray, scale: float) -> np.ndarray:
    """A smooth random function of space with values 0..1 and features of about `scale`."""
    x, y, z = (points / scale).T
    value = np.sin(x + 1.3 * np.sin(0.7 * y)) + np.sin(1.1 * y + 1.7 * np.sin(0.6 * z + 0.4 * x))
    return 0.25 * (value + np.sin(0.9 * z + 1.5 * np.sin(0.8 * x)) * 0.9 + 2)


def _draw_garment(rng: np.random.Generator, plain: bool = False) -> Garment:
    direction = rng.normal(size=3)
    return Garment(
        colours=np.stack([draw_colour(rng), draw_colour(rng)]),
        pattern="plain" if plain or rng.random() < 0.45 else str(rng.choice(_PATTERNS[1:])),
        direction=direction / np.linalg.norm(direction),
        scale=np.exp(rng.uniform(np.log(0.03), np.log(0.16))),
    )


def draw_colour(rng: np.random.Generator, vividness: float = 1.0) -> np.ndarray:
    """Draws a random RGB colour 0..1 of fabrics and objects: grey, muted or vivid.

    Args:
      rng: random generator.
      vividness: factor of the saturation; lower for walls and landscapes than for clothes.

    Returns:
      [3].
    """
    value, kind, hue = rng.beta(1.6, 1.4), rng.random(), 6 * rng.random()
    low, high = (0, 0.1) if kind < 0.35 else (0.15, 0.5) if kind < 0.75 else (0.5, 1)
    saturation = vividness * rng.uniform(low, high)
    offsets = np.abs((hue + np.array([0, 4, 2])) % 6 - 3) - 1
    return value * (1 - saturation * (1 - np.clip(offsets, 0, 1)))


def _between(rng: np.random.Generator, palette: np.ndarray) -> np.ndarray:
    position = rng.uniform(0, len(palette) - 1)
    lower = int(position)
    mixed = palette[lower] + (position - lower) * (palette[lower + 1] - palette[lower])
    return np.clip(mixed * rng.uniform(0.92, 1.08, 3), 0, 1)
