"""Small trees of annotated photographs as their authors distribute them, with their traps."""

import json

import numpy as np
import scipy.io
from PIL import Image

from smpl_tf.skeleton import COCO_17, LSP_14, MPII_16

SIZE = (80, 60)


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", SIZE, (90, 120, 60)).save(path)


def points(skeleton, person=0):
    """`[P, 2]` distinct places of a person who stands in the picture, from 1."""
    rng = np.random.default_rng(person)
    return np.stack([rng.uniform(10, 70, len(skeleton)), rng.uniform(5, 55, len(skeleton))], -1)


def lsp(folder, extended=False, swapped=False, count=3):
    """Pictures of one person each, whose left wrist is hidden (LSP) or not marked (LSPET).

    Args:
      folder: to write.
      extended: whether as LSPET.
      swapped: whether in the layout of the other set.
      count: of pictures; the last one has no file.
    """
    for i in range(1, count):
        picture(folder / "images" / f"im{i:0{5 if extended else 4}}.jpg")
    joints = np.zeros((count, 14, 3))
    for i in range(count):
        joints[i, :, :2] = points(LSP_14, i)
    joints[..., 2] = float(extended)
    joints[:, LSP_14.index("left_wrist"), 2] = float(not extended)
    if extended:
        joints[:, LSP_14.index("left_wrist"), :2] = -30
    layout = (1, 2, 0) if extended != swapped else (2, 1, 0)
    folder.mkdir(exist_ok=True)
    scipy.io.savemat(folder / "joints.mat", {"joints": joints.transpose(layout)})
    return folder


def coco(folder):
    """val2017: two people and a crowd; nobody; no file; damaged; no picture; a box alone."""

    def person(number, image, **changes):
        keypoints = np.column_stack([points(COCO_17, number), np.full(17, 2)])
        keypoints[3] = 0, 0, 0
        keypoints[4, 2] = 1
        box = [5 + 30 * number, 5, 30, 50]
        own = {"image_id": image, "category_id": 1, "iscrowd": 0, "bbox": box}
        return {**own, "keypoints": keypoints.ravel().tolist(), **changes}

    names = ("two.jpg", "empty.jpg", "missing.jpg", "damaged.jpg", "broken.jpg", "box.jpg")
    size = {"width": SIZE[0], "height": SIZE[1]}
    for name in names:
        if name != "missing.jpg":
            picture(folder / "val2017" / name)
    (folder / "val2017" / "broken.jpg").write_bytes(b"no picture")
    content = {
        "images": [
            {"id": i, "file_name": name, "license": 4 if i else 1, **size}
            for i, name in enumerate(names)
        ],
        "licenses": [{"id": 1, "name": "non-commercial"}, {"id": 4, "name": "attribution"}],
        "categories": [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}],
        "annotations": [
            person(0, 0, segmentation=[[8, 4, 72, 4, 72, 56, 8, 56]]),
            person(1, 0),
            person(2, 0, iscrowd=1, segmentation={"counts": [3, 4], "size": [60, 80]}),
            person(3, 0, category_id=2),
            *(person(0, 2), person(0, 3, keypoints=[1, 2, 3]), person(0, 4)),
            person(0, 5, keypoints=[0] * 51),
        ],
    }
    (folder / "annotations").mkdir()
    file = folder / "annotations" / "person_keypoints_val2017.json"
    file.write_text(json.dumps(content))
    file.with_name("person_keypoints_train2017.json").write_text("[]")
    return folder


def mpii_json(folder):
    """valid.json: two people in one picture, of whom one lacks the head."""
    picture(folder / "images" / "a.jpg")
    people = []
    for number in range(2):
        joints, visible = points(MPII_16, number), np.ones(16)
        if number:
            joints[MPII_16.index("head_top")], visible[MPII_16.index("head_top")] = -1, 0
        people.append(
            {"image": "a.jpg", "joints": joints.tolist(), "joints_vis": visible.tolist()}
        )
    (folder / "annot").mkdir()
    (folder / "annot" / "valid.json").write_text(json.dumps(people))
    return folder


def mpii_release(folder):
    """The release: visibility as number, text, empty and missing; no points; a test picture."""
    for name in ("a.jpg", "b.jpg", "test.jpg"):
        picture(folder / "images" / name)
    places = points(MPII_16)
    visible = [1, 0, "1", "0", np.zeros((0, 0))]
    first = [
        {"x": float(x), "y": float(y), "id": float(i), "is_visible": visible[i % 5]}
        for i, (x, y) in enumerate(places[:14])
    ]
    with_flags = {"annopoints": {"point": _structs(first)}, "scale": 1.2}
    bare = [{"x": 3.0, "y": 4.0, "id": 6.0}]
    without_flags = {"annopoints": {"point": _structs(bare)}, "scale": 1.0}
    head_alone = {"annopoints": np.zeros((0, 0)), "scale": 0.5}
    pictures = [
        {
            "image": {"name": "a.jpg"},
            "annorect": _structs([with_flags, without_flags, head_alone]),
        },
        {"image": {"name": "b.jpg"}, "annorect": _structs([{"x1": 1.0}])},
        {"image": {"name": "test.jpg"}, "annorect": np.zeros((0, 0))},
    ]
    release = {"annolist": _structs(pictures), "img_train": np.array([[1, 1, 0]], np.uint8)}
    scipy.io.savemat(folder / "mpii_human_pose_v1_u12_1.mat", {"RELEASE": release})
    return folder


def _structs(items):
    """A 1 x N array of structs, as MATLAB has it."""
    array = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for i, item in enumerate(items):
        array[0, i] = tuple(item.values())
    return array


def joint_file(folder, with_depth=True):
    """people.npz: two people in one picture, in metres too."""
    picture(folder / "a.png")
    joints = points(LSP_14)[None] * [[[0.5, 0.9]]] + np.array([[[0, 0]], [[40, 2]]])
    arrays = {"pictures": ["a.png", "a.png"], "joint_names": LSP_14.names, "joints_2d": joints}
    if with_depth:
        arrays["joints_3d"] = np.random.default_rng(5).normal(0, 0.4, (2, 14, 3))
    np.savez(folder / "people.npz", **arrays)
    return folder / "people.npz"
