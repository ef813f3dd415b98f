"""The figures of a study: tuning, profiles beside their controls, weights, and bits per spike."""

from collections.abc import Sequence

import numpy as np

from spikeweft.connectivity import Connectivity
from spikeweft.heading.judge import OURS, REGRESSION, Judged
from spikeweft.heading.profile import known_as, profile
from spikeweft.heading.ring_matrix import ring_matrix
from spikeweft.heading.workflow import Findings
from spikeweft.plots import (
    GLM,
    INFERRED,
    MUTED,
    Axes,
    Look,
    draw_against,
    draw_bits_per_spike,
    draw_colour_scale,
    draw_limit,
    draw_weights,
    label_weights,
    legend_beside,
    name_axes,
    neuron_order,
    panels,
    weight_limit,
)

_ALONE = Look(name="tuning alone, mean and range", colour=MUTED)
_SHUFFLED = Look(name="directions shuffled", colour="#e69f00")
_RECORDED = Look(name="recorded spikes", colour=GLM.colour)
_N_BARS = 41
_KNOWN = Look(name="spikeweft, direction known", colour="#009e73")


def profile_figure(circuits: Sequence[Judged], findings: Findings, aware: bool) -> Axes:
    """Mean weight of CircuitGNN against angular difference, by number of hidden neurons."""
    shown = [row for row in circuits if row.model == OURS and row.direction_known == aware]
    look = _KNOWN if aware else INFERRED
    return _profiles([f"{row.n_hidden} hidden" for row in shown], shown, findings, look)


def regression_figure(circuits: Sequence[Judged], findings: Findings) -> Axes:
    """The same of the regression, without and with the direction among its causes."""
    shown = [row for row in circuits if row.model == REGRESSION]
    return _profiles([_direction(row.direction_known) for row in shown], shown, findings, GLM)


def _profiles(
    titles: Sequence[str], shown: Sequence[Judged], findings: Findings, look: Look
) -> Axes:
    """A panel per circuit, each beside what tuning alone gives."""
    axes = panels(titles, width_in=11.0, height_in=3.1, share_y=look is not GLM)
    for row, ax in zip(shown, axes, strict=True):
        _draw_range([known_as(c, row.circuit) for c in row.uncoupled], findings, ax)
        _draw_profile(row.circuit, findings, look, ax)
        ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
        ax.set_xticks(range(-180, 181, 90))
        name_axes("pre − post direction (°)", "", ax)
    label_weights(axes[0], "mean weight")
    return legend_beside(axes[-1])


def _draw_profile(circuit: Connectivity, findings: Findings, look: Look, ax: Axes) -> None:
    seen = profile(circuit, findings.prepared.sound)
    degrees = np.rad2deg(seen.centre_rad)
    draw_against(degrees.tolist(), [[value] for value in seen.mean.tolist()], look, ax)


def _draw_range(circuits: Sequence[Connectivity], findings: Findings, ax: Axes) -> None:
    seen = [profile(circuit, findings.prepared.sound) for circuit in circuits]
    means = np.stack([each.mean for each in seen], axis=1)
    draw_against(np.rad2deg(seen[0].centre_rad).tolist(), means.tolist(), _ALONE, ax)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """Least and largest value, with some room."""
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
    """Bits per spike of each neuron: CircuitGNN and the regression, with the direction."""
    n = findings.study.n_hidden[0]
    titles = ["direction among the causes", "direction not known to the models"]
    axes = panels(titles, width_in=11.0, height_in=3.2, share_y=True)
    names = ("tuning + coupling + own history", "coupling + own history")
    order = neuron_order(findings.quick[True])
    for ax, name, aware in zip(axes, names, (True, False), strict=True):
        ids = findings.prepared.recording.neuron_ids
        ours = findings.fits[n, aware].bits
        draw_bits_per_spike(ours, findings.regressions[name], None, order, ids, ax)
    return axes[0]


def weights_figure(findings: Findings) -> Axes:
    """Weights of CircuitGNN with the fewest hidden neurons."""
    return _matrices(_fewest_hidden(findings))


def ring_figure(findings: Findings) -> Axes:
    """The same, interpolated between the cells to all slots of the ring."""
    sound = findings.prepared.sound
    return _matrices([ring_matrix(circuit, sound) for circuit in _fewest_hidden(findings)])


def _fewest_hidden(findings: Findings) -> list[Connectivity]:
    """Without and with the direction among the causes."""
    return [findings.fits[min(findings.study.n_hidden), aware].circuit for aware in (False, True)]


def _matrices(ours: Sequence[Connectivity]) -> Axes:
    titles = [f"{OURS}, {_direction(aware)}" for aware in (False, True)]
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
