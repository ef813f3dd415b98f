"""Markdown tables from the rows of a study."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import mean

from spikeweft.benchmark.markdown_lines import (
    Cell,
    Cells,
    Column,
    few_seeds,
    grouped,
    lines_of,
    means_of,
    method_lines,
    with_seeds,
)
from spikeweft.benchmark.published import PUBLISHED
from spikeweft.benchmark.rows import Row, read_rows
from spikeweft.errors import InputError

STUDIES = ("paper", "curves", "wirings", "ablations")

_SCORES = (
    Column("Δ", "delta", 3, has_range=True),
    Column("of it bias", "bias", 3),
    Column("Δ, informed pairs", "delta_informed", 3),
    Column("pairs not informed", "n_pairs_uninformed", 0),
    Column("Δ, identifiable pairs", "delta_identifiable", 3),
    Column("precision-recall area", "precision_recall_area", 3),
    Column("bits per spike, mean", "bits_per_spike", 3),
    Column("bits per spike, pooled", "bits_per_spike_pooled", 3),
    Column("fit, minutes", "seconds", 1, factor=1 / 60),
    Column("GiB", "peak_memory_mb", 1, factor=1 / 1024),
)

_VARIED = {
    "recurrent strength": "recurrent_strength",
    "minutes recorded": "minutes",
    "observed": "n_observed",
    "hidden": "n_hidden",
}
"""What tells lines of one table apart, beside the method, where it differs between them."""


def markdown(rows: Sequence[Row]) -> str:
    """All tables of some rows: one per setting and neuron model, one line per method."""
    parts = []
    for (table, setting, neuron_model), group in grouped(rows, "table", "setting", "neuron_model"):
        title = f"### {table}: {setting}, {neuron_model} neurons"
        if table.isdigit():
            title = f"### Table {table}: {setting}, {neuron_model} neurons"
        title = with_seeds(title, few_seeds(group, rows))
        parts.append("\n\n".join(part for part in (title, *_table(group)) if part))
    return "\n\n".join([*parts, provenance(rows)]) + "\n" if rows else ""


def summary(rows: Sequence[Row]) -> str:
    """One table of a study, as in the paper: a line per method, a column per network.

    Cells are Δ / bits per spike, pooled; means over the seeds, which are named where a network or
    a cell has fewer. Rows with hidden neurons are left out, and so are those of several lengths or
    strengths: they are curves.
    """
    seen = [row for row in rows if row.table != "partial" and row.study != "curves"]
    cells: dict[str, dict[str, Cell]] = {}
    headings = []
    for heading, network in _networks(seen):
        headings.append(heading)
        fitted = [row for row in network if not row.failed]
        for (method,), group in grouped(fitted, "method"):
            cell = Cell(_pair(means_of(group, _SCORES)), few_seeds(group, network))
            cells.setdefault(method, {})[heading] = cell
        for limit in (*_limits(fitted, ()), *_published(fitted)):
            cells.setdefault(limit["method"], {})[heading] = Cell(_pair(limit))
    in_order = sorted(method_lines(cells), key=lambda line: line["method"].startswith("*"))
    return lines_of(in_order, ["method", *headings])


def _networks(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Rows of each network, and its heading; recordings of different lengths are told apart."""
    found = []
    for (setting, neuron_model), network in grouped(rows, "setting", "neuron_model"):
        by_length = grouped(network, "minutes")
        for (minutes,), group in by_length:
            length = f", {_plain(minutes)} min" if len(by_length) > 1 else ""
            heading = f"{setting}, {neuron_model}{length}"
            found.append((with_seeds(heading, few_seeds(group, rows)), group))
    return found


def _pair(cells: Cells) -> str:
    """Δ without its range, and bits per spike: pooled, or as published."""
    bits = cells.get("bits per spike, pooled") or cells.get("bits per spike, mean")
    return " / ".join([cells.get("Δ", "–").split(" ")[0], *([bits] if bits else [])])


def folder_markdown(folder: Path) -> str:
    """The tables of all studies in a folder.

    Raises
    ------
    InputError
        Where it holds none.
    """
    found = {study: read_rows(folder / f"{study}.csv") for study in STUDIES}
    parts = [
        f"## {study}\n\n" + "\n\n".join(part for part in (summary(rows), markdown(rows)) if part)
        for study, rows in found.items()
        if rows
    ]
    if not parts:
        raise InputError(
            f"there is no table of a study in {folder}; run 'spikeweft benchmark paper {folder}' "
            "first"
        )
    return "\n".join(parts)


def _table(rows: Sequence[Row]) -> tuple[str, str]:
    """One table, and what failed, in words."""
    varied = {
        heading: field
        for heading, field in _VARIED.items()
        if len({_plain(getattr(row, field)) for row in rows}) > 1
    }
    fitted = [row for row in rows if not row.failed]
    by_line = grouped(fitted, "method", *varied.values())
    lines = [
        {
            "method": with_seeds(method, few_seeds(group, rows)),
            **dict(zip(varied, map(_plain, values), strict=True)),
            **means_of(group, _SCORES),
        }
        for (method, *values), group in by_line
    ]
    lines += [*_limits(fitted, varied), *_published(fitted)]
    failures = (f"{row.method}, seed {row.seed}: {row.failed}" for row in rows if row.failed)
    failed = "\n".join(f"- failed: {failure}" for failure in dict.fromkeys(failures))
    return lines_of(lines, ["method", *varied, *_headings(fitted)]), failed


def _headings(rows: Sequence[Row]) -> list[str]:
    """Columns, without those over some pairs where no pair is left out."""
    dull = {
        field
        for field in ("delta_informed", "delta_identifiable")
        if all(getattr(row, field) == row.delta for row in rows)
    }
    if "delta_informed" in dull:
        dull.add("n_pairs_uninformed")
    return [column.heading for column in _SCORES if column.field not in dull]


def _limits(rows: Sequence[Row], varied: Iterable[str]) -> list[Cells]:
    """Oracle and Cramér-Rao bound, where they are the same for all lines."""
    per_seed = {row.seed: row for row in rows if not math.isnan(row.oracle_bits_per_spike)}
    if not per_seed or list(varied):
        return []
    known = list(per_seed.values())
    bound = mean(row.cramer_rao_delta for row in known)
    return [
        {
            "method": "*oracle*",
            "bits per spike, mean": f"{mean(row.oracle_bits_per_spike for row in known):.3f}",
            "bits per spike, pooled": (
                f"{mean(row.oracle_bits_per_spike_pooled for row in known):.3f}"
            ),
        },
        {
            "method": "*Cramér-Rao bound, free weights*",
            "Δ": f"{bound:.3f}" if bound < 1 else ">1",
        },
    ]


def _published(rows: Sequence[Row]) -> list[Cells]:
    """What the paper reports for the same table and neuron model, on spikes of its own."""
    where = {(row.table, row.neuron_model) for row in rows if row.study == "paper"}
    return [
        {
            "method": f"*Yoon (2025): {line.method}*",
            "Δ": f"{line.delta:.3f}",
            "bits per spike, mean": (
                "" if math.isnan(line.bits_per_spike) else f"{line.bits_per_spike:.3f}"
            ),
        }
        for line in PUBLISHED
        if (line.table, line.neuron_model) in where
    ]


def provenance(rows: Sequence[Row]) -> str:
    """Seeds, versions, machines and days of some rows, and how to read their scores."""
    seeds, versions, machines, days = (
        ", ".join(sorted({str(getattr(row, field))[:length] for row in rows}))
        for field, length in (
            ("seed", None),
            ("spikeweft", None),
            ("machine", None),
            ("date", len("2026-01-01")),
        )
    )
    return (
        f"Means over seeds {seeds}; brackets, where there are any, hold the range of Δ. spikeweft "
        f"{versions}, {machines}, {days}. Bits per spike are of the last tenth of each recording, "
        "over each neuron's mean rate in the part that was fitted. Lines of Yoon (2025) are that "
        "paper's, on eight minutes of spikes of its own; the bins of its bits per spike are not "
        "published."
    )


def _plain(value: object) -> str:
    if value is None:
        return ""
    return f"{value:g}" if isinstance(value, float) else str(value)
