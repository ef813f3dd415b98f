"""The figures of a study: tuning, profiles beside their controls, weights, and bits per spike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.directions import slot_angles
from spikeweft.evaluation.circuit_agreement import Pairs
from spikeweft.head_direction.evidence import OURS, REGRESSION, Judged
from spikeweft.head_direction.ring import ring_matrix
from spikeweft.head_direction.study import Findings
from spikeweft.head_direction.tables import Row
from spikeweft.reporting.ordering import neuron_order
from spikeweft.reporting.plot_circuits import (
    draw_colour_scale,
    draw_weights,
    label_weights,
    weight_limit,
)
from spikeweft.reporting.plot_scores import draw_bits_per_spike, draw_limit, draw_range
from spikeweft.reporting.plot_style import (
    GLM,
    INFERRED,
    MUTED,
    Axes,
    Style,
    legend_beside,
    name_axes,
    panels,
)

_ALONE = Style(name="tuning alone, mean and range", colour=MUTED)

_SHUFFLED = Style(name="directions shuffled", colour="#e69f00")

_RECORDED = Style(name="recorded spikes", colour=GLM.colour)

_N_BARS = 41

_PROFILE = (
    "difference_deg",
    "mean_weight",
    "tuning_alone_mean",
    "tuning_alone_least",
    "tuning_alone_most",
)

_KNOWN = Style(name="spikeweft, direction known", colour="#009e73")


def profile_figure(rows: Iterable[Row], *, direction_known: bool) -> Axes:
    """Mean weight of CircuitGNN against angular difference, by number of hidden neurons.

    `rows` are those of `profiles.csv`, one per circuit and bin.
    """
    shown = [
        row for row in rows if row["model"] == OURS and row["direction_known"] == direction_known
    ]
    return _profiles(
        shown, lambda row: f"{row['n_hidden']} hidden", _KNOWN if direction_known else INFERRED
    )


def regression_figure(rows: Iterable[Row]) -> Axes:
    """The same of the regression, with and without the direction among its causes."""
    shown = [row for row in rows if row["model"] == REGRESSION]
    return _profiles(shown, lambda row: _direction(bool(row["direction_known"])), GLM)


def _profiles(rows: Sequence[Row], title_of: Callable[[Row], str], style: Style) -> Axes:
    """A panel per circuit, each beside what tuning alone gives."""
    by_circuit = {title: list(own) for title, own in groupby(rows, title_of)}
    axes = panels(list(by_circuit), width_in=11.0, height_in=3.1, share_y=style is not GLM)
    for own, ax in zip(by_circuit.values(), axes, strict=True):
        degrees, mean, alone, least, most = ([float(row[name]) for row in own] for name in _PROFILE)
        draw_range(degrees, alone, least, most, _ALONE, ax)
        draw_range(degrees, mean, mean, mean, style, ax)
        ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
        ax.set_xticks(range(-180, 181, 90))
        name_axes("pre − post direction (°)", "", ax)
    label_weights(axes[0], "mean weight")
    return legend_beside(axes[-1])


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Least and largest value, with a margin."""
    low, high = min(values), max(values)
    room = 0.05 * (high - low) or 1e-9
    return low - room, high + room


def _direction(known: bool) -> str:
    return "direction among the causes" if known else "direction not known to the model"


def tuning_figure(findings: Findings) -> Axes:
    """Tuning curves of the head-direction cells, each over its peak, and the cells' vectors."""
    prepared = findings.prepared
    curves = prepared.cells.curves
    by_direction, lengths = panels(
        ["tuning of the head-direction cells", "tuning beyond shuffled spikes"],
        width_in=11.0,
        height_in=3.4,
    )
    degrees = np.rad2deg(curves.centre_rad)
    for cell in prepared.chosen:
        rate = curves.rate_hz[:, cell]
        by_direction.plot(degrees, rate / np.nanmax(rate), color=INFERRED.colour, lw=0.9, alpha=0.7)
    by_direction.set_xticks(range(0, 361, 90))
    name_axes("direction (°)", "rate over its peak", by_direction)
    cells = prepared.cells
    lengths.plot(cells.threshold, cells.vector_length, "o", color=INFERRED.colour, ms=4.6, mew=0)
    lengths.plot([0, 1], [0, 1], color=MUTED, lw=0.8)
    lengths.set_xlim(0, 1)
    lengths.set_ylim(0, 1)
    name_axes("99th percentile of shifted spikes", "Rayleigh vector length", lengths)
    return by_direction


def bits_figure(findings: Findings) -> Axes:
    """Bits per spike of each neuron: CircuitGNN with the fewest hidden neurons, and regression."""
    n = min(findings.study.n_hidden)
    titles = ["direction among the causes", "direction not known to the models"]
    axes = panels(titles, width_in=11.0, height_in=3.2, share_y=True)
    names = ("tuning + coupling + own history", "coupling + own history")
    order = neuron_order(findings.quick[True])
    for ax, name, direction_known in zip(axes, names, (True, False), strict=True):
        ids = findings.prepared.recording.neuron_ids
        ours = findings.fits[n, direction_known].bits
        draw_bits_per_spike(ours, findings.regressions[name], None, order, ids, ax)
    return axes[0]


def weights_figure(findings: Findings) -> Axes:
    """Weights of CircuitGNN with the fewest hidden neurons, without pairs with an artefact."""
    sound = findings.prepared.sound
    return _matrices([_without_artefacts(circuit, sound) for circuit in _fewest_hidden(findings)])


def _without_artefacts(circuit: Connectivity, sound: Pairs) -> Connectivity:
    """The circuit in which pairs that are not `sound` are not informed."""
    error = 1.0 if circuit.standard_error is None else circuit.standard_error
    return replace(circuit, standard_error=np.where(sound, error, np.inf))


def ring_figure(findings: Findings) -> Axes:
    """The same, interpolated between the slots of the cells to all slots of the ring."""
    prepared = findings.prepared
    placed = [
        replace(circuit, angle_rad=slot_angles(prepared.slots))
        for circuit in _fewest_hidden(findings)
    ]
    return _matrices([ring_matrix(circuit, prepared.sound) for circuit in placed])


def _fewest_hidden(findings: Findings) -> list[Connectivity]:
    """Without and with the direction among the causes."""
    return [
        findings.fits[min(findings.study.n_hidden), direction_known].circuit
        for direction_known in (False, True)
    ]


def _matrices(ours: Sequence[Connectivity]) -> Axes:
    titles = [f"{OURS}, {_direction(direction_known)}" for direction_known in (False, True)]
    axes = panels(titles, width_in=11.0, height_in=4.6)
    limit = weight_limit(*ours)
    for circuit, ax in zip(ours, axes, strict=True):
        draw_weights(circuit, neuron_order(circuit), ax, limit)
    return draw_colour_scale(axes)


def evidence_figure(circuits: Sequence[Judged]) -> Axes:
    """The regression's contrast beside those of tuning alone and of shuffled directions."""
    shown = [row for row in circuits if row.model == REGRESSION]
    axes = panels([_direction(row.direction_known) for row in shown], width_in=11.0, height_in=2.8)
    for row, ax in zip(shown, axes, strict=True):
        found = row.evidence
        shuffled, alone = (
            [control.value for control in controls]
            for controls in (found.permuted, found.tuning_alone)
        )
        edges = np.linspace(*_span([*shuffled, *alone, found.observed.value]), _N_BARS).tolist()
        for values, colour, name in (
            (shuffled, _SHUFFLED.colour, _SHUFFLED.name),
            (alone, MUTED, "tuning alone"),
        ):
            share = [1.0 / len(values)] * len(values)
            ax.hist(values, edges, weights=share, color=colour, alpha=0.6, label=name)
        draw_limit(found.observed.value, _RECORDED, ax)
        name_axes("local less surround", "share", ax)
        legend_beside(ax)
    return axes[0]
