"""Fetching the finder's networks, without a network and with small files in their place."""

import hashlib
import io
import subprocess
import tarfile
import zipfile

import pytest

from datasets.photographs import models

CONTENTS = {"detector": b"detector", "lite": b"lite", "full": b"the full one", "heavy": b"heavy!"}


@pytest.fixture(autouse=True)
def small_files(monkeypatch, tmp_path):
    monkeypatch.setenv("NBF_CACHE", str(tmp_path / "cache"))

    def small(file, content):
        return file._replace(size=len(content), sha256=hashlib.sha256(content).hexdigest())

    monkeypatch.setattr(models, "DETECTOR", small(models.DETECTOR, CONTENTS["detector"]))
    landmarks = {name: small(file, CONTENTS[name]) for name, file in models.LANDMARKS.items()}
    monkeypatch.setattr(models, "LANDMARKS", landmarks)

    def no_download(*_, **__):
        raise AssertionError("a download")

    monkeypatch.setattr(models.subprocess, "run", no_download)


def wheel_at(path, contents=CONTENTS, without=()):
    with zipfile.ZipFile(path, "w") as archive:
        for file, name in ((models.DETECTOR, "detector"), (models.LANDMARKS["full"], "full")):
            if name not in without:
                archive.writestr(file.member, contents[name])
    return path


def tarball_at(path):
    with tarfile.open(path, "w:gz") as archive:
        for name in ("lite", "heavy"):
            entry = tarfile.TarInfo(models.LANDMARKS[name].member)
            entry.size = len(CONTENTS[name])
            archive.addfile(entry, io.BytesIO(CONTENTS[name]))
    return path


def test_a_wheel_gives_both_networks_and_nothing_else(tmp_path):
    paths = models.fetch_models(wheel=wheel_at(tmp_path / "m.whl"))
    assert paths == models.find_models()
    assert paths.detector.read_bytes() == CONTENTS["detector"]
    assert paths.landmarks.read_bytes() == CONTENTS["full"]
    assert sorted((tmp_path / "cache").iterdir()) == sorted(paths)


def test_what_is_there_is_not_fetched_again(tmp_path):
    wheel = wheel_at(tmp_path / "m.whl")
    models.fetch_models(wheel=wheel)
    wheel.unlink()
    models.fetch_models()  # no_download would fail


def test_a_damaged_file_is_fetched_again(tmp_path):
    wheel = wheel_at(tmp_path / "m.whl")
    path = models.fetch_models(wheel=wheel).landmarks
    path.write_bytes(path.read_bytes()[::-1])
    assert models.fetch_models(wheel=wheel).landmarks.read_bytes() == CONTENTS["full"]


@pytest.mark.parametrize("size", ["lite", "heavy"])
def test_other_sizes_come_from_the_tarball(size, tmp_path):
    wheel, tarball = wheel_at(tmp_path / "m.whl"), tarball_at(tmp_path / "p.tgz")
    paths = models.fetch_models(size, wheel=wheel, tarball=tarball)
    assert paths.landmarks.read_bytes() == CONTENTS[size]
    assert paths.landmarks.name == f"pose_landmark_{size}.tflite"


def test_missing_networks_are_named_with_the_command(tmp_path):
    with pytest.raises(models.ModelsMissingError) as error:
        models.find_models()
    assert "pose_detection.tflite" in str(error.value)
    assert str(error.value).endswith("python -m datasets.photographs.models")
    models.fetch_models(wheel=wheel_at(tmp_path / "m.whl"))
    with pytest.raises(models.ModelsMissingError, match="models --model heavy$"):
        models.find_models("heavy")


def test_another_content_is_refused_and_leaves_nothing(tmp_path):
    other = {**CONTENTS, "full": b"THE FULL ONE"}
    with pytest.raises(models.FetchError, match="SHA-256 differs"):
        models.fetch_models(wheel=wheel_at(tmp_path / "m.whl", other))
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["pose_detection.tflite"]


def test_a_member_that_grows_on_reading_is_not_read_whole(tmp_path):
    bomb = {**CONTENTS, "detector": bytes(10_000_000)}
    read = models._wheel_member(wheel_at(tmp_path / "m.whl", bomb), models.DETECTOR)
    assert len(read) == models.DETECTOR.size + 1


@pytest.mark.parametrize("damage", ["member missing", "no archive", "no file"])
def test_a_wrong_wheel_is_one_line(damage, tmp_path, capsys):
    wheel = tmp_path / "m.whl"
    if damage == "member missing":
        wheel_at(wheel, without=("detector",))
    elif damage == "no archive":
        wheel.write_bytes(b"text")
    assert models.main(["--wheel", str(wheel)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "expected a package with mediapipe/" in said


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NBF_CACHE", str(tmp_path / "file" / "cache"))
    assert models.main(["--wheel", str(wheel_at(tmp_path / "m.whl"))]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "set NBF_CACHE to another folder" in said


def test_without_network_pip_says_why_in_one_line(monkeypatch, capsys):
    stderr = (
        "WARNING: Retrying\nERROR: Could not find a version\nERROR: No matching distribution\n"
    )

    def run(command, **_):
        assert "--no-deps" in command and command[-1] == "mediapipe==0.10.21"
        return subprocess.CompletedProcess(command, 1, "", stderr)

    monkeypatch.setattr(models.subprocess, "run", run)
    assert models.main([]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert (
        "could not be downloaded (ERROR: Could not find a version)" in said and "--wheel" in said
    )


def test_without_npm_the_flag_is_named(monkeypatch, tmp_path):
    models.fetch_models(wheel=wheel_at(tmp_path / "m.whl"))

    def run(command, **_):
        raise FileNotFoundError(command[0])

    monkeypatch.setattr(models.subprocess, "run", run)
    with pytest.raises(models.FetchError, match="npm is not installed.*--tarball"):
        models.fetch_models("lite")


def test_a_download_is_unpacked_once_and_thrown_away(monkeypatch, tmp_path, capsys):
    folders = []

    def run(command, **_):
        folders.append(models.Path(command[command.index("--dest") + 1]))
        wheel_at(folders[-1] / "mediapipe.whl")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(models.subprocess, "run", run)
    assert models.main([]) == 0
    assert len(folders) == 1 and not folders[0].exists()
    assert capsys.readouterr().out.splitlines() == [str(path) for path in models.find_models()]


def test_the_cache_folder_follows_the_environment(monkeypatch, tmp_path):
    assert models.cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("NBF_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert models.cache_folder() == models.Path("/somewhere/neural_body_fitting")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert models.cache_folder() == models.Path("/home/me/.cache/neural_body_fitting")


def test_an_unknown_size_is_refused():
    with pytest.raises(
        ValueError, match="Unknown model 'huge'; expected one of lite, full, heavy"
    ):
        models.find_models("huge")
