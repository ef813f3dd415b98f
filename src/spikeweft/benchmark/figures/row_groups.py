"""Rows of a study, grouped as a figure needs them, and the names of their scores."""

import math
from collections.abc import Callable, Iterable, Sequence

from spikeweft.benchmark.rows import Row

SCORE_NAMES = {
    "delta": "inference error Δ",
    "delta_informed": "Δ over informed pairs",
    "delta_identifiable": "Δ over identifiable pairs",
    "bits_per_spike_pooled": "bits per spike, pooled",
    "precision_recall_area": "precision-recall area",
}


def values_of(rows: Iterable[Row], field: str) -> list[float]:
    """One column of some rows."""
    return [getattr(row, field) for row in rows]


def grouped(rows: Iterable[Row], key: Callable[[Row], object]) -> dict:
    """Rows by a key, in the order of first appearance."""
    groups: dict = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups


def values_by(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[list[float]]]:
    """Values of y at each x that has any, in ascending order of x."""
    points = grouped(
        (row for row in rows if math.isfinite(getattr(row, y))), lambda row: float(getattr(row, x))
    )
    return sorted(points), [values_of(points[at], y) for at in sorted(points)]


def file_name(words: str) -> str:
    """Words, fit for the name of a file."""
    return words.replace(" ", "-").replace("+", "-").replace(",", "").replace("/", "-")
