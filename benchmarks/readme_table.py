"""Fill the tables of README.md and of two pages in docs: python benchmarks/readme_table.py.

Between marks `<!-- paper.csv: start -->` and `<!-- paper.csv: end -->` (or curves, wirings,
ablations) goes the summary of that study's table; between those of `heading`, what the tables of
the recorded head-direction cells say; between those of `summary`, a few rows of `paper.csv`;
between those of `sparse.csv`, what that table holds; between those of `formats.csv`, what can be
read.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import mean

from spikeweft.benchmark.markdown_tables import STUDIES, provenance, summary
from spikeweft.benchmark.published import PUBLISHED
from spikeweft.benchmark.rows import Row, read_rows
from spikeweft.benchmark.sparse_circuits.rows import read_sparse_rows
from spikeweft.benchmark.sparse_circuits.tables import sparse_markdown, sparse_summary
from spikeweft.results.csv_table import read_cells

HERE = Path(__file__).parent
DOCS = HERE.parent / "docs"

PAGES = (HERE.parent / "README.md", DOCS / "benchmarks.md", DOCS / "which-option.md")

REGRESSIONS = {"False": "coupling + own history", "True": "tuning + coupling + own history"}

NETWORKS = {"1": "ring", "2": "ring, rotated by an input", "3": "Profile II"}
"""Columns of the short table: the paper's tables, over all that they vary."""

READS_INPUT = {"1": "", "2": "+drive", "3": "+drive"}
"""Ending of the name of a graph network that reads the network's input, where it has one."""


def filled(page: str) -> str:
    """A page with each table between its two marks."""
    for study in STUDIES:
        page = _between(page, f"{study}.csv", lambda study=study: _summary(study))
    page = _between(page, "summary", lambda: short_table(read_rows(HERE / "paper" / "paper.csv")))
    page = _between(page, "sparse.csv", _sparse)
    page = _between(page, "formats.csv", _formats)
    return _between(page, "heading", _heading)


def short_table(rows: Sequence[Row]) -> str:
    """A few rows, Δ / bits per spike: means over seeds, neuron models and amplitudes of input."""
    tables = {
        table: [row for row in rows if row.table == table and not row.failed] for table in NETWORKS
    }
    lines = {
        "**`CircuitGNN`** (ours)": {
            table: _scores(_of(group, f"CircuitGNN{READS_INPUT[table]}"))
            for table, group in tables.items()
        },
        "`YoonGNN`, the published model, made to learn": {
            table: _where_made(_of(group, f"YoonGNN{READS_INPUT[table]}"), group)
            for table, group in tables.items()
        },
        "`YoonGNN`, as published, trained here": {
            table: _scores(_of(group, f"YoonGNN{READS_INPUT[table]}, as published"))
            for table, group in tables.items()
        },
        "`PoissonGLM`": {
            table: _scores(_of(group, "PoissonGLM")) for table, group in tables.items()
        },
        "best other baseline": {table: _best_other(group) for table, group in tables.items()},
        "oracle, which knows the network": {
            table: f"– / {mean(row.oracle_bits_per_spike_pooled for row in group):.3f}"
            for table, group in tables.items()
        },
        "*Yoon (2025), as printed*": {table: _as_printed(table) for table in tables},
    }
    return "\n".join(
        [
            f"| Δ / bits per spike | {' | '.join(NETWORKS.values())} |",
            f"|---|{'---:|' * len(NETWORKS)}",
            *(f"| {name} | {' | '.join(cells.values())} |" for name, cells in lines.items()),
            "",
        ]
    )


def _where_made(own: Sequence[Row], rows: Sequence[Row]) -> str:
    """A method's scores, once it has a row for every network and seed of a table."""
    return _scores(own) if _data(own) == _data(rows) else "to be made"


def _data(rows: Iterable[Row]) -> set[tuple[str, str, int]]:
    """What rows were fitted to."""
    return {(row.setting, row.neuron_model, row.seed) for row in rows}


def _of(rows: Iterable[Row], method: str) -> list[Row]:
    return [row for row in rows if row.method == method]


def _scores(rows: Sequence[Row]) -> str:
    """Means of Δ and, where spikes are predicted, of bits per spike."""
    bits = mean(row.bits_per_spike_pooled for row in rows)
    return f"{mean(row.delta for row in rows):.3f}" + (f" / {bits:.3f}" if bits == bits else "")


def _best_other(rows: Sequence[Row]) -> str:
    """The method with the least Δ beside both graph networks and the GLM, and its scores."""
    others = {row.method for row in rows} - {"PoissonGLM"}
    others -= {name for name in others if name.startswith(("CircuitGNN", "YoonGNN"))}
    best = min(sorted(others), key=lambda name: mean(row.delta for row in _of(rows, name)))
    return f"{_scores(_of(rows, best))} (`{best}`)"


def _as_printed(table: str) -> str:
    own = [line for line in PUBLISHED if line.table == table and line.method == "GNN"]
    return (
        f"{mean(line.delta for line in own):.3f} / {mean(line.bits_per_spike for line in own):.3f}"
    )


def _between(page: str, name: str, text: Callable[[], str]) -> str:
    """A page with a text between two marks, where it has them."""
    start, end = f"<!-- {name}: start -->\n", f"<!-- {name}: end -->\n"
    if start not in page:
        return page
    before, rest = page.split(start)
    _, after = rest.split(end)
    return f"{before}{start}\n{text()}\n{end}{after}"


def _summary(study: str) -> str:
    """A study in one table, and where it comes from."""
    rows = read_rows(HERE / study / f"{study}.csv")
    return f"{summary(rows)}\n\n{provenance(rows)}\n"


def _sparse() -> str:
    """The study of sparse circuits, as far as its table is filled."""
    rows = read_sparse_rows(HERE / "sparse" / "sparse.csv")
    if not rows:
        return "Not measured yet.\n"
    return f"{sparse_summary(rows)}\n\n{sparse_markdown(rows)}"


def _formats() -> str:
    """What can be read, and what came back of a recording that the library of the format wrote."""
    rows = read_cells(HERE / "formats.csv")
    lines = [
        "| your recording | what is read | install | as written by | spikes that came back | "
        "furthest (µs) | with them |",
        "|---|---|---|---|---:|---:|---|",
        *(_format(row) for row in rows),
    ]
    dates = sorted(row["date"] for row in rows)
    made = f"spikeweft {rows[-1]['version']}, {rows[-1]['machine']}, {dates[-1]}"
    return "\n".join([*lines, "", f"Last made by {rows[-1]['command']} ({made}).", ""])


def _format(row: Mapping[str, str]) -> str:
    install = f"`spikeweft[{row['extra']}]`" if row["extra"] else ""
    cells = [row["recording"], row["what_is_read"], install]
    cells += [f"{row['written_by']} {row['writer_version']}"]
    cells += [f"{int(row['n_spikes_same']):,} of {int(row['n_spikes_written']):,}"]
    cells += [row["furthest_us"], row["came_with_them"]]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")


def _heading() -> str:
    """Prediction and contrast of each model, the controls, and where they come from."""
    evidence = _rows("evidence")
    bits = {row["model"]: row["bits_per_spike"] for row in _rows("bits_per_spike", neuron="mean")}
    columns = ["bits per spike", "local − surround", "of it, tuning alone", "draws", "p"]
    lines = [
        f"| model | direction known | {' | '.join(columns)} |",
        f"|---|---|{'---:|' * len(columns)}",
        *(_line(row, bits) for row in evidence),
    ]
    first = evidence[0]
    made = f"spikeweft {first['spikeweft']}, {first['machine']}, {first['date']}."
    return "\n".join([*lines, "", f"{_direction_error()} {_repeats()} {made} {_simulated()}", ""])


def _simulated() -> str:
    """What CircuitGNN makes of simulated cells whose wiring is known."""
    rows = read_cells(HERE / "heading_controls.csv")
    unconnected, ring = (
        [row for row in rows if row["kind"] == f"{kind}_circuit_gnn"]
        for kind in ("unconnected", "ring")
    )
    n_false = sum(row["holds"] == "True" for row in unconnected)
    n_found = sum(row["holds"] == "True" for row in ring)
    likeness = [float(row["profile_correlation_with_truth"]) for row in ring]
    return (
        f"By the same rule, {n_false} of {len(unconnected)} simulated recordings of 19 cells "
        f"without connections are taken for a circuit, and {n_found} of {len(ring)} rings of "
        "which 19 of 100 neurons are recorded. The profile found there, less that of tuning "
        f"alone, correlates with the true one with r = {min(likeness):.2f} to "
        f"{max(likeness):.2f} (`heading_controls.csv`)."
    )


def _direction_error() -> str:
    share = {
        row["error_deg"]: float(row["share_of_recorded"])
        for row in _rows("direction_error", model="CircuitGNN")
        if row["share_of_recorded"]
    }
    said = ", ".join(f"{100 * value:.0f} % at {error}°" for error, value in share.items())
    return (
        "Cells without coupling that follow a direction somewhat off the recorded one would show a "
        f"part of CircuitGNN's contrast, the direction known: {said}."
    )


def _repeats() -> str:
    value = {row["what"]: float(row["value"]) for row in _rows("repeats")}
    weights = "weights of the regression with those of the recording"
    bits = "bits per spike of the recording's CircuitGNN over constant rates"
    return (
        f"Weights of the two halves of the recording correlate with r = "
        f"{value['CircuitGNN: weights of the two halves']:.2f}. Asleep, where the input is gone, "
        f"weights correlate with those awake with r = {value[f'rem: {weights}']:.2f} (REM) and "
        f"{value[f'sws: {weights}']:.2f} (slow-wave sleep; both by regression), and the waking "
        f"circuit predicts {value[f'rem: {bits}']:.2f} and {value[f'sws: {bits}']:.2f} bits per "
        "spike."
    )


def _line(row: dict[str, str], bits: dict[str, str]) -> str:
    known = row["direction_known"]
    hidden = f", {row['n_hidden']} hidden"
    ours = row["model"] == "CircuitGNN"
    name = row["model"] + hidden * ours
    scored = name + ", direction known" * (known == "True") if ours else REGRESSIONS[known]
    n = int(row["n_tuning_alone"])
    p = f"{float(row['p_tuning_alone']):.3f}" if n >= 19 else "–"
    values = [float(row[key]) for key in ("contrast", "contrast_tuning_alone")]
    cells = [
        name,
        "yes" if known == "True" else "no",
        f"{float(bits[scored]):.3f}",
        *(f"{value:.4f}" for value in values),
        str(n),
        p,
    ]
    return f"| {' | '.join(cells)} |"


def _rows(table: str, **having: str) -> list[dict[str, str]]:
    rows = read_cells(HERE / "heading" / f"{table}.csv")
    return [row for row in rows if all(row[key] == value for key, value in having.items())]


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(filled(page.read_text(encoding="utf-8")), encoding="utf-8")
