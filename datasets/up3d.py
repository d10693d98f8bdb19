"""UP-3D: photographs of LSP, LSPET, MPII and FashionPose with SMPL bodies fitted to them.

Layout, flat below `up-3d/`: `{train,val,test}.txt`, and per five-digit id `_image.png`,
`_body.pkl`, `_joints.npy`, `_fit_crop_info.txt`, `_dataset_info.txt`. With UP-S31 next to it
(`up-s31/`, or the folder `up_s31`) the label maps are those of UP-S31.

Corrections: the fits refer to a crop of the photograph, which the camera accounts for; unwrapped
  axis-angles are wrapped.
"""

import dataclasses
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from datasets import bodies as bodies_lib
from datasets import example as example_lib
from datasets import sources, up_s31
from datasets.bodies import Bodies, Fits
from datasets.sources import BadItemError, Inventory, SourceError
from smpl_tf import array_files, file_kinds, pictures
from smpl_tf.camera import Camera
from smpl_tf.model_data import unpickler
from smpl_tf.rotations import axis_angle_to_matrix

OFFICIAL_COUNTS = {"train": 5703, "val": 1423, "test": 1389}  # lines of its lists
_LINE = re.compile(r"/?(\d{5})_image\.png")


def read_examples(
    root: str, split: str, bodies: Bodies, up_s31_root: str | None = None
) -> Iterator[dict[str, Any]]:
    """Yields the Examples of a split, see `UP3D`."""
    return sources.read_examples(UP3D(root, split, bodies, up_s31_root))


@dataclasses.dataclass(frozen=True)
class UP3D:
    """A split of UP-3D; an item is an id and gives one Example.

    Attributes:
      root: `up-3d`, or the folder that holds it.
      split: "train", "val" or "test".
      bodies: the neutral one is needed.
      up_s31_root: folder of UP-S31; None looks next to `up-3d`.
    """

    dataset: ClassVar[str] = "up3d"
    genders: ClassVar[tuple[str, ...]] = ("neutral",)

    root: str
    split: str
    bodies: Bodies
    up_s31_root: str | None = None

    def config(self) -> dict[str, Any]:
        """See `Source`."""
        parts = "rendered" if self._s31() is None else "UP-S31, else rendered"
        return {"parts": parts, "part_cut": bodies_lib.PART_CUT}

    def inventory(self) -> Inventory:
        """See `Source`."""
        return Inventory(len(self.items()), OFFICIAL_COUNTS[self.split], "ids")

    def items(self) -> list[str]:
        """See `Source`."""
        folder = _folder(self.root)
        ids = _ids(folder, self.split)
        for other in OFFICIAL_COUNTS.keys() - {self.split}:
            if (folder / f"{other}.txt").exists():
                shared = set(ids) & set(_ids(folder, other))
                if shared:
                    raise SourceError(
                        f"{folder}: {min(shared)} is listed in both {self.split}.txt and "
                        f"{other}.txt; download the lists again"
                    )
        return ids

    def read(self, item: str) -> Iterator[dict[str, Any]]:
        """See `Source`."""
        folder = _folder(self.root)
        encoded = file_kinds.read_bytes(folder / f"{item}_image.png")
        picture = pictures.decode(encoded)
        if picture is None:
            raise BadItemError(f"{item}_image.png does not decode")
        camera = _camera(folder, item, picture.shape, body := _body(folder, item))
        fits = Fits(
            gender="neutral",
            pose=body["pose"].reshape(1, 24, 3),
            betas=body["betas"].reshape(1, 10),
            translation=body["trans"].reshape(1, 3),
        )
        rotation = axis_angle_to_matrix(body["rt"]).numpy()
        data = self.bodies.data("neutral")
        fits = bodies_lib.to_frame(fits, data, rotation, body["t"])
        posed = bodies_lib.pose_bodies(fits, self.bodies, vertices=True)
        labels = posed.labels(posed.rasterize(0, camera))
        s31 = self._s31()
        if s31 is not None:
            position = _ids(folder, self.split).index(item)
            annotated = up_s31.labels(s31, self.split, item, position, picture)
            labels = labels if annotated is None else annotated
        if not labels.any():
            raise BadItemError("no person is visible")
        info = file_kinds.read_bytes(folder / f"{item}_dataset_info.txt").decode().split()
        yield (
            example_lib.blank()
            | {
                "id": f"up3d/{item}",
                "source": f"up3d/{' '.join(info)}",
                "image/encoded": encoded,
            }
            | bodies_lib.camera_fields(camera)
            | bodies_lib.label_fields(labels)
            | posed.fields(0, camera)
            | _annotated_joints(folder, item, info[0])
        )

    def _s31(self) -> Path | None:
        root = self.up_s31_root or _folder(self.root).parent / "up-s31"
        return up_s31.find(Path(root), self.split, required=self.up_s31_root is not None)


@functools.lru_cache
def _folder(root: str) -> Path:
    for folder in (Path(root), Path(root) / "up-3d"):
        if any((folder / f"{split}.txt").exists() for split in OFFICIAL_COUNTS):
            return folder
    raise SourceError(
        f"{root}: no train.txt, val.txt or test.txt here or in up-3d/; "
        "give the folder into which up-3d.zip was unpacked"
    )


@functools.lru_cache
def _ids(folder: Path, split: str) -> list[str]:
    sources.check_split("UP-3D", split, OFFICIAL_COUNTS)
    path = folder / f"{split}.txt"
    if not path.exists():
        raise SourceError(f"{path}: not found; unpack all of up-3d.zip")
    lines = file_kinds.read_bytes(path).decode().split()
    matches = [_LINE.fullmatch(line) for line in lines]
    if None in matches:
        line = lines[matches.index(None)]
        raise SourceError(f"{path}: expected lines like /00000_image.png, got {line!r}")
    return [match[1] for match in matches if match is not None]


def _body(folder: Path, item: str) -> dict[str, np.ndarray]:
    with file_kinds.open_file(folder / f"{item}_body.pkl") as file:
        body = unpickler.load(file)
    keys = ("pose", "betas", "t", "rt", "trans", "f")
    return {key: np.asarray(unpickler.to_plain(body[key]), np.float64) for key in keys}


def _camera(folder: Path, item: str, shape: tuple[int, ...], body: dict) -> Camera:
    """Returns the camera of the photograph: that of the fit's crop, scaled and shifted."""
    info = file_kinds.read_bytes(folder / f"{item}_fit_crop_info.txt").decode().split()
    height, width, top, bottom, left, right = (int(number) for number in info)
    scale = (height / (bottom - top) + width / (right - left)) / 2  # as in UP's own code
    focal = body["f"].item() / scale
    centre = width / 2 / scale + left, height / 2 / scale + top
    intrinsics = [[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]]
    return Camera(np.array(intrinsics), shape[1], shape[0])


def _annotated_joints(folder: Path, item: str, origin: str) -> dict[str, Any]:
    joints = array_files.read_npy(folder / f"{item}_joints.npy")
    if joints.shape != (3, 14):
        raise BadItemError(f"{item}_joints.npy has shape {joints.shape} instead of (3, 14)")
    # UP's authors omit FashionPose's annotations.
    valid = (joints[2] > 0) & np.isfinite(joints).all(0) & ("fashion" not in origin.lower())
    return {
        "lsp/2d": np.where(valid, joints[:2], 0).T,
        "lsp/2d/valid": valid.astype(np.int64),
    }
