"""The conformance table of SMPLR: one small whole holds every layer of the package."""

import numpy as np
import pytest

from smplr import SMPLR, DenoisingAutoencoder, StackedHourglass
from tests import conformance
from tests.conformance import Case

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3)).astype(np.float32)


def whole():
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=4)
    return SMPLR(autoencoder=DenoisingAutoencoder(), hourglass=hourglass)


WHOLE = Case("SMPLR", whole, {"inputs": PICTURES}, geometry=False, tolerance=1e-4)


def test_no_layer_is_missing():
    assert not conformance.uncovered_layers("smplr", [WHOLE])


@pytest.mark.slow
def test_the_whole_passes_the_table(tmp_path):
    for jit_compile in (False, True):
        conformance.check_tf_function(WHOLE, jit_compile)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        conformance.check_mixed_precision(WHOLE, policy)
    conformance.check_saving(WHOLE, tmp_path)
    conformance.check_export(WHOLE, tmp_path)
