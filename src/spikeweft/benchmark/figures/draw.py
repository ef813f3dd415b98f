"""All figures of a folder of studies, drawn from its tables and circuits alone."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from spikeweft.benchmark.figures.circuits import circuit_panels
from spikeweft.benchmark.figures.curves import bits_against_delta, curve_figures
from spikeweft.benchmark.figures.hidden import hidden_figures
from spikeweft.benchmark.figures.row_groups import file_name, grouped
from spikeweft.benchmark.figures.scores import ablation_panels, score_panels, telling_scores
from spikeweft.benchmark.figures.stored_circuits import stored
from spikeweft.benchmark.markdown_tables import STUDIES
from spikeweft.benchmark.rows import Row, read_rows
from spikeweft.benchmark.run import weights_file
from spikeweft.errors import InputError
from spikeweft.reporting.plot_style import Axes, write_figure
from spikeweft.runtime.files import written_to

_PREDICTABLE_BITS = 0.1
"""Oracles below it leave next to nothing to predict, of which a share says little."""


def draw_figures(folder: Path) -> list[Path]:
    """Draw all figures that the tables in a folder allow, as .svg and .png in `folder/figures`.

    Matrices are drawn of networks whose circuits are all in `folder/weights`; see `circuits_gone`.

    Raises
    ------
    InputError
        Where the figures cannot be written, or a table or a circuit is damaged.
    """
    rows, place = _rows(folder), folder / "figures"
    try:
        place.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(
            f"the folder {place} cannot be made ({error.strerror or error}); move away what is in "
            "its place, or choose another folder"
        ) from error
    with written_to(place):
        return [
            path for name, ax in _figures(rows, folder) for path in write_figure(ax, place / name)
        ]


def circuits_gone(folder: Path) -> list[Path]:
    """Circuits that figures need and the folder lacks: tables are handed on, circuits seldom."""
    needed = [row for group in _by_network(_rows(folder)).values() for row in _of_first_seed(group)]
    return [path for row in needed if not (path := weights_file(folder, row)).exists()]


def _figures(rows: Sequence[Row], folder: Path) -> Iterator[tuple[str, Axes]]:
    for setting, group in grouped(rows, lambda row: (row.study, row.table, row.setting)).items():
        name = "_".join(map(file_name, setting))
        study, table, _ = setting
        if _has_circuits(group[0]):
            by_model = grouped(group, lambda row: f"{row.neuron_model} neurons")
            yield f"scores_{name}", score_panels(by_model, telling_scores(group))
            for neuron_model, same in grouped(group, lambda row: row.neuron_model).items():
                first = _of_first_seed(same)
                if all(weights_file(folder, row).exists() for row in first):
                    circuits = {row.method: stored(folder, row) for row in first}
                    yield (
                        f"circuits_{name}_{neuron_model.replace(' ', '-')}",
                        circuit_panels(circuits),
                    )
        elif table == "partial":
            yield from hidden_figures(group)
        elif study == "ablations":
            yield "ablations", ablation_panels(group)
    yield from curve_figures(rows)
    predicted = [
        row
        for row in rows
        if row.oracle_bits_per_spike_pooled > _PREDICTABLE_BITS
        and math.isfinite(row.bits_per_spike_pooled)
    ]
    if predicted:
        yield "bits_against_delta", bits_against_delta(predicted)


def _rows(folder: Path) -> list[Row]:
    rows = [row for study in STUDIES for row in read_rows(folder / f"{study}.csv")]
    return [row for row in rows if not row.failed]


def _has_circuits(row: Row) -> bool:
    """Whether matrices are drawn of the network of a row."""
    return row.study in ("paper", "wirings") and row.table != "partial"


def _by_network(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    shown = [row for row in rows if _has_circuits(row)]
    return grouped(shown, lambda row: (row.study, row.table, row.setting, row.neuron_model))


def _of_first_seed(rows: Sequence[Row]) -> list[Row]:
    seed = min(row.seed for row in rows)
    return [row for row in rows if row.seed == seed]
