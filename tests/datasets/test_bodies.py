"""Posed bodies of fits."""

import numpy as np
import pytest

from datasets import bodies
from smpl_tf.camera import Camera
from tests.datasets import fakes


def test_bodies_posed_without_vertices_are_not_drawn():
    fits = bodies.Fits("neutral", np.zeros((1, 24, 3)), np.zeros((1, 10)), np.zeros((1, 3)))
    posed = bodies.pose_bodies(fits, fakes.OPEN_BODIES, vertices=False)
    with pytest.raises(ValueError, match="Expected posed vertices, got none"):
        posed.rasterize(0, Camera(np.eye(3), 8, 8))
