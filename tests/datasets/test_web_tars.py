"""WebDataset tars: what is written is read back, also by the package itself; bad tars are told."""

import io
import tarfile

import numpy as np
import pytest

import datasets
from datasets import records, synthetic, web_tars
from datasets.example import EXAMPLE_FEATURES

pytest.importorskip("webdataset")


@pytest.fixture(scope="module")
def people():
    return list(
        synthetic.read_examples(synthetic.SyntheticConfig(seed=3, image_size=32), "a", 0, 3)
    )


def test_examples_come_back_through_a_tar_and_shards(people, tmp_path):
    assert web_tars.write(tmp_path / "a.tar", people) == 3
    bodies = {gender: None for gender in ("neutral", "female", "male")}
    datasets.write(tmp_path / "shards", "train", web_tars.read(tmp_path / "a.tar"), bodies=bodies)
    for person, again in zip(
        people, records.read_examples(str(tmp_path / "shards"), "train"), strict=True
    ):
        for key in EXAMPLE_FEATURES:
            expected = person[key].encode() if isinstance(person[key], str) else person[key]
            np.testing.assert_array_equal(again[key], expected, key)


def test_other_programs_find_picture_and_json(people, tmp_path):
    web_tars.write(tmp_path / "a.tar", people)
    with tarfile.open(tmp_path / "a.tar") as tar:
        names = tar.getnames()
    assert {"00000000.json", "00000002.parts.png"} <= {*names}
    assert any(name in names for name in ("00000000.png", "00000000.jpg"))


def tar_of(path, **members):
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("_", "."))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"a_txt": b"x"}, "expected json or a picture"),
        ({"a_json": b"["}, "not JSON, or truncated"),
        ({"a_json": b"[]"}, "expected an object in its json, got a list"),
        ({"a_json": b'{"smpl/betas": "tall"}'}, "smpl/betas: could not convert"),
    ],
)
def test_a_bad_sample_is_told_in_one_line(tmp_path, members, reason):
    path = tar_of(tmp_path / "a.tar", **members)
    with pytest.raises(web_tars.TarError, match=reason) as error:
        list(web_tars.read(path))
    assert "\n" not in str(error.value) and "sample 'a'" in str(error.value)


def test_links_sparse_files_and_other_files_are_refused(tmp_path):
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        info = tarfile.TarInfo("a.json")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(web_tars.TarError, match="is not an ordinary file"):
        list(web_tars.read(tmp_path / "link.tar"))
    (tmp_path / "no.tar").write_bytes(b"\x1f\x8b" + bytes(600))
    with pytest.raises(web_tars.TarError, match="not an uncompressed tar"):
        list(web_tars.read(tmp_path / "no.tar"))
    with pytest.raises(web_tars.TarError, match="no such file"):
        list(web_tars.read(tmp_path / "nowhere.tar"))
    huge = tarfile.TarInfo("a.png")
    huge.size = 1 << 40
    (tmp_path / "huge.tar").write_bytes(huge.tobuf())
    with pytest.raises(web_tars.TarError, match="declares 1.1e.12 bytes of a member"):
        list(web_tars.read(tmp_path / "huge.tar"))
