"""Plots of scores."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import (
    GLM,
    INFERRED,
    INK,
    ORACLE,
    RULE,
    Style,
    legend,
    mark_neurons,
    plain_number,
    styled,
)


@styled
def draw_scores(
    scores: Sequence[Sequence[float]], styles: Sequence[Style], name: str, ax: Axes
) -> Axes:
    """A bar per method to the mean over its fits, and a dot per fit; the first is on top."""
    for place, values, style in zip(_places(styles), scores, styles, strict=True):
        if np.isfinite(values).any():
            ax.barh(place, np.nanmean(values), height=0.62, color=style.colour, alpha=0.55, lw=0)
            ax.plot(values, np.full(len(values), place), "o", color=INK, ms=2.6, mew=0)
    ax.set_xlim(left=0.0)
    return _finish_methods(styles, name, ax)


@styled
def draw_score_dots(
    scores: Sequence[Sequence[float]], styles: Sequence[Style], name: str, ax: Axes
) -> Axes:
    """A dot per fit, for scores whose differences are small beside their size."""
    for place, values, style in zip(_places(styles), scores, styles, strict=True):
        ax.axhline(place, color=RULE, lw=0.6, zorder=0)
        ax.plot(
            values, np.full(len(values), place), "o", color=style.colour, ms=5.5, mew=0, alpha=0.8
        )
    return _finish_methods(styles, name, ax)


def _places(styles: Sequence[Style]) -> Int[np.ndarray, " method"]:
    return -np.arange(len(styles))


def _finish_methods(styles: Sequence[Style], name: str, ax: Axes) -> Axes:
    ax.set_yticks(_places(styles), [style.name for style in styles])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(0.6 - len(styles), 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(plain_number)
    ax.set_xlabel(name)
    return ax


@styled
def draw_limit(value: float, style: Style, ax: Axes) -> Axes:
    """An upright line at a value, named above the axes."""
    ax.axvline(value, color=style.colour, ls=style.line, lw=1.2, label=style.name, zorder=0)
    legend(ax)
    return ax


@styled
def draw_against(
    x: Sequence[float], scores: Sequence[Sequence[float]], style: Style, ax: Axes
) -> Axes:
    """A line through the means at each x, and the range of the fits around it."""
    mean, low, high = ([float(f(values)) for values in scores] for f in (np.mean, min, max))
    return draw_range(x, mean, low, high, style, ax)


@styled
def draw_range(
    x: Sequence[float],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    style: Style,
    ax: Axes,
) -> Axes:
    """A line through the means at each x, and a band from the lowest to the highest."""
    ax.fill_between(x, low, high, color=style.colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=style.colour, ls=style.line, marker="o", ms=3.6, mew=0, label=style.name)
    return ax


@styled
def draw_fits(x: Sequence[float], y: Sequence[float], style: Style, marker: str, ax: Axes) -> Axes:
    """A mark per fit: one of its scores or settings against another."""
    ax.plot(x, y, marker, color=style.colour, ms=4.6, mew=0, alpha=0.75, label=style.name)
    return ax


@styled
def draw_bits_per_spike(
    inferred: Float[np.ndarray, " neuron"],
    glm: Float[np.ndarray, " neuron"] | None,
    oracle: float | None,
    order: NeuronOrder,
    neuron_ids: tuple[str, ...],
    ax: Axes,
) -> Axes:
    """Bits per spike of each neuron in the order given; neurons without a score are left out.

    The oracle is a mean over neurons, so it is a line.
    """
    place = np.arange(len(inferred))
    ours = inferred[order.neurons]
    if glm is not None:
        theirs = glm[order.neurons]
        ax.vlines(place, theirs, ours, color=RULE, lw=1.2, zorder=1)
        ax.plot(place, theirs, "D", color=GLM.colour, ms=3.6, mew=0, label=GLM.name)
    ax.plot(place, ours, "o", color=INFERRED.colour, ms=4.6, mew=0, label=INFERRED.name)
    if oracle is not None:
        ax.axhline(oracle, color=ORACLE.colour, ls=ORACLE.line, lw=1.2, label="oracle, mean")
    ax.set_xlim(-0.8, len(place) - 0.2)
    ax.set_ylim(bottom=min(0.0, ax.get_ylim()[0]))
    ax.set_ylabel("bits per spike")
    legend(ax)
    mark_neurons(ax.xaxis, order, neuron_ids, "neuron")
    return ax
