"""Files beside data and networks, damaged or of other versions: one line that names the file."""

import json

import pytest
from absl import flags

from datasets import conversion, manifests, records, subsampling
from datasets.records import RecordError
from experiments.nbf import flags as nbf_flags
from experiments.runs import checkpoints
from experiments.runs.common import UserError
from experiments.runs.run_folder import RunFolder
from experiments.smplr import networks
from experiments.tables.results import Results
from nbf.prediction import audit_calibration
from smplr import StackedHourglass
from tests.datasets.tiny import tiny_manifest

CUT = '{"networks": [1, 2'
DEEP = "[" * 100_000 + "]" * 100_000


def one_line(error, path):
    message = str(error.value)
    assert "\n" not in message and str(path) in message and len(message) < 1500
    return message


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    return folder


def restored(run):
    values = flags.FlagValues()
    nbf_flags.define_run_flags(values)
    run.restore_flags(values)
    return values


@pytest.mark.parametrize("name", ["flagfile", "undefok", "help", "helpfull", "only_check_args"])
@pytest.mark.parametrize("form", ["--{}=/etc/passwd", "--{}"])
def test_the_flags_of_a_run_include_no_other_file(run, name, form):
    run.flags_file.write_text(f"--stage=fitting\n{form.format(name)}\n")
    for read in (restored, RunFolder.read_flags):
        with pytest.raises(UserError, match=f"has --{name}, which a run never writes") as error:
            read(run)
        one_line(error, run.flags_file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"--stage=fitting\n--of_a_later_version=1\n", "of_a_later_version.*another version"),
        (b"--stage=of_a_later_version\n", "stage.*another version"),
        (b"--seed=many\n", "seed.*another version"),
        (b"--flagfile /etc/passwd\n", "damaged, expected lines like"),
        (b"-flagfile=/etc/passwd\n", "damaged, expected lines like"),
        (b"--stage=fitting\n--\n--flagfile\n", "damaged, expected lines like"),
        (b"\xff\xfe-\x00-\x00", "damaged, expected lines like"),
        (b"--stage=fitting\n" + b"#" * (1 << 21), "damaged, expected lines like"),
    ],
)
def test_flags_of_another_version_are_refused_by_the_files_name(run, content, words):
    run.flags_file.write_bytes(content)
    with pytest.raises(UserError, match=words) as error:
        restored(run)
    one_line(error, run.flags_file)


def test_a_run_that_names_itself_is_refused(run):
    hourglass = StackedHourglass(image_size=64, num_stacks=1, width=8, bins=4, num_points=41)
    hourglass.save(run.model_file)
    run.flags_file.write_text(f"--stage=end_to_end\n--networks={run.path}\n")
    with pytest.raises(UserError, match="its --networks refer back to itself") as error:
        networks.load_model(run)
    one_line(error, run.flags_file)


@pytest.mark.parametrize("content", ["", CUT, "[1]", "null", "{}", '{"flags": 3}', DEEP, "\udcff"])
def test_a_damaged_record_is_named(run, content):
    run.record_file.write_text(content, errors="surrogateescape")
    with pytest.raises(UserError, match="damaged or of another version") as error:
        run.read_record()
    one_line(error, run.record_file)


STATE = {"seconds": 1.0, "history": {}, "people": 3, "data": {}, "body": "abc"}


@pytest.mark.parametrize("missing", STATE)
def test_the_state_of_a_training_has_all_that_is_asked_for(tmp_path, missing):
    (tmp_path / "epoch_0003.weights.h5").touch()
    path = tmp_path / "epoch_0003.json"
    needed = {**checkpoints.OF_TRAINING, "people": int, "data": dict, "body": str}
    path.write_text(json.dumps(STATE))
    assert checkpoints.latest(tmp_path, needed).state == STATE
    for content in (
        *({**STATE, missing: None}, {**STATE, missing: [1]}),
        {name: value for name, value in STATE.items() if name != missing},
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(UserError, match=missing) as error:
            checkpoints.latest(tmp_path, needed)
        assert "delete epoch_0003" in one_line(error, path)


@pytest.fixture
def calibrated(monkeypatch):
    monkeypatch.setattr(audit_calibration, "fingerprint", lambda *networks: "x")
    return {
        **{"networks": "x", "evidence": ["a"]},
        "calibration": dict.fromkeys(audit_calibration.Calibration._fields, 1.0),
        "tested": dict.fromkeys(("expected_mm", "error_mm", "agreement"), [1.0]),
        "test": dict.fromkeys(
            ("people", "mean_error_mm", "rank_correlation", "worst_tenth_expected_mm"), 1
        ),
    }


def test_a_damaged_audit_is_named(tmp_path, calibrated):
    path = tmp_path / "audit.json"
    path.write_text(json.dumps(calibrated))
    assert audit_calibration.read(path, ["a"]).test["people"] == 1
    broken = [CUT, "[]", "null", DEEP]
    for name in ("networks", "calibration", "tested", "test"):
        broken.append(json.dumps({k: v for k, v in calibrated.items() if k != name}))
        if name != "networks":
            broken.append(json.dumps({**calibrated, name: {"people": "x"}}))
    for content in broken:
        path.write_text(content)
        with pytest.raises(ValueError, match="damaged or of another version") as error:
            audit_calibration.read(path, ["a"])
        one_line(error, path)


LINE = {"shard": 0, "item": "a", "reason": "b", "lost": True}


def test_a_damaged_list_of_what_was_skipped_is_named(tmp_path):
    path = tmp_path / "train.skipped.jsonl"
    path.write_text(json.dumps(LINE) + "\n")
    assert conversion.SkipList(str(tmp_path), "train", 1, 0).lost == 1
    broken = [json.dumps({k: v for k, v in LINE.items() if k != name}) for name in LINE]
    for content in (
        *broken,
        '{"shard": 0',
        "[1]",
        "3",
        DEEP,
        json.dumps({**LINE, "item": []}),
        json.dumps({**LINE, "reason": 3}),
    ):
        path.write_text(content)
        with pytest.raises(conversion.ConversionError, match="damaged") as error:
            conversion.SkipList(str(tmp_path), "train", 1, 0)
        one_line(error, path)


@pytest.mark.parametrize(
    "file",
    ["../other/train-00000.tfrecord", "/etc/passwd", "a.tfrecord", "train-x.tfrecord", 3]
    + ["train-00000.tfrecord/", "..", "", "train-99999999999.tfrecord"],
)
@pytest.mark.parametrize("partial", [False, True])
def test_shards_of_foreign_names_are_refused(tmp_path, file, partial):
    shard = manifests.Shard("train-00000.tfrecord", 1, 1, "0" * 64, 1)
    content = json.loads(manifests.to_json(tiny_manifest(1, 1, shards=(shard,))))
    content["shards"][0]["file"] = file
    path = tmp_path / f"train.manifest{'.partial' if partial else ''}.json"
    path.write_text(json.dumps(content))
    with pytest.raises(RecordError, match="not a manifest") as error:
        if partial:
            records.SplitWriter(tiny_manifest(1, 1), str(tmp_path))
        else:
            records.check(str(tmp_path), "train")
    one_line(error, path)


def test_a_shard_that_has_grown_or_shrunk_is_refused(tmp_path):
    shard = manifests.Shard("train-00000.tfrecord", 1, 100, "0" * 64, 1)
    content = manifests.to_json(tiny_manifest(1, 1, shards=(shard,)))
    (tmp_path / "train.manifest.json").write_text(content)
    for size in (99, 101):
        (tmp_path / shard.file).write_bytes(bytes(size))
        with pytest.raises(RecordError, match=f"has {size} bytes, its manifest says 100"):
            records.check(str(tmp_path), "train")


@pytest.mark.parametrize(
    "content", [CUT, "[]", '{"clip": 3}', '{"clip": [-1]}', '{"clip": ["x"]}']
)
def test_a_damaged_selection_of_frames_is_refused(tmp_path, content):
    (tmp_path / "selection.json").write_text(content)
    with pytest.raises(ValueError, match="convert again") as error:
        subsampling.load(str(tmp_path / "selection.json"))
    one_line(error, tmp_path / "selection.json")


def test_a_damaged_table_is_named(tmp_path):
    class Table:
        key = "table_1"

    (tmp_path / "table_1.json").write_text(CUT)
    with pytest.raises(UserError, match="damaged") as error:
        Results(tmp_path, Table)
    one_line(error, tmp_path / "table_1.json")
