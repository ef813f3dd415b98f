"""Markdown tables of the study of sparse circuits."""

import math
from collections.abc import Iterable, Sequence
from statistics import mean

from spikeweft.benchmark.markdown_lines import (
    Cell,
    Column,
    few_seeds,
    grouped,
    lines_of,
    means_of,
    method_lines,
    with_seeds,
)
from spikeweft.benchmark.sparse_circuits.rows import SparseRow

_SCORES = (
    Column("average precision", "average_precision", 3),
    Column("of excitation", "excitatory_average_precision", 3),
    Column("of inhibition", "inhibitory_average_precision", 3),
    Column("ROC area", "roc_area", 3),
    Column("Matthews", "matthews_correlation", 3),
    Column("taken for connected", "n_called", 0),
    Column("latency within 1 ms", "latency_within_1_ms", 2),
    Column("surer than 95 %", "n_sure", 0),
    Column("of these connected", "sure_correct", 3),
    Column("surer than 95 %, of 1,000 pairs", "sure_per_thousand", 2),
    Column("bits per spike", "bits_per_spike", 3),
    Column("processor minutes", "processor_seconds", 2, factor=1 / 60),
    Column("GiB", "peak_memory_mb", 1, factor=1 / 1024),
)


def sparse_summary(rows: Sequence[SparseRow]) -> str:
    """A line per method, a column per network: average precision / Matthews correlation.

    Where nothing is connected it is how many of 1,000 pairs are taken for connected. Cells of fewer
    seeds than others of their network say so.
    """
    cells: dict[str, dict[str, Cell]] = {}
    networks = grouped(rows, "recorded")
    for (network,), of_network in networks:
        fitted = [row for row in of_network if not row.failed]
        for (method,), group in grouped(fitted, "method"):
            cell = Cell(_pair(group), few_seeds(group, of_network))
            cells.setdefault(method, {})[network] = cell
    return lines_of(method_lines(cells), ["method", *(network for (network,), _ in networks)])


def sparse_markdown(rows: Sequence[SparseRow]) -> str:
    """A table per network and length with all scores, means over the seeds, and their origin."""
    parts = []
    for (network,), group in grouped(rows, "recorded"):
        fitted = [row for row in group if not row.failed]
        lines = [
            {"method": with_seeds(method, few_seeds(fits, group)), **means_of(fits, _SCORES)}
            for (method,), fits in grouped(fitted, "method")
        ]
        seeds = ", ".join(map(str, sorted({row.seed for row in group})))
        parts += [f"### {network}", f"Means over seeds {seeds}."]
        table = lines_of(lines, ["method", *(column.heading for column in _SCORES)])
        parts += [table] if table else []
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


def _mean(values: Iterable[float]) -> float:
    """Mean of what is defined; NaN of nothing."""
    defined = [value for value in values if not math.isnan(value)]
    return mean(defined) if defined else math.nan
