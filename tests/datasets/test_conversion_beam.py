"""The Beam pipeline writes what the process pool writes, byte for byte."""

import pytest

from datasets import conversion
from experiments import convert_dataset
from experiments.runs import common
from tests.datasets import conftest, fake_amass
from tests.datasets.fake_source import NumberedSource

pytest.importorskip("apache_beam", reason="needs the extra beam")
# Beam's own warnings about its dependencies are not ours to mend.
pytestmark = pytest.mark.filterwarnings("default")

SHARD_BYTES = 12_000


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def beam_convert(source, directory, **options):
    from datasets import conversion_beam

    return conversion_beam.convert(
        source, str(directory), runner="DirectRunner", shard_bytes=SHARD_BYTES, **options
    )


def test_the_shards_are_those_of_the_process_pool(tmp_path):
    source = NumberedSource(str(tmp_path))
    conversion.convert(
        source, str(tmp_path / "pool"), shard_bytes=SHARD_BYTES, workers=0, progress=False
    )
    beam_convert(source, tmp_path / "beam")
    assert contents(tmp_path / "beam") == contents(tmp_path / "pool")


def test_too_many_bad_items_are_an_error(tmp_path):
    with pytest.raises(conversion.ConversionError, match="8 of 23 items gave no Example, more"):
        beam_convert(NumberedSource(str(tmp_path)), tmp_path / "beam", max_skipped=3)


def test_the_script_converts_on_a_runner(tmp_path, capsys):
    source = fake_amass.write(tmp_path / "amass")
    written = []
    for name, options in (("beam", ["--runner=DirectRunner"]), ("pool", ["--workers=0"])):
        script = ["convert_dataset.py", "--dataset=amass", f"--source={source}", *options]
        script += [f"--output={tmp_path / name}", *conftest.OPEN_BODIES]
        status = common.run(convert_dataset.main, convert_dataset.define_flags, script)
        assert status == 0, capsys.readouterr().err
        written.append(contents(tmp_path / name))
    assert written[0] == written[1]
