"""Scores methods on annotated photographs; keeps every failure; makes the table."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets.photographs import scores
from datasets.photographs.annotations import AnnotatedPicture, AnnotatedSet
from datasets.photographs.scores import PersonScore
from datasets.sources import BadItemError
from experiments.pages.report import Table
from experiments.prediction.photo_methods import Method, MethodPerson
from experiments.runs import common
from smpl_tf import pictures
from smpl_tf.errors import one_line
from smpl_tf.found_person import FoundPerson
from smpl_tf.pictures import PictureError

_UNKNOWN = "–"


class ScoredPerson(NamedTuple):
    """An annotated person, and the prediction of each method.

    Attributes:
      picture: the file.
      true: as annotated; pixels of the decoded picture.
      largest: whether this is the largest person that can be scored in the picture.
      found: method -> the same person, or None.
      scores: method -> the score.
    """

    picture: Path
    true: FoundPerson
    largest: bool
    found: Mapping[str, MethodPerson | None]
    scores: Mapping[str, PersonScore]


class Evaluation(NamedTuple):
    """All pictures.

    Attributes:
      pictures: number of scored pictures.
      people: all annotated people in them.
      cpu_seconds: method -> seconds of each picture.
      failures: unusable pictures or annotations, one line each.
      unscored: pictures in which nobody has enough joints to be scored; no method was run on them.
    """

    pictures: int
    people: list[ScoredPerson]
    cpu_seconds: dict[str, list[float]]
    failures: list[str]
    unscored: list[str]


def evaluate(
    annotated: AnnotatedSet, items: Iterable[str], methods: Mapping[str, Method]
) -> Evaluation:
    """Scores methods on annotated photographs.

    Unreadable pictures and annotations are left out for all methods. If a method fails, it has
    found nobody.

    Args:
      annotated: the set.
      items: its pictures to score.
      methods: name -> method.

    Returns:
      The scores.
    """
    result = Evaluation(0, [], {name: [] for name in methods}, [], [])
    count = 0
    for item in items:
        try:
            annotation = annotated.read(item)
            photograph = pictures.read(annotation.path)
        except (BadItemError, PictureError) as error:
            result.failures.append(f"{item}: {one_line(error)}")
            continue
        if scores.largest(annotation.people) is None:
            result.unscored.append(item)
            continue
        count += 1
        true = [person.scaled(photograph.scale) for person in annotation.people]
        found = {}
        for name, method in methods.items():
            start = time.process_time()
            try:
                found[name] = method(photograph.pixels, true)
            except Exception as error:  # the other methods and pictures are still scored
                result.failures.append(f"{item}, {name}: {common.describe(error)}")
                found[name] = []
            result.cpu_seconds[name].append(time.process_time() - start)
        result.people.extend(_score(annotation, true, found))
    return result._replace(pictures=count)


def _score(
    annotation: AnnotatedPicture,
    true: Sequence[FoundPerson],
    found: Mapping[str, list[MethodPerson]],
) -> Iterable[ScoredPerson]:
    largest = scores.largest(true)
    pairs = {
        name: [
            None if j is None else people[j]
            for j in scores.match(true, [person.points for person in people])
        ]
        for name, people in found.items()
    }
    for i, person in enumerate(true):
        own = {name: people[i] for name, people in pairs.items()}
        yield ScoredPerson(
            annotation.path,
            person,
            i == largest,
            own,
            {name: scores.score(person, one and one.points) for name, one in own.items()},
        )


def summaries(evaluation: Evaluation) -> dict[str, dict[str, dict[str, float]]]:
    """Summarises the scores.

    Args:
      evaluation: of `evaluate`.

    Returns:
      "largest" (the largest person of each picture) and "everybody" -> method -> summary, see
      `scores.summarise`.
    """
    kinds = {"largest": [one for one in evaluation.people if one.largest]}
    kinds["everybody"] = evaluation.people
    return {
        kind: {
            name: scores.summarise([one.scores[name] for one in people])
            for name in evaluation.cpu_seconds
        }
        for kind, people in kinds.items()
    }


def mean_cpu_seconds(seconds: Sequence[float]) -> float | None:
    """Averages all pictures except the first, which includes the start; None without others."""
    return float(np.mean(seconds[1:])) if len(seconds) > 1 else None


def table(evaluation: Evaluation) -> Table:
    """Makes a table of scores: the largest person of each picture, then everybody if different.

    Args:
      evaluation: of `evaluate`.

    Returns:
      A row for each method; percentages, millimetres and seconds. Unknown values are dashes.
    """
    summary = summaries(evaluation)
    depth = any("pa_mpjpe_mm" in one for one in summary["everybody"].values())
    header = ["method", "people", "found %", "PCKh@0.5 %", "PCK@0.2 %", *scores.LIMB_PAIRS]
    header += ["PA-MPJPE mm", "of people"] * depth + ["CPU s/picture"]
    rows = []
    kinds = ["largest"] + ["everybody"] * (not all(one.largest for one in evaluation.people))
    for kind in kinds:
        for name, one in summary[kind].items():
            keys = ("found", "pckh", "pck", *(f"pckh_{pair}" for pair in scores.LIMB_PAIRS))
            row = [name if kind == "largest" else f"{name}, {kind}", str(one["people"])]
            row += [_text(one.get(key), 100) for key in keys]
            if depth:
                row += [_text(one.get("pa_mpjpe_mm")), str(one.get("people_3d", 0))]
            cpu = mean_cpu_seconds(evaluation.cpu_seconds[name])
            rows.append([*row, _text(cpu, 1, 2) if kind == "largest" else ""])
    return Table(header, rows)


def markdown(shown: Table) -> str:
    """Writes a table as Markdown."""
    lines = [shown.header, ["---", *["---:"] * (len(shown.header) - 1)], *shown.rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def record_of(evaluation: Evaluation) -> dict:
    """Returns the scores for the record, as JSON; unknown values are left out."""
    people = [
        {
            "picture": one.picture.name,
            "largest": one.largest,
            "pckh": {
                name: round(score.pckh, 4)
                for name, score in one.scores.items()
                if not np.isnan(score.pckh)
            },
        }
        for one in evaluation.people
    ]
    cpu = {name: mean_cpu_seconds(s) for name, s in evaluation.cpu_seconds.items()}
    return {
        "pictures": evaluation.pictures,
        **summaries(evaluation),
        "cpu_seconds_per_picture": {n: s for n, s in cpu.items() if s is not None},
        "failures": evaluation.failures,
        "unscored": evaluation.unscored,
        "people": people,
    }


def _text(value: float | None, scale: float = 1, digits: int = 1) -> str:
    return _UNKNOWN if value is None else f"{scale * value:.{digits}f}"
