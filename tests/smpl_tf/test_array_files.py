import zipfile

import numpy as np
import pytest

from smpl_tf import array_files
from tests.smpl_tf import fake_model_files as fakes


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_compressed_otherwise_than_numpy_does_are_refused(tmp_path, method):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as archive:
        for name in ("first", "second"):
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.arange(5.0))
    with pytest.raises(ValueError, match=rf"'first' is compressed by method {method}, expected 0"):
        array_files.read_npz(tmp_path / "a.npz")
    assert array_files.read_npz(tmp_path / "a.npz", wanted=["third"]) == {}


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_what_numpy_writes_is_read(tmp_path, write):
    write(tmp_path / "a.npz", first=np.arange(5.0))
    found = array_files.read_npz(tmp_path / "a.npz")
    np.testing.assert_array_equal(found["first"], np.arange(5.0))


def test_a_body_file_compressed_otherwise_is_one_line(tmp_path):
    from smpl_tf import ModelFileError, load_model_data

    fakes.write_npz(tmp_path / "a.npz", fakes.random_arrays(30))
    with zipfile.ZipFile(tmp_path / "a.npz") as old:
        with zipfile.ZipFile(tmp_path / "b.npz", "w", zipfile.ZIP_LZMA) as new:
            for name in old.namelist():
                new.writestr(name, old.read(name))
    with pytest.raises(ModelFileError, match="b.npz: .* is compressed by method 14") as caught:
        load_model_data(tmp_path / "b.npz")
    assert "\n" not in str(caught.value)
