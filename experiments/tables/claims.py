"""The papers' claims about their tables as checks of numbers: each holds or does not hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

# Key of a row -> metric -> value; rows that were not run are missing.
Values = Mapping[str, Mapping[str, float]]


class Finding(NamedTuple):
    """The result of a check.

    Attributes:
      holds: whether the claim holds.
      number: the deciding number, as text.
    """

    holds: bool
    number: str


class Claim(NamedTuple):
    """A claim about a table.

    Attributes:
      text: the statement.
      when: the condition, as text.
      check: numbers of the table -> finding; KeyError if a row is missing.
      ours: whether it is a check of ours, which the paper does not say.
    """

    text: str
    when: str
    check: Callable[[Values], Finding]
    ours: bool = False

    def judge(self, values: Values) -> Finding | None:
        """Checks the claim.

        Args:
          values: the numbers of the table.

        Returns:
          The finding; None if a row or a metric is missing.
        """
        try:
            return self.check(values)
        except KeyError:
            return None


def at_most(text: str, metric: str, row: str, share: float, other: str) -> Claim:
    """Claims that one row's error is at most a multiple of another's.

    Args:
      text: the statement.
      metric: of both rows.
      row: the one.
      share: of the other's value.
      other: the other.

    Returns:
      The claim.
    """

    def check(values):
        ratio = values[row][metric] / values[other][metric]
        return Finding(ratio <= share, f"{ratio:.2f}")

    return Claim(text, f"{row} ≤ {share:g} × {other}", check)


def at_least(text: str, metric: str, row: str, share: float, other: str) -> Claim:
    """Claims that one row's error is at least a multiple of another's.

    Args:
      text: the statement.
      metric: of both rows.
      row: the one.
      share: how many times.
      other: the other.

    Returns:
      The claim.
    """

    def check(values):
        ratio = values[row][metric] / values[other][metric]
        return Finding(ratio >= share, f"{ratio:.2f}")

    return Claim(text, f"{row} ≥ {share:g} × {other}", check)


def within(text: str, metric: str, row: str, share: float, other: str) -> Claim:
    """Claims that two rows are nearly equal.

    Args:
      text: the statement.
      metric: of both rows.
      row: the one.
      share: of the other's value, the largest difference.
      other: the other.

    Returns:
      The claim.
    """

    def check(values):
        difference = values[row][metric] / values[other][metric] - 1
        return Finding(abs(difference) <= share, f"{100 * difference:+.1f} %")

    return Claim(text, f"{row} within {100 * share:g} % of {other}", check)


def falling(text: str, metric: str, rows: Sequence[str]) -> Claim:
    """Claims that the error decreases from row to row.

    Args:
      text: the statement.
      metric: of the rows.
      rows: from the largest error to the smallest.

    Returns:
      The claim.
    """

    def check(values):
        found = [values[row][metric] for row in rows]
        falls = all(before > after for before, after in zip(found, found[1:], strict=False))
        return Finding(falls, ", ".join(f"{value:.1f}" for value in found))

    return Claim(text, " > ".join(rows), check)


def alike(text: str, metric: str, rows: Sequence[str], share: float) -> Claim:
    """Claims that several rows are nearly equal.

    Args:
      text: the statement.
      metric: of the rows.
      rows: their keys.
      share: maximum difference of largest and smallest value, relative to the smallest.

    Returns:
      The claim.
    """

    def check(values):
        found = [values[row][metric] for row in rows]
        spread = max(found) / min(found) - 1
        return Finding(spread <= share, f"{100 * spread:.1f} %")

    return Claim(text, f"largest within {100 * share:g} % of the smallest", check)


def near_the_best(text: str, metric: str, row: str, points: float) -> Claim:
    """Claims that a row's score (larger is better) is close to the best of the table.

    Args:
      text: the statement.
      metric: a score in percent.
      row: the row.
      points: maximum distance below the best.

    Returns:
      The claim.
    """

    def check(values):
        best = max(one[metric] for one in values.values() if metric in one)
        behind = best - values[row][metric]
        return Finding(behind <= points, f"{behind:.1f} points behind")

    return Claim(text, f"{row} ≥ best − {points:g} points", check)


def always_falling(text: str, metric: str, columns: Sequence[Sequence[str]]) -> Claim:
    """Claims that the error decreases from row to row, in every column of a matrix.

    Args:
      text: the statement.
      metric: of the rows.
      columns: rows from the largest error to the smallest, column by column.

    Returns:
      The claim.
    """

    def check(values):
        pairs = [pair for rows in columns for pair in zip(rows, rows[1:], strict=False)]
        kept = [values[a][metric] > values[b][metric] for a, b in pairs]
        return Finding(all(kept), f"{sum(kept)} of {len(kept)} orderings")

    return Claim(text, "every ordering", check)


def correlated(text: str, metric: str, row: str, most: float) -> Claim:
    """Claims a negative correlation.

    Args:
      text: the statement.
      metric: the coefficient.
      row: where it was measured.
      most: upper limit of the coefficient.

    Returns:
      The claim.
    """

    def check(values):
        coefficient = values[row][metric]
        return Finding(coefficient <= most, f"{coefficient:.2f}")

    return Claim(text, f"rank correlation ≤ {most:g}", check)


def lowers(text: str, metric: str, row: str) -> Claim:
    """Claims that a row lowers the error of what it is given.

    Args:
      text: the statement.
      metric: of the row; `input_` and the metric is the error of what goes in.
      row: the row.

    Returns:
      The claim.
    """

    def check(values):
        ratio = values[row][metric] / values[row][f"input_{metric}"]
        return Finding(ratio < 1, f"{ratio:.2f}")

    return Claim(text, f"{row} < its input", check)


def below(text: str, metric: str, row: str, other: str) -> Claim:
    """Claims that one row's error is below another's, however little.

    Args:
      text: the statement.
      metric: of both rows.
      row: the one.
      other: the other.

    Returns:
      The claim.
    """

    def check(values):
        difference = values[row][metric] / values[other][metric] - 1
        return Finding(difference < 0, f"{100 * difference:+.1f} %")

    return Claim(text, f"{row} < {other}", check)


def gains(text: str, metric: str, row: str, other: str, share: float, times: float) -> Claim:
    """Claims that a row reduces the error of its input, and by more than another row does.

    Args:
      text: the statement.
      metric: of the rows; `input_` plus the metric is the error of the input.
      row: the one.
      other: the other row, with the same input.
      share: least gain, relative to the error of the input.
      times: least ratio to the other's gain.

    Returns:
      The claim.
    """

    def check(values):
        before = values[row][f"input_{metric}"]
        gain, weaker = (1 - values[key][metric] / before for key in (row, other))
        holds = gain >= share and gain >= times * weaker
        return Finding(holds, f"{100 * gain:.1f} % against {100 * weaker:.1f} %")

    when = f"gain ≥ {100 * share:g} % and ≥ {times:g} × that of {other}"
    return Claim(text, when, check)


def offset(text: str, row: str, metric: str, other_metric: str) -> Claim:
    """Claims that one of a row's errors is larger than another, and reports the difference.

    Args:
      text: the statement.
      row: the row.
      metric: the larger error, mm.
      other_metric: the smaller error, mm.

    Returns:
      The claim.
    """

    def check(values):
        difference = values[row][metric] - values[row][other_metric]
        return Finding(difference > 0, f"{difference:+.1f} mm")

    return Claim(text, "offset > 0", check)
