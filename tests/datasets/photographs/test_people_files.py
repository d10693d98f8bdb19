import json

import numpy as np
import pytest

from datasets.photographs import people_files
from smpl_tf.found_person import FoundPerson
from smpl_tf.skeleton import (
    BLAZEPOSE_33,
    COCO_17,
    HALPE_26,
    MHR_70,
    MPI_INF_28,
    OPENPOSE_25,
    SMPL_22,
    SMPL_24,
)

COCO = [[float(i), float(10 * i), 2.0] for i in range(1, 18)]
OPENPOSE = [[float(i), float(10 * i), 0.9] for i in range(1, 26)]


@pytest.fixture
def read(tmp_path):
    def read(content, name="people.json"):
        (tmp_path / name).write_text(json.dumps(content))
        return people_files.read(tmp_path / name)

    return read


def flat(points):
    return [number for point in points for number in point]


def place(person, joint):
    return person.joints_2d[SMPL_24.index(joint)].tolist()


def test_coco_annotations(read):
    person = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 30, 40], "keypoints": flat(COCO)}
    hidden = {**person, "keypoints": flat([[5, 6, 0]] * 17)}
    people = read(
        {
            "images": [{"id": 7, "file_name": "val/a.jpg"}, {"id": 8, "file_name": "b.jpg"}],
            "annotations": [
                *(person, hidden),
                {**person, "iscrowd": 1},
                {**person, "category_id": 2},
            ],
            "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        }
    )
    first, second = people.of_picture("a.jpg")
    knee = COCO_17.index("left_knee") + 1
    assert place(first, "left_knee") == [knee, 10 * knee]
    assert np.isnan(place(first, "spine1")).all()
    assert first.box.tolist() == [1, 2, 31, 42]
    assert np.isnan(second.joints_2d).all()
    assert people.unused() == ["b.jpg"]
    assert list(people.of_picture("b.jpg")) == []
    assert people.of_picture("c.jpg") is None


@pytest.mark.parametrize(
    ("image", "picture"),
    [(12, "000000000012.jpg"), (12, "COCO_val2014_000000000012.png"), ("x/a.png", "a.png")],
)
def test_coco_results(read, image, picture):
    result = {"image_id": image, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 0.9}
    people = read([result, {**result, "score": 0.1}, {**result, "category_id": 17}])
    (person,) = people.of_picture(picture)
    assert person.box.tolist() == [1, 2, 4, 6]
    assert people.unused() == []


@pytest.mark.parametrize("skeleton", [HALPE_26, MPI_INF_28, BLAZEPOSE_33, MHR_70, SMPL_22])
def test_the_number_of_keypoints_says_whose_they_are(read, skeleton):
    keypoints = flat([i, 10 * i, 2.0] for i in range(len(skeleton)))
    (person,) = read([{"image_id": "a.jpg", "keypoints": keypoints}]).of_picture("a.jpg")
    knee = skeleton.index("right_knee")
    assert person.skeleton is skeleton
    assert place(person, "right_knee") == [knee, 10 * knee]


def test_null_keypoints_are_unknown(read):
    for keypoints in (None, [None] * 51):
        (person,) = read([{"image_id": "a.jpg", "keypoints": keypoints}]).of_picture("a.jpg")
        assert np.isnan(person.joints_2d).all() and person.box is None


def test_a_number_stands_for_no_other_picture(read):
    people = read([{"image_id": 12, "bbox": [1, 2, 3, 4]}])
    for name in ("112.jpg", "12a.jpg", "a12.jpg"):
        assert people.of_picture(name) is None
    assert people.unused() == ["12"]


def test_a_folder_of_openpose(tmp_path):
    unsure = [[*point[:2], 0.01] for point in OPENPOSE]
    people = {
        "people": [{"pose_keypoints_2d": flat(OPENPOSE)}, {"pose_keypoints_2d": flat(unsure)}]
    }
    (tmp_path / "a_keypoints.json").write_text(json.dumps(people))
    (tmp_path / "clip_000000000003_keypoints.json").write_text(json.dumps(people))
    (tmp_path / "clip_000000000004_keypoints.json").write_text(json.dumps({"people": []}))
    read = people_files.read(tmp_path)
    first, second = read.of_picture("a.jpg")
    elbow = OPENPOSE_25.index("right_elbow") + 1
    assert place(first, "right_elbow") == [elbow, 10 * elbow]
    assert np.isnan(second.joints_2d).all()
    assert len(read.of_frame("clip.mp4", 3)) == 2
    assert list(read.of_frame("clip.mp4", 4)) == []
    assert read.of_frame("clip.mp4", 5) is None
    assert read.unused() == []


SAME_NAMES = {
    "images": [
        {"id": 1, "file_name": "s1/0001.png"},
        {"id": 2, "file_name": "s2\\0001.png"},
        {"id": 3, "file_name": "/data/s3/0001.png"},
    ],
    "annotations": [{"image_id": n, "category_id": 1, "bbox": [n, 0, 9, 9]} for n in (1, 2, 3)],
}
SAME_RESULTS = [
    {"image_id": f"s{n}/0001.png", "category_id": 1, "bbox": [n, 0, 9, 9]} for n in (1, 2, 3)
]


@pytest.mark.parametrize("content", [SAME_NAMES, SAME_RESULTS])
def test_pictures_of_the_same_name_in_two_folders_get_their_own_people(read, content):
    people = read(content)
    for number in (1, 2, 3):
        (person,) = people.of_picture(f"/home/me/s{number}/0001.png")
        assert person.box[0] == number
    assert people.unused() == []


def test_what_stays_ambiguous_is_refused_in_one_line(read):
    with pytest.raises(ValueError, match=r"pics/0001\.png: 3 pictures .* match: s1/0001\.png"):
        read(SAME_NAMES).of_picture("pics/0001.png")
    for name in ("0001.png", 1):  # one name, two pictures
        people = read([{"image_id": name, "bbox": [1, 2, 3, 4]}])
        assert len(people.of_picture("s1/0001.png")) == 1
        assert len(people.of_picture("s1/0001.png")) == 1
        with pytest.raises(ValueError, match=r"s2/0001\.png: .* the same as s1/0001\.png"):
            people.of_picture("s2/0001.png")


def test_videos_of_the_same_name_are_refused(read):
    people = {"people": [{"pose_keypoints_2d": flat(OPENPOSE)}]}
    given = read(people, "clip_000000000003_keypoints.json")
    assert len(given.of_frame("a/clip.mp4", 3)) == 1
    with pytest.raises(ValueError, match=r"b/clip\.mp4: .* the same as a/clip\.mp4"):
        given.of_frame("b/clip.mp4", 3)


ANYBODY = {"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "it lists no person"),
        ([{**ANYBODY, "category_id": 0}] * 3, r"3 of category 0 \(COCO's person is 1\)"),
        ([{**ANYBODY, "score": 0.2}] * 2, "2 with a score below 0.3"),
        ([{**ANYBODY, "score": float("nan")}], "1 with a score below 0.3"),
        (
            [{**ANYBODY, "score": 0.2}, {**ANYBODY, "category_id": 3}],
            r"1 with a score below 0\.3; 1 of category 3",
        ),
        ({"images": [{"id": 7, "file_name": "a.jpg"}], "annotations": []}, "lists no person"),
        (
            {
                "images": [{"id": 7, "file_name": "a.jpg"}],
                "annotations": [ANYBODY, {**ANYBODY, "category_id": 2, "iscrowd": 1}],
                "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "person"}],
            },
            "1 of category 'dog'; 1 that are crowds",
        ),
        ({"people": []}, "it lists no person"),
    ],
)
def test_a_file_of_which_nobody_is_used_is_refused_with_counts(read, content, reason):
    with pytest.raises(ValueError, match=rf"people\.json: contains no usable person: .*{reason}"):
        read(content)


@pytest.mark.parametrize("score", [0.301, 0.5, 0.899, None])
def test_whoever_scores_enough_is_used(read, score):
    assert len(read([{**ANYBODY, "score": score}]).of_picture("7.jpg")) == 1


def test_small_differences_of_form_are_read(tmp_path, read):
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [{**ANYBODY, "score": None}],
        "categories": [{"id": 1, "name": "Person "}],
    }
    assert len(read(content).of_picture("a.jpg")) == 1
    (tmp_path / "bom.json").write_text(json.dumps(content), encoding="utf-8-sig")
    assert len(people_files.read(tmp_path / "bom.json").of_picture("a.jpg")) == 1


def test_an_annotation_of_no_image_is_refused_by_its_number(read):
    content = {"images": [], "annotations": [{**ANYBODY, "image_id": 99}]}
    with pytest.raises(ValueError, match=r"people\.json: .* of image 99, which is not among"):
        read(content)


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([(1, "a.jpg"), (1, "b.jpg")], "image id 1 occurs twice"),
        ([(1, "a.jpg"), (2, "a.jpg")], "file_name 'a.jpg' occurs twice"),
        ([(1, None)], "expected a file_name, got None"),
    ],
)
def test_pictures_that_are_not_told_apart_are_refused(read, images, message):
    images = [{"id": number, "file_name": name} for number, name in images]
    with pytest.raises(ValueError, match=rf"people\.json: .*{message}"):
        read({"images": images, "annotations": [ANYBODY | {"image_id": 1}]})


def test_a_category_that_is_not_listed_is_nobody(read):
    content = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [{**ANYBODY, "category_id": "1"}],
        "categories": [{"id": 1, "name": "person"}],
    }
    with pytest.raises(ValueError, match="1 of category '1', which is not among its categories"):
        read(content)


@pytest.mark.parametrize("box", [[np.nan] * 4, [0, 0, np.inf, 1], [9, 9, -5, -5], [1e300] * 4])
def test_a_box_without_a_place_or_size_is_unknown(read, box):
    points = [[1e300, 5.0, 2.0], *COCO[1:]]
    people = read([{**ANYBODY, "bbox": box, "keypoints": flat(points)}])
    (person,) = people.of_picture("7.jpg")
    assert person.box is None and person.visibility[:2].tolist() == [0, 1]


def test_exact_zeros_are_missing_keypoints(read):
    points = [[0.0, 0.0, 2.0], *COCO[1:]]
    (person,) = read([{**ANYBODY, "keypoints": flat(points)}]).of_picture("7.jpg")
    assert np.isnan(person.points_2d[0]).all() and person.visibility[0] == 0
    assert np.isfinite(person.points_2d[1:]).all()


def test_a_person_in_a_picture_of_another_size():
    whole = FoundPerson(np.array([1.0, 2, 3, 4]), SMPL_24, np.ones((24, 2)), np.ones(24))
    person = whole.scaled(0.5)
    assert person.box.tolist() == [0.5, 1, 1.5, 2] and (person.joints_2d == 0.5).all()


@pytest.mark.parametrize(
    "content",
    [
        {"some": "thing"},
        [3],
        [{"image_id": 1, "bbox": [1, 2]}],
        {"people": [{"pose_keypoints_2d": [0.0] * 54}]},
        {"images": [], "annotations": [{"image_id": 3}]},
    ],
)
def test_other_files_are_refused_in_one_line(read, content):
    with pytest.raises(ValueError, match=r"people\.json: neither COCO") as error:
        read(content)
    assert "\n" not in str(error.value)


def test_what_is_not_there_is_named(tmp_path):
    with pytest.raises(ValueError, match="nowhere: no such file"):
        people_files.read(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"expected OpenPose's files"):
        people_files.read(tmp_path)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(ValueError, match=r"broken\.json: not JSON, or truncated"):
        people_files.read(tmp_path / "broken.json")
