"""The directive `measured-rows`: where every row of the tables in `benchmarks/` comes from."""

import csv
import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

_NOT_RECORDED = "not recorded"
_MINUTE = len("2026-01-01T12:00")


class Origin(NamedTuple):
    """What made some rows of a table that stand together."""

    rows: str
    command: str
    spikeweft: str
    machine: str
    date: str


class MeasuredRows(SphinxDirective):
    """One section per table: the command, version, machine and date of every row."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        made = []
        for path in tables():
            self.env.note_dependency(str(path))
            made.append(_section(path))
        return made


def tables() -> list[Path]:
    """All tables of measurements."""
    return sorted(BENCHMARKS.rglob("*.csv"))


def origins(path: Path) -> Iterator[Origin]:
    """Where the rows of a table come from; neighbours of one origin share a line."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    known = [_origin(row) for row in rows]
    for origin, numbered in groupby(enumerate(known, start=1), key=lambda pair: pair[1]):
        numbers = [number for number, _ in numbered]
        first, last = numbers[0], numbers[-1]
        yield origin._replace(rows=str(first) if first == last else f"{first}–{last}")


def command_in_readme(path: Path) -> str:
    """The command that `benchmarks/README.md` names for a table; empty where it names none."""
    readme = (BENCHMARKS / "README.md").read_text(encoding="utf-8")
    line = re.search(rf"^\| `{re.escape(path.name)}`.*$", readme, re.MULTILINE)
    command = re.search(r"`((?:python|spikeweft|\S*/python) [^`]+)`", line[0]) if line else None
    return command[1] if command else ""


def _origin(row: dict[str, str]) -> Origin:
    def of(*names: str) -> str:
        return next((row[name] for name in names if row.get(name)), _NOT_RECORDED)

    date = of("date")
    return Origin("", of("command"), of("spikeweft", "version"), of("machine"), date[:_MINUTE])


def _section(path: Path) -> nodes.section:
    name = path.relative_to(BENCHMARKS).as_posix()
    section = nodes.section("", nodes.title("", name), ids=[nodes.make_id(f"table-{name}")])
    found = list(origins(path))
    if any(origin.command == _NOT_RECORDED for origin in found) and command_in_readme(path):
        section += _sentence("Rows without a command: ", command_in_readme(path))
    section += _table(Origin._fields, found)
    return section


def _sentence(text: str, command: str) -> nodes.paragraph:
    return nodes.paragraph("", "", nodes.Text(text), nodes.literal("", command), nodes.Text("."))


def _table(heads: Iterable[str], found: Iterable[Origin]) -> nodes.table:
    heads = list(heads)
    group = nodes.tgroup(cols=len(heads))
    group += [nodes.colspec(colwidth=1) for _ in heads]
    group += nodes.thead("", _row(nodes.paragraph("", head) for head in heads))
    group += nodes.tbody("", *(_row(map(_cell, heads, origin)) for origin in found))
    return nodes.table("", group, classes=["measured"])


def _row(cells: Iterable[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", cell) for cell in cells))


def _cell(head: str, text: str) -> nodes.paragraph:
    is_command = head == "command" and text != _NOT_RECORDED
    return nodes.paragraph("", "", nodes.literal("", text) if is_command else nodes.Text(text))


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("measured-rows", MeasuredRows)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
