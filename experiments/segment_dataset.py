"""Puts the parts that a segmenter finds in the place of a data set's own (NBF's Table 2).

    python experiments/segment_dataset.py --run=runs/nbf_segmentation_refinenet \
        --data=data/up3d --split=train --output=data/up3d_refinenet

Writes the pictures as the segmenter saw them, cut out as its run says, with its parts as labels
and all else that is known of the people. A fitting network whose --data is the new folder learns
from what that segmenter gets wrong. A killed run goes on at its first missing shard. A GPU needs
minutes for UP-3D and RefineNet; a thousand people of 128 x 128 pixels and the small segmenter take
about half a minute of CPU time.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages come before all others
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments import common
from experiments.flag_definer import FlagDefiner
from experiments.run_folder import RunFolder

_PEOPLE_PER_SHARD = 400  # some 150 MB of pictures of 512 x 512 pixels


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: where the flags are added.
    """
    f = FlagDefiner(values)
    f.string("run", None, "Folder of the segmentation, such as runs/nbf_segmentation_refinenet.")
    f.string("data", None, "Folder of shards; unset: the run's own.")
    f.string("split", "train", "Which split.")
    f.string("output", None, "Folder of the new shards.")


def main(values) -> None:
    """Segments a split.

    Args:
      values: the flags.
    """
    common.require(values, "run", "output")
    run = RunFolder.existing(values.run)
    common.load_tensorflow()
    # Only now: these modules load TensorFlow.
    from datasets import records
    from experiments import nbf_data, segmentation_runs

    segmenter, run_values = segmentation_runs.restore_segmenter(run)
    if values.data is not None:
        run_values.data = values.data
    source = records.check(run_values.data, values.split)
    manifest = records.Manifest(
        dataset=source.dataset,
        split=values.split,
        num_items=source.count,
        items_per_shard=_PEOPLE_PER_SHARD,
        bodies=source.bodies,
        config={
            "parts_by": run.path.name,
            "num_parts": segmenter.num_parts,
            "pictures": nbf_data.check_split(run_values, None, values.split),
            "crop": [run_values.crop_size, run_values.crop_by],
        },
        source=run_values.data,
    )

    def make_examples(start, stop):
        return segmented(segmenter, run_values, values.split, start, stop)

    # In this process: the network is not for sending to others.
    written = records.write_shards(make_examples, manifest, values.output, workers=0)
    print(f"{values.output}: {written.count} people of split '{values.split}'")


def segmented(segmenter, values, split, start, stop):
    """Segments a range of a split.

    Args:
      segmenter: the trained segmenter.
      values: the flags of its run, with the folder of the data.
      split: the split's name.
      start: the first person, in the stored order.
      stop: the one after the last.

    Yields:
      Examples with the segmenter's parts: of each of its classes, the first of the 24 labels that
      are merged to it.
    """
    import cv2
    import numpy as np
    import tensorflow as tf

    from datasets import pipelines
    from experiments import nbf_data, segmentation_runs

    first_label = np.array(
        [np.argmax(segmenter.scheme.from_24 == c) for c in range(segmenter.scheme.num_classes)],
        np.uint8,
    )
    convert = segmentation_runs.feed(values).convert
    predict = tf.function(segmenter, reduce_retracing=True)
    people = pipelines.load(values.data, split, transform=nbf_data.crop(values))
    # One by one, as pictures that are not cut out differ in size.
    people = people.skip(start).take(stop - start).map(lambda one: (one, convert(one)[0]))
    for example, picture in people.prefetch(values.batch_size):
        found = predict(picture[tf.newaxis])[0].numpy().argmax(-1)
        example = {key: value.numpy() for key, value in example.items()}
        image = example.pop("image")
        del example["parts"]
        parts = cv2.resize(first_label[found], image.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        yield example | {
            "image/encoded": cv2.imencode(".png", image[..., ::-1])[1].tobytes(),
            "parts/encoded": cv2.imencode(".png", parts)[1].tobytes(),
            "parts/valid": 1,
            # Things are not cut out with the picture.
            "objects/encoded": b"",
            "objects/valid": 0,
        }


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags))
