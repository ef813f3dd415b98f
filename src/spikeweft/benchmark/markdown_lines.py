"""Lines and cells of markdown tables, from rows of whatever study."""

import math
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any, NamedTuple

Cells = dict[str, str]


class Column(NamedTuple):
    """A score under its heading, with so many digits; with its range in brackets if asked for."""

    heading: str
    field: str
    digits: int
    has_range: bool = False
    factor: float = 1.0


def means_of(rows: Sequence[Any], columns: Iterable[Column]) -> Cells:
    """Means by heading; none of a score that is defined in no row."""
    cells = {}
    for column in columns:
        values = [column.factor * getattr(row, column.field) for row in rows]
        values = [value for value in values if not math.isnan(value)]
        if values:
            cells[column.heading] = f"{mean(values):.{column.digits}f}"
        if column.has_range and len(values) > 1:
            low, high = (f"{f(values):.{column.digits}f}" for f in (min, max))
            cells[column.heading] += f" ({low}–{high})"
    return cells


class Cell(NamedTuple):
    """A cell, and the seeds that it is of where they are fewer than those of its column."""

    text: str
    few_seeds: str = ""

    def __str__(self) -> str:
        return with_seeds(self.text, self.few_seeds)


def few_seeds(own: Iterable[Any], among: Iterable[Any]) -> str:
    """Seeds of some rows, in words, where those that they are among have more."""
    seeds = sorted({row.seed for row in own})
    if len(seeds) == len({row.seed for row in among}):
        return ""
    return f"only seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))}"


def with_seeds(text: str, few: str) -> str:
    """A text, and the seeds that `few_seeds` says it is of."""
    return f"{text} ({few})" if few else text


def method_lines(cells: Mapping[str, Mapping[str, Cell]]) -> list[Cells]:
    """A line per method; few seeds stand at its name where they are the same in all its cells."""
    lines = []
    for method, by_heading in cells.items():
        few = {cell.few_seeds for cell in by_heading.values()}
        if len(few) == 1:
            texts = {heading: cell.text for heading, cell in by_heading.items()}
            lines.append({"method": with_seeds(method, few.pop()), **texts})
        else:
            texts = {heading: str(cell) for heading, cell in by_heading.items()}
            lines.append({"method": method, **texts})
    return lines


def lines_of(lines: Sequence[Cells], headings: Sequence[str]) -> str:
    """Markdown; columns that are empty are left out."""
    used = [heading for heading in headings if any(line.get(heading) for line in lines)]
    if not used:
        return ""
    rule = "|---" + "|---:" * (len(used) - 1) + "|"
    cells = ([line.get(heading, "") for heading in used] for line in lines)
    return "\n".join([_line(used), rule, *map(_line, cells)])


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def grouped(rows: Iterable[Any], *names: str) -> list[tuple[tuple, list]]:
    """Rows that agree in some fields, in the order of their first appearance."""
    groups: dict[tuple, list] = {}
    for row in rows:
        key = tuple(_hashable(getattr(row, name)) for name in names)
        groups.setdefault(key, []).append(row)
    return list(groups.items())


def _hashable(value: object) -> object:
    """NaN as a key that equals itself."""
    return None if isinstance(value, float) and math.isnan(value) else value
