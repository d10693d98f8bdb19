"""convert_dataset.py on raw trees: its options, and one line for each mistake a user can make.

That every data set goes through it, with exact counts, stands in the tests of the readers.
"""

import pytest

from datasets import records, subsampling
from experiments import convert_dataset
from tests.datasets import fake_amass, fake_surreal, fake_up3d

BODIES = ("--neutral_body=open", "--female_body=open", "--male_body=open")


@pytest.fixture(scope="module")
def amass(tmp_path_factory):
    return fake_amass.write(tmp_path_factory.mktemp("amass"))


@pytest.fixture(scope="module")
def surreal(tmp_path_factory):
    return fake_surreal.write(tmp_path_factory.mktemp("surreal"))


@pytest.fixture
def convert(call, tmp_path):
    """Converts into a folder of the test's own."""

    def convert(dataset, source, *options):
        flags = (f"--dataset={dataset}", f"--source={source}", f"--output={tmp_path / 'out'}")
        return call(convert_dataset, *flags, "--workers=0", *options)

    return convert


def stored_ids(tmp_path, split="train"):
    examples = records.read_examples(str(tmp_path / "out"), split)
    return sorted(one["id"].decode() for one in examples)


def test_amass_splits_share_nothing(amass, convert, call, tmp_path):
    found = []
    for split, count in (("train", 4), ("val", 1), ("test", 1)):
        assert convert("amass", amass, f"--split={split}", *BODIES).status == 0
        answer = call(
            *(convert_dataset, "--check", f"--output={tmp_path / 'out'}", "--workers=0"),
            *(f"--split={split}", *BODIES),
        )
        assert answer.status == 0 and f"{count} Examples of split '{split}'" in answer.out
        found += stored_ids(tmp_path, split)
    assert len(found) == len(set(found)) == 6


def test_every_nth_frame(amass, convert, tmp_path):
    assert convert("amass", amass, "--every=3", *BODIES).status == 0
    names = [f"amass/CMU/01/01_01_poses/{frame:06d}" for frame in (0, 3, 6)]
    assert stored_ids(tmp_path) == [*names, "amass/KIT/3/walk_poses/000000"]


def test_a_check_without_bodies_says_what_it_left_out(amass, convert, call, tmp_path):
    convert("amass", amass, *BODIES)
    answer = call(convert_dataset, "--check", f"--output={tmp_path / 'out'}", "--workers=0")
    assert answer.status == 0
    assert "not checked: 2D joints against posed bodies; give those converted with" in answer.out


def test_a_check_that_finds_something_fails(amass, convert, call, tmp_path):
    convert("amass", amass, *BODIES)
    for ending in ("manifest.json", "skipped.jsonl"):  # the same Examples as another split
        path = tmp_path / "out" / f"train.{ending}"
        text = path.read_text().replace('"split": "train"', '"split": "test"')
        path.with_name(f"test.{ending}").write_text(text)
    answer = call(
        convert_dataset, "--check", f"--output={tmp_path / 'out'}", "--workers=0", *BODIES
    )
    assert answer.status == 1
    assert "4 of 4 Examples: its id occurs twice; the first is amass/" in answer.out


def test_only_poses_that_differ(surreal, convert, tmp_path):
    options = ("--allow_incomplete", "--min_distance_mm=100", *BODIES)
    incomplete = convert("surreal", surreal, *options[1:])
    assert incomplete.status == 1 and "has 55001" in incomplete.err
    path = tmp_path / "out" / "train.every1.100mm.json"
    assert not path.exists()  # hours of work, for nothing
    assert convert("surreal", surreal, *options).status == 0
    selected = subsampling.load(str(path))
    expected = {
        f"surreal/train/{clip}/{frame:03d}"
        for clip, frames in selected.items()
        for frame in frames
        if clip in fake_surreal.GOOD and (clip, frame) != fake_surreal.EMPTY
    }
    assert set(stored_ids(tmp_path)) == expected
    assert convert("surreal", surreal, *options).status == 0  # nothing left to do
    refused = convert("surreal", surreal, "--allow_incomplete", *BODIES)
    assert refused.status == 1 and "describes data with another config" in refused.err


def test_a_selection_of_other_clips_is_made_anew(surreal, convert, tmp_path):
    path = tmp_path / "out" / "train.every1.100mm.json"
    path.parent.mkdir()
    subsampling.save(str(path), {"run0/01_01/01_01_c0001": [0]})
    convert("surreal", surreal, "--allow_incomplete", "--min_distance_mm=100", *BODIES)
    assert fake_surreal.GOOD.keys() <= subsampling.load(str(path)).keys()


def test_too_many_bad_items_stop_it_and_more_may_be_allowed(surreal, convert, tmp_path):
    options = ("--allow_incomplete", *BODIES)
    answer = convert("surreal", surreal, "--max_skipped=1", *options)
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert (
        "2 of 5 items gave no Example, which is more than max_skipped=1; the last: " in answer.err
    )
    assert convert("surreal", surreal, "--max_skipped=2", *options).status == 0


def test_output_of_another_configuration_is_left_alone(amass, convert, tmp_path):
    convert("amass", amass, *BODIES)
    before = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    answer = convert("amass", amass, "--every=2", *BODIES)
    assert answer.status == 1 and answer.err.count("\n") == 1
    assert "describes data with another config; choose another folder or delete" in answer.err
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


@pytest.mark.parametrize(
    ("dataset", "options", "status", "words"),
    [
        ("up3d", [], 2, "--source is missing"),
        ("up3d", ["--source=nowhere"], 1, "nowhere: no train.txt, val.txt or test.txt"),
        ("up3d", ["--source={up3d}", "--split=trian"], 1, "splits train, val, test; got 'trian'"),
        ("up3d", ["--source={up3d}"], 1, "found 3 ids of split 'train', the official up3d has"),
        ("up3d", ["--source={up3d}", "--allow_incomplete"], 1, "give --neutral_body"),
        (
            "up3d",
            ["--source={up3d}", "--allow_incomplete", "--neutral_body=model.pkl"],
            1,
            "model.pkl",
        ),
        ("up3d", ["--source={up3d}", "--every=2"], 2, "--every does not apply to --dataset=up3d"),
        (
            "up3d",
            ["--source={up3d}", "--allow_incomplete", "--neutral_body=open", "--up_s31=here"],
            1,
            "here: no train_31_500_pkg_dorder.txt",
        ),
        ("amass", ["--source={up3d}"], 1, "none of AMASS's data sets"),
        ("human36m", ["--source={up3d}"], 1, "metadata.xml: not found; it comes in code-v1.2"),
        ("humaneva", ["--source={up3d}"], 1, "no folder converted_15j; run VideoPose3D's"),
        ("pascal_voc", ["--source={up3d}"], 1, "VOCtrainval_11-May-2012.tar was unpacked"),
        ("surreal", ["--source={up3d}"], 1, "into which SURREAL_v1.tar.gz was unpacked"),
        ("three_dpw", ["--source={up3d}"], 1, "unpack sequenceFiles.zip and imageFiles.zip"),
        ("synthetic", ["--max_skipped=3"], 2, "--max_skipped does not apply to"),
    ],
)
def test_a_mistake_is_one_line(up3d, call, tmp_path, dataset, options, status, words):
    options = [option.format(up3d=up3d) for option in options]
    answer = call(
        convert_dataset, f"--dataset={dataset}", f"--output={tmp_path / 'out'}", *options
    )
    assert answer.status == status, answer.err
    assert answer.err.count("\n") == 1 and words in answer.err
    assert "Error" not in answer.err
    assert not list(tmp_path.glob("out/*.tfrecord*"))


@pytest.fixture(scope="module")
def up3d(tmp_path_factory):
    return fake_up3d.write(tmp_path_factory.mktemp("up"))
