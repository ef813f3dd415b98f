"""Fill the README's tables of results: python benchmarks/readme_table.py.

The table of rings.csv, and, between marks `<!-- paper.csv: start -->` and `<!-- paper.csv: end -->`
(or curves, wirings, ablations), the summary of that study's table.
"""

import csv
from itertools import groupby
from pathlib import Path
from statistics import mean

from spikeweft.benchmark.rows import read_rows
from spikeweft.benchmark.tables import STUDIES, provenance, summary

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
START, END = "<!-- rings.csv: start -->\n", "<!-- rings.csv: end -->\n"
NAMES = {"threshold": "threshold-crossing", "lnp": "linear-nonlinear-Poisson"}
HEADER = (
    "neurons",
    "Δ",
    "of it bias",
    "Δ of the GLM",
    "least Δ of free weights",
    "bits per spike",
    "of the GLM",
    "of the oracle",
    "minutes",
    "peak memory",
)

_DAY = len("2026-01-01")


def table(rows: list[dict[str, str]]) -> str:
    """Mean and range over the seeds of each neuron model, as Markdown, with its provenance."""
    lines = ["| " + " | ".join(HEADER) + " |", "|---" + "|---:" * (len(HEADER) - 1) + "|"]
    by_model = sorted(rows, key=lambda row: list(NAMES).index(row["neuron_model"]))
    lines += [
        "| " + " | ".join(_cells(NAMES[model], list(group))) + " |"
        for model, group in groupby(by_model, key=lambda row: row["neuron_model"])
    ]
    return "\n".join([*lines, "", _provenance(rows), ""])


def _cells(name: str, rows: list[dict[str, str]]) -> list[str]:
    def column(key: str) -> list[float]:
        return [float(row[key]) for row in rows]

    delta = column("delta")
    return [
        name,
        f"**{mean(delta):.3f}** ({min(delta):.3f}–{max(delta):.3f})",
        f"{mean(column('delta_bias')):.3f}",
        f"{mean(column('glm_delta')):.3f}",
        f"{mean(column('cramer_rao_delta')):.3f}",
        f"**{mean(column('bits_per_spike_pooled')):.3f}**",
        f"{mean(column('glm_bits_per_spike_pooled')):.3f}",
        f"{mean(column('oracle_bits_per_spike_pooled')):.3f}",
        f"{mean(column('seconds')) / 60:.1f}",
        f"{max(column('peak_memory_mb')) / 1024:.1f} GiB",
    ]


def _provenance(rows: list[dict[str, str]]) -> str:
    seeds, versions, machines, dates = (
        ", ".join(sorted({row[key][:length] for row in rows}))
        for key, length in (("seed", None), ("version", None), ("machine", None), ("date", _DAY))
    )
    return (
        f"Means over seeds {seeds}, the range of Δ in brackets; spikeweft {versions}, {machines}, "
        f"{dates}. Every row, and the command that makes it, is in "
        "[`benchmarks/rings.csv`](benchmarks/rings.csv)."
    )


def filled(readme: str, rows: list[dict[str, str]]) -> str:
    """The README with each table between its two marks."""
    readme = _between(readme, START, table(rows), END)
    for study in STUDIES:
        start, end = f"<!-- {study}.csv: start -->\n", f"<!-- {study}.csv: end -->\n"
        if start in readme:
            readme = _between(readme, start, _summary(study), end)
    return readme


def _between(readme: str, start: str, text: str, end: str) -> str:
    before, rest = readme.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{text}\n{end}{after}"


def _summary(study: str) -> str:
    """A study in one table, and where it comes from."""
    rows = read_rows(HERE / f"{study}.csv")
    return f"{summary(rows)}\n\n{provenance(rows)}\n"


def measured() -> list[dict[str, str]]:
    """The rows of rings.csv."""
    with (HERE / "rings.csv").open(newline="") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    text = filled(README.read_text(encoding="utf-8"), measured())
    README.write_text(text, encoding="utf-8")
