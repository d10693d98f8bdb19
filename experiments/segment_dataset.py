r"""Replaces the parts of a data set by those that a segmenter finds (NBF's Table 2).

    python experiments/segment_dataset.py --run=runs/nbf_segmentation_refinenet \
        --data=data/up3d --split=train --output=data/up3d_refinenet

Writes the pictures as the segmenter's input, cropped as in its run, with its parts as labels and
all other labels of the people. A fitting network whose --data is the new folder learns to handle
the segmenter's errors. A killed run continues at its first missing shard. A GPU needs minutes for
UP-3D and RefineNet.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.flag_definer import FlagDefiner
from experiments.runs.run_folder import RunFolder

_PEOPLE_PER_SHARD = 400  # some 150 MB of pictures of 512 x 512 pixels


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    f = FlagDefiner(values)
    f.string("run", None, "Run folder of the segmenter, such as runs/nbf_segmentation_refinenet.")
    f.string("data", None, "Folder of the data set's shards (default: the run's).")
    f.string("split", "train", "Split to segment.")
    f.string("output", None, "Folder to write the new shards to.")


def main(values) -> None:
    """Segments a split.

    Args:
      values: the flags.
    """
    common.require(values, "run", "output")
    run = RunFolder.existing(values.run, "NBF")
    common.load_tensorflow()
    # Imported late: these modules load TensorFlow.
    from datasets import manifests, records
    from datasets.splits import open_split
    from experiments.nbf import networks, segmenters

    segmenter, run_values = segmenters.load_segmenter(run), networks.flags_of(run)
    if values.data is not None:
        run_values.data = values.data
    source = open_split(run_values.data, values.split)
    manifest = manifests.Manifest(
        dataset=source.manifest.dataset,
        split=values.split,
        num_items=source.count,
        items_per_shard=_PEOPLE_PER_SHARD,
        bodies=source.manifest.bodies,
        config={
            "parts_by": run.path.name,
            "weights": _hash(run.model_file),
            "num_parts": segmenter.num_parts,
            "pictures": source.fingerprint,
            "crop": [run_values.crop_size, run_values.crop_by],
            **{key: value for key, value in source.manifest.config.items() if key == "part_cut"},
        },
        source=run_values.data,
    )

    people = PeopleInOrder(segmenter, run_values, source)
    # In this process, since the network cannot be sent to others.
    written = records.write_shards(people.between, manifest, values.output, workers=0)
    print(f"{values.output}: {written.count} people of split '{values.split}'")


class PeopleInOrder:
    """The people of a split with a segmenter's parts, read sequentially.

    Args:
      segmenter: the trained segmenter.
      values: the flags of its run.
      split: the opened split.
    """

    def __init__(self, segmenter, values, split):
        """Stores the arguments."""
        self._people = lambda start: segmented(segmenter, values, split, start)
        self._next, self._rest = 0, None

    def between(self, start, stop):
        """Segments a range of the split; consecutive ranges are read only once.

        Args:
          start: index of the first person, in the stored order.
          stop: the one after the last.

        Yields:
          See `segmented`.
        """
        if self._rest is None or start != self._next:
            self._rest = self._people(start)
        self._next = stop
        yield from itertools.islice(self._rest, stop - start)


def segmented(segmenter, values, split, start):
    """Segments a split from one person on.

    Args:
      segmenter: the trained segmenter.
      values: the flags of its run.
      split: the opened split.
      start: index of the first person, in the stored order.

    Yields:
      Examples with the segmenter's parts: for each of its classes, the first of the 24 labels that
      are merged to it.
    """
    import cv2
    import numpy as np
    import tensorflow as tf

    from datasets import pipelines
    from experiments.nbf import data as nbf_data
    from experiments.nbf import segmenters
    from smpl_tf import pictures

    first_label = np.array(
        [np.argmax(segmenter.scheme.from_24 == c) for c in range(segmenter.scheme.num_classes)],
        np.uint8,
    )
    convert = segmenters.feed(values).convert

    predict = tf.function(segmenter, reduce_retracing=True)
    people = pipelines.load(split.directory, split, transform=nbf_data.crop(values)).skip(start)
    # Converted one by one, since uncropped pictures differ in size.
    people = people.map(lambda one: (one, convert(one)[0]), num_parallel_calls=2)
    people = people.prefetch(values.batch_size).as_numpy_iterator()
    while some := list(itertools.islice(people, values.batch_size)):
        labels = predict(np.stack([picture for _, picture in some])).numpy().argmax(-1)
        for (example, _), found in zip(some, labels, strict=True):
            image, mask = example.pop("image"), example.pop("mask")
            del example["parts"]
            size = image.shape[1::-1]
            parts = cv2.resize(first_label[found], size, interpolation=cv2.INTER_NEAREST)
            yield example | {
                "image/encoded": pictures.encode(image, ".png"),
                "parts/encoded": pictures.encode(parts, ".png"),
                "parts/valid": 1,
                "mask/encoded": pictures.encode(mask, ".png") if example["mask/valid"] else b"",
                # Masks of objects are not cropped with the picture.
                "objects/encoded": b"",
                "objects/valid": 0,
            }


def _hash(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags, resumes=True))
