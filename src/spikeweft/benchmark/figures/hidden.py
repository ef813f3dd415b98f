"""Figures of networks of which a part is hidden."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from spikeweft.benchmark.figures.row_groups import (
    SCORE_NAMES,
    file_name,
    grouped,
    values_by,
    values_of,
)
from spikeweft.benchmark.figures.scores import score_panels
from spikeweft.benchmark.rows import Row
from spikeweft.reporting.plot_scores import draw_against, draw_fits
from spikeweft.reporting.plot_style import Axes, Style, legend_beside, panels, scale_axes

_BY_OBSERVED = ("#e69f00", "#56b4e9", "#0072b2")

_HIDDEN_PEERS = {"PoissonGLM": "D", "CircuitGNN": "s", "CircuitGNN+drive, mixed columns": "X"}
"""What hidden neurons are compared with, and its markers."""


def hidden_figures(rows: Sequence[Row]) -> Iterator[tuple[str, Axes]]:
    """All methods without hidden neurons, and what these do for each method that is given some."""
    none = [row for row in rows if row.n_hidden == 0]
    by_observed = grouped(none, lambda row: f"{row.n_observed} observed")
    yield "partial_none_hidden", score_panels(by_observed, ("delta", "bits_per_spike_pooled"))
    for method in dict.fromkeys(row.method for row in rows if row.n_hidden):
        if method not in _HIDDEN_PEERS:
            yield f"partial_{file_name(method)}", _hidden(rows, method)


def _hidden(rows: Sequence[Row], method: str) -> Axes:
    """Errors and gain in bits per spike of a method against hidden neurons, a line per subset.

    Marks are what it is compared with; a cross is the control: as many parameters, and no circuit
    behind them.
    """
    peers = _HIDDEN_PEERS if method == "CircuitGNN+drive" else {}
    seen = [row for row in rows if row.method in (method, *peers)]
    fields = ("delta", "delta_informed", "bits_per_spike_pooled")
    axes = panels(["error", "error where informed", "prediction"], width_in=13.0, height_in=3.2)
    by_observed = grouped(_beside_none_hidden(seen, method), lambda row: row.n_observed)
    for ax, field in zip(axes, fields, strict=True):
        for n_observed, colour in zip(by_observed, _BY_OBSERVED, strict=False):
            by_method = grouped(by_observed[n_observed], lambda row: row.method)
            for peer in filter(by_method.get, peers):
                style = Style(name=f"{peer}, {n_observed} observed", colour=colour)
                fits = by_method[peer]
                at = [float(row.n_hidden) or -1.0 for row in fits]
                draw_fits(at, values_of(fits, field), style, peers[peer], ax)
            style = Style(name=f"{method}, {n_observed} observed", colour=colour)
            for subset in grouped(by_method.get(method, []), lambda row: row.seed).values():
                draw_against(*values_by(subset, "n_hidden", field), style, ax)
                style = replace(style, name="_of another subset")
        scale_axes(ax, x_ticks=sorted({float(row.n_hidden) for row in seen}))
        ax.set_xlabel("hidden neurons in the model")
        ax.set_ylabel(SCORE_NAMES[field])
    axes[0].set_ylim(bottom=0.0)
    axes[1].set_ylim(bottom=0.0)
    axes[2].set_ylabel("bits per spike above no hidden neurons")
    legend_beside(axes[-1])
    return axes[0]


def _beside_none_hidden(rows: Sequence[Row], method: str) -> list[Row]:
    """Bits per spike over those of a method without hidden neurons for the same spikes."""
    none = {
        (row.n_observed, row.seed): row.bits_per_spike_pooled
        for row in rows
        if row.method == method and row.n_hidden == 0
    }
    bits = [none.get((row.n_observed, row.seed), math.nan) for row in rows]
    return [
        replace(row, bits_per_spike_pooled=row.bits_per_spike_pooled - without)
        for row, without in zip(rows, bits, strict=True)
    ]
