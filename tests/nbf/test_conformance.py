"""The conformance table of NBF: both stages in one, and the segmenters of the paper."""

import numpy as np
import pytest

from nbf import DeepLab, FittingNetwork, NeuralBodyFitting, RefineNet, SmallSegmenter
from tests import conformance
from tests.conformance import Case

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype(np.float32)


def whole():
    segmenter = SmallSegmenter(input_size=32, width=8)
    fitting = FittingNetwork("small", input_size=16, input_channels=3, head="flatten")
    return NeuralBodyFitting(segmenter, fitting)


CASES = [
    Case("NeuralBodyFitting", whole, {"inputs": PICTURES}, geometry=False, tolerance=1e-3),
    *(
        Case(name, make, {"pictures": PICTURES}, geometry=False, tolerance=1e-3)
        for name, make in (
            ("RefineNet", lambda: RefineNet(input_size=32, backbone="small")),
            ("DeepLab", lambda: DeepLab(input_size=32, backbone="vgg16")),
        )
    ),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


def test_no_layer_is_missing():
    assert not conformance.uncovered_layers("nbf", CASES)


@pytest.mark.slow
@every_case
def test_every_layer_passes_the_table(case, tmp_path):
    for jit_compile in (False, True):
        conformance.check_tf_function(case, jit_compile)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        conformance.check_mixed_precision(case, policy)
    conformance.check_saving(case, tmp_path)
    conformance.check_export(case, tmp_path)
