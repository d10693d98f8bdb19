import numpy as np
import pytest

import smpl_tf
from smpl_tf import SMPL, MixedGenderSMPL
from tests import conformance
from tests.conformance import Case
from tests.small_body import small_body

MALE = small_body(60, seed=1, gender="male")
FEMALE = small_body(60, seed=2, gender="female")
FEMALE = type(FEMALE)(**{**vars(FEMALE), "faces": MALE.faces})


def inputs(seed=0, count=3):
    rng = np.random.default_rng(seed)
    shapes = {"betas": (10,), "pose": (24, 3), "translation": (3,)}
    return {
        name: rng.normal(size=(count, *shape)).astype(np.float32) for name, shape in shapes.items()
    }


GENDERED = {**inputs(), "gender": np.array([-1.0, 0.3, 1.0], np.float32)}

CASES = [
    Case("SMPL", lambda: SMPL(MALE), inputs()),
    Case("SMPL, joints alone", lambda: SMPL(MALE, vertex_ids=[]), inputs()),
    Case("MixedGenderSMPL", lambda: MixedGenderSMPL(MALE, FEMALE), GENDERED),
    Case("MixedGenderSMPL, blend", lambda: MixedGenderSMPL(MALE, FEMALE, blend=True), GENDERED),
]

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
# Picking differs from blending by one operation, so the costly checks of one are slow.
each_costly_case = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * (case is CASES[2])) for case in CASES],
    ids=lambda case: case.name,
)


@pytest.fixture(autouse=True, scope="module")
def in_use():
    """Layers that live as long as the tests: theirs share the graphs."""
    return [case.make() for case in CASES]


@each_costly_case
@pytest.mark.parametrize("jit_compile", [False, True], ids=["graph", "XLA"])
def test_tf_function(case, jit_compile):
    conformance.check_tf_function(case, jit_compile)


@every_case
def test_gradients(case):
    conformance.check_gradients(case)


@every_case
@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_mixed_precision(case, policy):
    conformance.check_mixed_precision(case, policy)


@every_case
def test_saving(case, tmp_path):
    conformance.check_saving(case, tmp_path)


@each_costly_case
def test_export(case, tmp_path):
    conformance.check_export(case, tmp_path)


def test_no_layer_is_missing():
    assert not conformance.uncovered_layers("smpl_tf", CASES)


def test_a_missing_layer_is_noticed():
    missing = conformance.uncovered_layers("smpl_tf", CASES[:2])
    assert missing == {"smpl_tf.mixed_gender.MixedGenderSMPL"}


def test_public_names():
    assert sorted(smpl_tf.__all__) == [
        "BodyModelOutput",
        "BodyNotFoundError",
        "MixedGenderSMPL",
        "ModelFileError",
        "SMPL",
        "SMPLModelData",
        "load_model_data",
        "measure",
        "named_points",
        "rotations",
        "save_model_data",
    ]
    assert all(hasattr(smpl_tf, name) for name in smpl_tf.__all__)
