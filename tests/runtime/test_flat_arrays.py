from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pytest

from spikeweft.runtime.flat_arrays import below, from_arrays, same, to_arrays


class Point(NamedTuple):
    x: float
    is_end: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    name: str
    n_parts: int
    colour: np.ndarray
    points: tuple[Point, ...] = ()
    middle: Point | None = None
    width: float | None = None
    tags: tuple[str, ...] = ()


LINE = Line(
    name="Köln – Ulm",
    n_parts=3,
    colour=np.array([0.1, 0.2]),
    points=(Point(1.5, False), Point(-np.inf, True)),
    middle=Point(0.0, False),
    tags=("a", ""),
)


@pytest.mark.parametrize("line", [LINE, replace(LINE, points=(), middle=None, width=0.5, tags=())])
def test_what_was_made_flat_comes_back_as_it_was(line):
    """Types too: a whole number is none with a point, a truth value no number."""
    again = from_arrays(Line, to_arrays(line))
    np.testing.assert_array_equal(again.colour, line.colour)
    assert replace(again, colour=None) == replace(line, colour=None)
    assert [type(point.is_end) for point in again.points] == [bool] * len(line.points)
    assert type(again.n_parts) is int


def test_nested_names_are_joined_by_slashes_and_nothing_stands_for_none():
    arrays = to_arrays(LINE)
    assert {"points/1/x", "middle/is_end", "tags/0"} <= arrays.keys()
    assert "width" not in arrays
    assert below("middle", arrays).keys() == {"x", "is_end"}


def test_the_same_values_are_the_same_whoever_holds_them():
    assert same(LINE, replace(LINE, colour=LINE.colour.copy()))
    assert not same(LINE, replace(LINE, colour=LINE.colour + 1e-12))
    assert not same(LINE, replace(LINE, width=1.0))
    assert not same(LINE, replace(LINE, points=LINE.points[:1]))
