import pytest

from datasets import records
from tests.datasets.tiny import numbered_examples, tiny_manifest


@pytest.fixture
def tiny(tmp_path):
    """A folder with ten Examples in three shards."""
    records.write_shards(
        numbered_examples, tiny_manifest(), str(tmp_path), workers=0, progress=False
    )
    return tmp_path
