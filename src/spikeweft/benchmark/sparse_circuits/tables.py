"""Markdown tables of the study of sparse circuits."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import mean
from typing import NamedTuple

from spikeweft.benchmark.sparse_circuits.rows import SparseRow


class _Column(NamedTuple):
    heading: str
    field: str
    digits: int
    factor: float = 1.0


_SCORES = (
    _Column("average precision", "average_precision", 3),
    _Column("of excitation", "excitatory_average_precision", 3),
    _Column("of inhibition", "inhibitory_average_precision", 3),
    _Column("ROC area", "roc_area", 3),
    _Column("Matthews", "matthews_correlation", 3),
    _Column("taken for connected", "n_called", 0),
    _Column("latency within 1 ms", "latency_within_1_ms", 2),
    _Column("surer than 95 %", "n_sure", 0),
    _Column("of these connected", "sure_correct", 3),
    _Column("surer than 95 %, of 1,000 pairs", "sure_per_thousand", 2),
    _Column("bits per spike", "bits_per_spike", 3),
    _Column("processor minutes", "processor_seconds", 2, 1 / 60),
    _Column("GiB", "peak_memory_mb", 1, 1 / 1024),
)


def sparse_summary(rows: Sequence[SparseRow]) -> str:
    """A line per method, a column per network: average precision / Matthews correlation.

    Where nothing is connected it is how many of 1,000 pairs are taken for connected.
    """
    fitted = [row for row in rows if not row.failed]
    networks = list(dict.fromkeys(row.recorded for row in fitted))
    lines = [
        [
            method,
            *(_pair([row for row in group if row.recorded == network]) for network in networks),
        ]
        for method, group in _by(fitted, lambda row: row.method)
    ]
    return _table(["method", *networks], lines) if lines else ""


def sparse_markdown(rows: Sequence[SparseRow]) -> str:
    """A table per network and length with all scores, means over the seeds, and their origin."""
    parts = []
    for network, group in _by(rows, lambda row: row.recorded):
        fitted = _by((row for row in group if not row.failed), lambda row: row.method)
        means = {method: _means(of_method) for method, of_method in fitted}
        used = [c for c in _SCORES if any(cells[c.heading] for cells in means.values())]
        headings = [column.heading for column in used]
        lines = [[name, *(cells[h] for h in headings)] for name, cells in means.items()]
        seeds = ", ".join(map(str, sorted({row.seed for row in group})))
        parts += [f"### {network}", f"Means over seeds {seeds}."]
        parts += [_table(["method", *headings], lines)] if lines else []
        parts += [
            f"- failed: {row.method}, seed {row.seed}: {row.failed}" for row in group if row.failed
        ]
    return "\n\n".join([*parts, sparse_provenance(rows)]) + "\n" if rows else ""


def sparse_provenance(rows: Sequence[SparseRow]) -> str:
    """Versions, machines and days of some rows."""
    versions, machines = (
        ", ".join(sorted({str(getattr(row, field)) for row in rows}))
        for field in ("spikeweft", "machine")
    )
    days = ", ".join(sorted({row.date[: len("2026-01-01")] for row in rows}))
    return f"spikeweft {versions}, {machines}, {days}."


def _pair(rows: Sequence[SparseRow]) -> str:
    if not rows:
        return ""
    if not any(row.n_connections for row in rows):
        n_pairs = rows[0].n_observed * (rows[0].n_observed - 1)
        called = _mean(1000.0 * row.n_called / n_pairs for row in rows)
        return "–" if math.isnan(called) else f"{called:.2f} of 1,000"
    order = f"{_mean(row.average_precision for row in rows):.3f}"
    decided = _mean(row.matthews_correlation for row in rows)
    return order if math.isnan(decided) else f"{order} / {decided:.3f}"


def _means(rows: Sequence[SparseRow]) -> dict[str, str]:
    """Means by heading; empty where a score is not defined."""
    values = {c: c.factor * _mean(getattr(row, c.field) for row in rows) for c in _SCORES}
    return {
        column.heading: "" if math.isnan(value) else f"{value:.{column.digits}f}"
        for column, value in values.items()
    }


def _mean(values: Iterable[float]) -> float:
    """Mean of what is defined; NaN of nothing."""
    defined = [value for value in values if not math.isnan(value)]
    return mean(defined) if defined else math.nan


def _by(rows: Iterable[SparseRow], key: Callable) -> list[tuple]:
    """Rows by a key, in the order of first appearance."""
    groups: dict = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return list(groups.items())


def _table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = "|---" + "|---:" * (len(headings) - 1) + "|"
    return "\n".join([_line(headings), rule, *map(_line, lines)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
