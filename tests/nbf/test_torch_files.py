"""PyTorch's files of weights: what is read, and what is refused without being run."""

import numpy as np
import pytest

from nbf import torch_files
from tests import pickles
from tests.nbf import fake_torch_file

ARRAYS = fake_torch_file.random_arrays({"a.weight": (4, 3, 5, 5), "a.bias": (4,), "count": ()})


@pytest.fixture
def read(tmp_path):
    """Reads bytes as a file."""

    def read(content):
        path = tmp_path / "weights.pth"
        path.write_bytes(content)
        return torch_files.read(path)

    return read


def test_arrays_come_back_whatever_their_order_in_memory(read):
    found = read(fake_torch_file.content(ARRAYS))
    assert [*found] == [*ARRAYS]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


BIAS = ARRAYS["a.bias"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (pickles.call(pickles.name("os", "system"), pickles.text("true")), "os.system"),
        (fake_torch_file.tensor(BIAS, "1", strides=[2]), "_rebuild_tensor_v2"),
        (fake_torch_file.tensor(BIAS, "1", offset=1), "_rebuild_tensor_v2"),
        (fake_torch_file.tensor(BIAS, "1", strides=[-1]), "_rebuild_tensor_v2"),
        (
            fake_torch_file.tensor(BIAS, "1", kind=pickles.name("torch", "HalfStorage")),
            "torch.HalfStorage",
        ),
        (fake_torch_file.tensor(BIAS, "1", size=1 << 40), "the storage"),
        (fake_torch_file.tensor(BIAS, "1", size=9), "a storage of 4 numbers, expected 9"),
        (fake_torch_file.tensor(BIAS, "9"), "list of storages"),
        (pickles.number(3), "arrays by their names"),
    ],
)
def test_what_is_no_array_in_its_storage_is_refused(read, changed, words):
    with pytest.raises(ValueError, match=words):
        read(fake_torch_file.content(ARRAYS, a_bias=changed))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "truncated"),
        (b"PK\x03\x04", "a zip, as PyTorch writes since 1.6"),
        (pickles.pickled(pickles.number(5)), "no file of PyTorch's weights"),
        (fake_torch_file.content(ARRAYS)[:-1], "truncated; get a whole copy"),
    ],
)
def test_other_files_are_named(read, content, words):
    with pytest.raises(ValueError, match=f"weights.pth: .*{words}"):
        read(content)
