import pytest

from experiments.prediction import inputs


@pytest.fixture
def folder(tmp_path):
    for name in ("b.PNG", "a.jpeg", "c.mp4", "notes.txt", "x,y.jpg"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.PNG").write_bytes(b"")
    return tmp_path


def found(*named):
    return [(one.name, one.kind) for one in inputs.find([str(name) for name in named])[0]]


def test_a_folder_gives_its_pictures_and_videos(folder):
    names = [("a.jpeg", "picture"), ("b.PNG", "picture"), ("c.mp4", "video")]
    assert found(folder) == [*names, ("x,y.jpg", "picture")]


def test_patterns_files_cameras_and_lists(folder):
    assert found(f"{folder}/*.PNG,{folder}/a.jpeg", 0) == [
        *(("b.PNG", "picture"), ("a.jpeg", "picture"), ("camera_0", "camera")),
    ]
    assert found(folder / "x,y.jpg") == [("x,y.jpg", "picture")]
    # A file named outright is tried, whatever its ending.
    assert found(folder / "notes.txt") == [("notes.txt", "picture")]


def test_two_links_to_the_folder_itself_do_not_multiply_its_pictures(folder):
    for name in ("one", "two"):
        (folder / name).symlink_to(folder)
    (folder / ".hidden.PNG").write_bytes(b"")
    names = [("b.PNG", "picture"), (f"more_{'b.PNG'}", "picture")]
    assert found(f"{folder}/**/*.PNG") == names
    assert len(found(f"{folder}/**")) == 6  # of files; notes.txt is matched, too


def test_each_input_comes_once_and_has_a_name_of_its_own(folder):
    assert found(folder / "b.PNG", folder / "b.PNG", folder / "more") == [
        *(("b.PNG", "picture"), ("more_b.PNG", "picture")),
    ]


def test_what_leads_nowhere_is_one_line_each(folder):
    (folder / "empty").mkdir()
    _, failures = inputs.find([f"{folder}/nowhere", f"{folder}/empty", f"{folder}/*.gif"])
    assert [line.split(": ")[1].split(";")[0] for line in failures] == [
        "no such file or folder",
        "no pictures or videos here",
        "no such file or folder",
    ]
