r"""Converts a data set to TFRecord shards with a manifest, or checks a converted one.

    python experiments/convert_dataset.py --dataset=synthetic --output=data/people --split=train \
        --count=4000
    python experiments/convert_dataset.py --dataset=up3d --source=DIR --output=data/up3d \
        --split=train --neutral_body=basicModel_neutral_lbs_10_207_0_v1.0.0.pkl
    python experiments/convert_dataset.py --dataset=photos --source=my_photographs \
        --output=data/mine --held_out=0.2 --split=train
    python experiments/convert_dataset.py --check --output=data/up3d --split=train

Interrupted, the same command continues at its first missing shard. A synthetic person of 64 x 64
pixels takes 18 ms of one core. Bad items (unreadable files, no visible person) are listed with
their reason in <split>.skipped.jsonl; --check writes a contact sheet to <split>.check.png.
--output may be any folder that TensorFlow's tf.io.gfile can write to, such as gs://bucket/people.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":  # run by path: the repository's packages take precedence
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from experiments.runs import common
from experiments.runs.common import UsageError, UserError
from experiments.runs.flag_definer import FlagDefiner

# What --help lists first.
FIRST_FLAGS = (
    *("dataset", "source", "output", "split", "every"),
    *("count", "image_size", "workers", "check"),
)


def _surreal(values):
    import tensorflow as tf

    from datasets import conversion, surreal

    source = surreal.Surreal(values.source, values.split, _bodies(values), **_every(values))
    if values.min_distance_mm is None:
        return source
    conversion.check_complete(source, values.allow_incomplete)  # before hours of reading
    name = f"{values.split}.every{source.every}.{values.min_distance_mm:g}mm.json"
    path = os.path.join(values.output, name)
    tf.io.gfile.makedirs(values.output)
    distance = values.min_distance_mm / 1000
    surreal.select_frames(source, path, distance, workers=values.workers)
    return dataclasses.replace(source, selection=path)


def _up3d(values):
    from datasets.up3d import UP3D

    return UP3D(values.source, values.split, _bodies(values), values.up_s31)


def _human36m(values):
    from datasets.human36m import Human36M

    return Human36M(
        values.source, values.split, _bodies(values), values.smpl_parameters, **_every(values)
    )


def _humaneva(values):
    from datasets.humaneva import HumanEva

    return HumanEva(values.source, values.split, **_every(values))


def _pascal_voc(values):
    from datasets.pascal_voc import PascalVOC

    return PascalVOC(values.source, values.split)


def _amass(values):
    from datasets.amass import AMASS

    source = AMASS(values.source, values.split, _bodies(values), **_every(values))
    if os.path.isdir(values.source):
        for line in source.left_out():
            print(f"convert_dataset.py: left out: {line}", file=sys.stderr)
    return source


def _motion(values):
    from datasets.motion.source import Motion

    return Motion(
        values.dataset,
        values.source,
        values.split,
        _bodies(values),
        values.every,
        values.held_out,
    )


def _three_dpw(values):
    from datasets.three_dpw import ThreeDPW

    return ThreeDPW(values.source, values.split, _bodies(values), **_every(values))


def _photographs(values):
    from datasets.photographs.models import ModelsMissingError
    from datasets.photographs.source import Photographs

    try:
        source = Photographs(
            values.dataset,
            values.source,
            values.split,
            values.held_out,
            tuple(map(_license, values.licenses)),
            values.finder_model,
        )
        source.items()  # so that a mistake is reported here and not in every process
    except ModelsMissingError as error:
        raise UserError(str(error)) from None
    return source


def _license(text):
    if not text.strip().isdigit():
        raise UsageError(f"--licenses: expected numbers of the file's licences, got {text!r}")
    return int(text)


_MOTIONS = ("bvh", "acclaim", "aist")
_PHOTOGRAPHS = ("coco", "lsp", "lspet", "mpii", "photos")
# Data set -> function that makes its reader from the flags.
SOURCES = {
    "amass": _amass,
    "human36m": _human36m,
    "humaneva": _humaneva,
    "pascal_voc": _pascal_voc,
    "surreal": _surreal,
    "three_dpw": _three_dpw,
    "up3d": _up3d,
    **dict.fromkeys(_PHOTOGRAPHS, _photographs),
    **dict.fromkeys(_MOTIONS, _motion),
}
SYNTHETIC = "synthetic"
_VIDEOS = ("amass", "human36m", "humaneva", "surreal", "three_dpw", *_MOTIONS)
# Of synthetic people: share, default, what so many have.
_SHARES = {
    "occluder_share": (0.15, "something in front of them"),
    "loose_share": (0.0, "clothes and hair that stand off the body"),
    "hard_light_share": (0.0, "light as of the sun or a flash"),
    "near_share": (0.0, "a camera 1.8 to 6 m away, not 20 m"),
    "blur_share": (0.0, "motion blur"),
    "background_share": (1.0, "a photograph of --backgrounds behind them"),
}
# Flag -> the data sets that it applies to.
_FLAGS_OF = {
    "every": _VIDEOS,
    "smpl_parameters": ("human36m",),
    "up_s31": ("up3d",),
    "min_distance_mm": ("surreal",),
    "held_out": (*_PHOTOGRAPHS, *_MOTIONS),
    "licenses": ("coco",),
    "finder_model": ("photos",),
    **{name: (SYNTHETIC,) for name in ("body_model", "poses", "count", "image_size", "seed")},
    **{name: (SYNTHETIC,) for name in (*_SHARES, "backgrounds")},
    **{name: tuple(SOURCES) for name in ("source", "max_skipped", "allow_incomplete")},
}


def define_flags(values) -> None:
    """Adds the script's flags.

    Args:
      values: gets the flags.
    """
    flag = FlagDefiner(values)
    flag.enum("dataset", None, (SYNTHETIC, *SOURCES), "Data set to convert, or synthetic people.")
    flag.string("source", None, "Folder of the raw data set.")
    flag.string("output", None, "Folder of the shards; created if it does not exist.")
    flag.string("split", "train", "Name of the split: train, val or test.")
    flag.bool("check", False, "Check the split in --output and draw a contact sheet.")
    flag.integer("workers", None, "Number of processes (default: one per core).", 0)
    for gender in ("neutral", "female", "male"):
        text = f"Model file of the {gender} body of the SMPL parameters, or 'open'."
        flag.string(f"{gender}_body", None, text)
    flag.string("body_model", None, "Synthetic: one model file for all (default: open bodies).")
    text = "Synthetic: folder of converted motion (amass, bvh, ...) to take poses from."
    flag.string("poses", None, text)
    flag.string("backgrounds", None, "Synthetic: folder of photographs to put behind people.")
    for name, (default, text) in _SHARES.items():
        flag.number(name, default, f"Synthetic: share of the people with {text}.", 1.0)
    flag.integer("every", None, "Take every N-th frame (default: the data set's usual N).", 1)
    text = "SURREAL: take frames whose poses differ by at least this, mm (SMPLR: 100)."
    flag.number("min_distance_mm", None, text)
    flag.string(
        "smpl_parameters",
        None,
        "Human3.6M: file or folder of SMPL parameters (MoSh, NeuralAnnot, SPIN, MMHuman3D).",
    )
    flag.string("up_s31", None, "UP-3D: folder of UP-S31 (default: next to up-3d).")
    text = "Photographs, motion: share held out as split test (default: the authors' splits)."
    flag.number("held_out", None, text, 1.0)
    flag.strings("licenses", [], "COCO: convert only pictures of these licences, such as 4,7,8.")
    flag.enum("finder_model", "full", ("lite", "full", "heavy"), "Photos: landmark network.")
    flag.integer(
        "max_skipped", 100, "Largest number of unreadable items; more stop the conversion.", 0
    )
    flag.bool(
        "allow_incomplete", False, "Convert even if items of the official data set are missing."
    )
    flag.number("shard_mb", 130, "Size of a shard, megabytes (synthetic: 256 people).", low=0.001)
    flag.string("runner", None, "Convert on Apache Beam with this runner, e.g. DataflowRunner.")
    flag.strings("beam_options", [], "Further options of the Beam pipeline.")
    flag.integer("count", 1000, "Number of synthetic people to make.", 1)
    flag.integer("image_size", 64, "Side of the synthetic pictures, pixels.", 8)
    flag.integer("seed", 0, "Seed of the synthetic people.", 0)


def main(values) -> int:
    """Converts or checks one split.

    Args:
      values: the flags.

    Returns:
      The exit status; 1 if a check found something.
    """
    common.require(values, "output")
    if "/" in values.split:
        raise UserError(f"--split={values.split}: a split's name must not contain '/'")
    if values.check:
        common.load_tensorflow()
        return _check(values)
    common.require(values, "dataset")
    if values.dataset != SYNTHETIC:
        common.require(values, "source")
        if "://" in values.source:
            raise UserError(
                f"--source={values.source}: raw data sets must be in a local folder, since the "
                "readers of videos, HDF5 and .mat files need one; copy or mount it. "
                "--output may be anywhere that TensorFlow can write"
            )
    for name, datasets in _FLAGS_OF.items():
        if values[name].present and values.dataset not in datasets:
            raise UsageError(
                f"--{name} does not apply to --dataset={values.dataset}, only to "
                f"{', '.join(datasets)}"
            )
    common.load_tensorflow()
    from datasets.bodies import MissingBodyError

    start = time.monotonic()
    try:
        with common.quiet_c():
            manifest = _convert(values)
    except MissingBodyError as error:
        raise UserError(f"{error}; give --{error.gender}_body") from None
    size = sum(shard.bytes for shard in manifest.shards) / 1e6
    print(
        f"{values.output}: {manifest.count} Examples of split '{manifest.split}' in "
        f"{len(manifest.shards)} shards, {size:.1f} MB, {time.monotonic() - start:.0f} s"
    )
    if manifest.skipped:
        print(
            f"{manifest.skipped} of {manifest.num_items} items gave no Example; "
            f"see {os.path.join(values.output, values.split)}.skipped.jsonl"
        )
    return 0


def _convert(values):
    """Writes the split of the flags, and returns its manifest."""
    if values.dataset == SYNTHETIC:
        from datasets.synthetic import SyntheticConfig, generate
        from datasets.synthetic.source import SyntheticPeople

        try:
            config = SyntheticConfig(
                values.seed,
                values.image_size,
                bodies=_people(values),
                poses=values.poses,
                backgrounds=values.backgrounds,
                **{name: values[name].value for name in _SHARES},
            )
        except ValueError as error:
            raise UserError(str(error)) from None
        if not values["shard_mb"].present and values.runner is None:
            named = {"workers": values.workers}  # files of 256 people, as trainings make them
            return generate(values.output, values.split, values.count, config, **named)
        source = SyntheticPeople(config, values.split, values.count)
    else:
        source = SOURCES[values.dataset](values)
    from datasets import conversion

    options = {
        "max_skipped": values.max_skipped,
        "allow_incomplete": values.allow_incomplete,
        "shard_bytes": round(values.shard_mb * 1e6),
    }
    if values.runner is None:
        return conversion.convert(source, values.output, workers=values.workers, **options)
    try:
        from datasets import conversion_beam
    except ImportError as error:
        raise UserError(f"--runner needs the extra: pip install '.[beam]' ({error})") from error
    beam = {"runner": values.runner, "options": values.beam_options}
    return conversion_beam.convert(source, values.output, **beam, **options)


def _check(values) -> int:

    from datasets import checks, contact_sheet, whole_files
    from smpl_tf import pictures

    bodies = _bodies(values)
    result = checks.check(
        values.output, values.split, bodies if bodies.given else None, workers=values.workers
    )
    path = os.path.join(values.output, f"{values.split}.check.png")
    sheet = contact_sheet.draw(values.output, values.split)
    whole_files.write(path, pictures.encode(sheet, ".png"))
    print(f"{values.output}: {result.count} Examples of split '{values.split}', checksums correct")
    for finding, names in result.findings.items():
        print(f"{len(names)} of {result.count} Examples: {finding}; the first is {names[0]}")
    for note in result.not_checked:
        print(f"not checked: {note}")
    print(f"look at {path}")
    return common.EXIT_ERROR if result.findings else 0


def _bodies(values):
    from datasets.bodies import Bodies

    return Bodies(values.neutral_body, values.female_body, values.male_body)


def _people(values):
    """Returns the bodies of synthetic people: those of the flags, otherwise the open ones."""
    from datasets.bodies import Bodies
    from datasets.synthetic.people import OPEN_BODIES

    if values.body_model is not None:
        if _bodies(values).given:
            raise UsageError("--body_model is one body for all people: give no other --..._body")
        return Bodies(neutral=values.body_model)
    bodies = _bodies(values)
    return bodies if bodies.given else OPEN_BODIES


def _every(values) -> dict[str, int]:
    return {} if values.every is None else {"every": values.every}


if __name__ == "__main__":
    sys.exit(common.run(main, define_flags, resumes=True))
