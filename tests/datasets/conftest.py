from typing import Any, NamedTuple

import pytest

from datasets import manifests, records
from experiments import convert_dataset
from experiments.runs import common
from tests.datasets.tiny import numbered_examples, tiny_manifest

OPEN_BODIES = ("--neutral_body=open", "--female_body=open", "--male_body=open")


@pytest.fixture
def tiny(tmp_path):
    """A folder with ten Examples in three shards."""
    records.write_shards(
        numbered_examples, tiny_manifest(), str(tmp_path), workers=0, progress=False
    )
    return tmp_path


class Converted(NamedTuple):
    """A split that the script made and found right."""

    examples: list[dict[str, Any]]
    manifest: manifests.Manifest


@pytest.fixture
def convert_and_check(tmp_path, capsys):
    """Converts a split with the script, checks it with the script, and reads it back."""

    def run(*arguments):
        script = ["convert_dataset.py", *arguments, f"--output={tmp_path / 'out'}", "--workers=0"]
        status = common.run(convert_dataset.main, convert_dataset.define_flags, script)
        return status, *capsys.readouterr()

    def convert_and_check(dataset, source, split, *options, official=True):
        arguments = (f"--dataset={dataset}", f"--source={source}", f"--split={split}", *options)
        bodies = [option for option in options if "_body=" in option]
        if official:  # of which the authors give a number
            status, _, err = run(*arguments)
            assert (
                status == 1
                and "complete it, or convert the available part with allow_incom" in err
            )
        status, out, err = run(*arguments, "--allow_incomplete")
        assert status == 0, err
        manifest = records.check(str(tmp_path / "out"), split, checksums=True)
        assert f"{manifest.count} Examples of split '{split}' in 1 shards" in out
        assert (manifest.dataset, manifest.source) == (dataset, str(source))
        status, out, _ = run("--check", f"--split={split}", *bodies)
        assert status == 0 and "checksums correct" in out and "not checked" not in out, out
        assert (tmp_path / "out" / f"{split}.check.png").stat().st_size > 0
        examples = list(records.read_examples(str(tmp_path / "out"), split))
        return Converted(examples, manifest)

    return convert_and_check
