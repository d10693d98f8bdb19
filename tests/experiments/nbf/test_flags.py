"""Every flag file of NBF can be read, and what it describes can be built."""

import functools
import re

import pytest
from absl import flags

from datasets.example import EXAMPLE_FEATURES
from experiments import evaluate_nbf
from experiments.nbf import data as nbf_data
from experiments.nbf import networks, point_flags, segmenters, stages
from experiments.nbf.flags import define_run_flags
from experiments.runs.common import REPOSITORY
from nbf import losses
from smpl_tf import load_model_data

ALL_FILES = sorted((REPOSITORY / "experiments/flags").glob("nbf_*.cfg"))
POINT_FILES = [file for file in ALL_FILES if file.stem.startswith("nbf_photographs")]
FLAG_FILES = [file for file in ALL_FILES if file not in POINT_FILES]
# At a size that takes no time; all else is as the file says.
TOY = {"backbone": "small", "backbone_weights": None, "input_size": 16}
TOY |= {"segmenter": "small", "segmenter_width": 8}


def read(file, define):
    values = flags.FlagValues()
    define(values)
    values(["", f"--flagfile={file}"])
    return values


def is_evaluation(file):
    return "\n--run=" in file.read_text()


@pytest.fixture(autouse=True)
def in_the_repository(monkeypatch):
    """Flag files name the ones that they include from there."""
    monkeypatch.chdir(REPOSITORY)


SHIPPED_SEGMENTER = REPOSITORY / "experiments/pretrained/nbf_segmentation_small"


@functools.cache
def built(**toy_flags):
    """A network of the flags that shape one; few of them differ from file to file."""
    values = flags.FlagValues()
    define_run_flags(values)
    values([""])
    for name, value in toy_flags.items():
        values[name].value = value
    return stages.stage_of(values).build(values, load_model_data())


def test_no_two_evaluations_write_the_same_record():
    """Tables 5 and 6 try the same network; each has its own folder, and not that of the run."""
    found = [read(file, evaluate_nbf.define_flags) for file in FLAG_FILES if is_evaluation(file)]
    outputs = [values.output for values in found]
    assert len(outputs) > 1 and None not in outputs and len({*outputs}) == len(outputs)
    assert not {*outputs} & {values.run for values in found}


@pytest.mark.parametrize("given, taken", [("none", None), ("", None), ("imagenet", "imagenet")])
@pytest.mark.parametrize("stem", ["nbf_up3d", "nbf_segmentation_refinenet"])
def test_the_backbone_weights_of_a_flag_file_can_be_taken_back(stem, given, taken, monkeypatch):
    asked = {}

    class Asked(Exception):
        pass

    def ask(**arguments):
        asked.update(arguments)
        raise Asked

    monkeypatch.setattr(networks, "FittingNetwork", ask)
    monkeypatch.setattr(segmenters, "RefineNet", ask)
    values = flags.FlagValues()
    define_run_flags(values)
    file = REPOSITORY / "experiments/flags" / f"{stem}.cfg"
    values(["", f"--flagfile={file}"])
    assert values.backbone_weights == "imagenet"
    values(["", f"--flagfile={file}", f"--backbone_weights={given}"])
    with pytest.raises(Asked):
        stages.stage_of(values).build(values, load_model_data())
    assert asked["backbone_weights"] == taken


@pytest.mark.parametrize("file", POINT_FILES, ids=lambda file: file.stem)
def test_a_flag_file_of_points_is_read_and_starts_from_one_that_is_there(file):
    values = read(file, point_flags.define_run_flags)
    assert values.run_name == file.stem
    start = values.initial_run and values.initial_run.removeprefix("runs/")
    assert start is None or start in [other.stem for other in POINT_FILES]


@pytest.mark.parametrize("file", FLAG_FILES, ids=lambda file: file.stem)
def test_a_flag_file_is_read_and_its_network_built(file):
    if is_evaluation(file):
        values = read(file, evaluate_nbf.define_flags)
        assert values.run.startswith("runs/nbf_")
        return
    values = read(file, define_run_flags)
    assert values.run_name == file.stem
    assert values.data.startswith("data/")
    if values.stage == "fitting":
        networks.loss(values)
    if values.segmentation_run:  # a run of the user's; the shipped one stands in for it
        values.segmentation_run = str(SHIPPED_SEGMENTER)
    assert set(stages.stage_of(values).feed(values).features) <= EXAMPLE_FEATURES.keys()
    nbf_data.augmentation(values)
    shaping = ("stage", "input_map", "head", "loss_points", "special_rotations", "num_parts")
    network = built(**{name: values[name].value for name in shaping}, **TOY)
    assert network.count_params() > 0


@pytest.mark.parametrize("file", FLAG_FILES, ids=lambda file: file.stem)
def test_a_flag_file_says_what_to_expect_and_how_long_it_takes(file):
    comment = " ".join(re.findall("^# (.*)$", file.read_text(), re.MULTILINE))
    assert re.search(r"\b(paper|Paper)\b", comment)
    assert re.search(r"\b(minutes|hours|Minutes|hour)\b", comment), comment
    assert re.search(
        r"\d (mm|rad|%)|err_joints3D|IoU|PA-MPJPE|no benefit|no better|poor", comment
    ), comment


def test_the_penalties_of_the_flags_are_those_of_the_losses():
    """Flags are defined before TensorFlow is loaded, so they repeat the names."""
    values = flags.FlagValues()
    define_run_flags(values)
    assert values["parameters_loss"].parser.enum_values == list(losses.ELEMENTWISE)
    for name in ("joints_3d_loss", "joints_2d_loss"):
        both = losses.POINTWISE + losses.ELEMENTWISE
        assert values[name].parser.enum_values == list(both)


def test_no_file_sets_a_flag_twice():
    for file in FLAG_FILES:
        names = re.findall("^--(?:no)?([a-z_0-9]+)", file.read_text(), re.MULTILINE)
        assert len(names) == len(set(names)), file
