"""Plots of weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.ticker import MaxNLocator

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import (
    INK,
    MUTED,
    NO_DATA,
    Style,
    figure_of,
    legend,
    mark_neurons,
    styled,
)
from spikeweft.results.notices import PAIR_NETWORK

_WEIGHT_COLOURS = "RdBu_r"
"""Red excites, blue inhibits: distinct under every common colour-vision deficiency."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_MANY_ERRORS = 10.0

_ROUNDING_RAD = 1e-9


@styled
def draw_weights(circuit: Connectivity, order: NeuronOrder, ax: Axes, limit: float) -> Axes:
    """Weight matrix, row receives, column sends; colours saturate at ±`limit`.

    The diagonal and pairs that the data do not inform (no finite standard error) are grey.
    """
    weights = np.where(circuit.informed, circuit.weights, np.nan)
    neurons = order.neurons
    ax.set_facecolor(NO_DATA)
    ax.imshow(
        weights[np.ix_(neurons, neurons)],
        cmap=_WEIGHT_COLOURS,
        vmin=-limit,
        vmax=limit,
        interpolation="none",
    )
    ax.spines[:].set_visible(True)
    mark_neurons(ax.xaxis, order, circuit.neuron_ids, "presynaptic neuron")
    mark_neurons(ax.yaxis, order, circuit.neuron_ids, "postsynaptic neuron")
    return ax


@styled
def draw_colour_scale(axes: Sequence[Axes]) -> Axes:
    """Colour scale beside the matrices that share it."""
    ax = axes[-1]
    (image,) = ax.images
    bar = figure_of(ax).colorbar(
        image, ax=list(axes), extend="both", shrink=0.82, aspect=24, pad=0.015
    )
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5, symmetric=True)
    bar.update_ticks()
    bar.ax.set_title(
        _thousands(bar.ax.yaxis, image.get_clim()[1]), fontsize=8.5, fontweight="normal"
    )
    return ax


class ColourLimit(NamedTuple):
    """Where the colours of weights saturate, and how that was chosen.

    Attributes
    ----------
    weight
        The |weight| from which on colours are the same; 1 where all weights are 0.
    in_words
        Where colours saturate, as a part of a sentence that says so.
    """

    weight: float
    in_words: str


def colour_limit(*circuits: Connectivity) -> ColourLimit:
    """The 99th percentile of |weight|, so no outlier pales the rest; the largest if that is 0."""
    size = np.concatenate([np.abs(c.weights[c.informed]) for c in circuits])
    largest = float(size.max(initial=0.0))
    if largest == 0:
        return ColourLimit(1.0, "nowhere, as all weights are 0")
    percentile = float(np.quantile(size, 0.99))
    if percentile > 0:
        return ColourLimit(percentile, f"at ±{percentile:.2g}, the 99th percentile of |weight|")
    return ColourLimit(largest, f"at ±{largest:.2g}, the largest |weight|, as nearly all are 0")


def weight_limit(*circuits: Connectivity) -> float:
    """The |weight| at which colours saturate, as `colour_limit` chooses it."""
    return colour_limit(*circuits).weight


@dataclass(frozen=True, slots=True, kw_only=True)
class AngularProfile:
    """Weights against the presynaptic neuron's direction relative to the postsynaptic one's.

    Attributes
    ----------
    difference_rad, weight
        Each pair of neurons, angles in [-π, π).
    centre_rad, mean, sd
        Weights averaged in as many angular bins as there are neurons; NaN where a bin is empty.
    """

    difference_rad: Float[np.ndarray, " pair"]
    weight: Float[np.ndarray, " pair"]
    centre_rad: Float[np.ndarray, " bin"]
    mean: Float[np.ndarray, " bin"]
    sd: Float[np.ndarray, " bin"]


def angular_profile(circuit: Connectivity) -> AngularProfile:
    """Mean and scatter of the weights by angular difference; on an even ring, by ring distance."""
    assert circuit.angle_rad is not None
    angle, n = circuit.angle_rad, circuit.n_neurons
    difference = angle[None, :] - angle[:, None]
    used = circuit.informed & np.isfinite(difference)
    width = 2 * np.pi / n
    bins = np.rint(difference[used] / width).astype(np.int64) % n
    weight = circuit.weights[used]
    count = np.bincount(bins, minlength=n)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(bins, weight, minlength=n) / count
        sd = np.sqrt(np.bincount(bins, (weight - mean[bins]) ** 2, minlength=n) / count)
    order = np.argsort(_wrap(np.arange(n) * width))
    return AngularProfile(
        difference_rad=_wrap(difference[used]),
        weight=weight,
        centre_rad=_wrap(np.arange(n) * width)[order],
        mean=mean[order],
        sd=sd[order],
    )


@styled
def draw_profile(circuit: Connectivity, style: Style, ax: Axes) -> Axes:
    """Weight against angular difference: pairs of neurons, and their mean ± sd."""
    profile = angular_profile(circuit)
    mean, sd = profile.mean, profile.sd
    degrees = np.rad2deg(profile.centre_rad)
    ax.scatter(
        np.rad2deg(profile.difference_rad),
        profile.weight,
        s=5 if len(profile.weight) < 5000 else 2,
        color=style.colour,
        alpha=0.35 if len(profile.weight) < 5000 else 0.06,
        linewidths=0,
        rasterized=True,
    )
    ax.fill_between(degrees, mean - sd, mean + sd, color=style.colour, alpha=0.22, lw=0)
    ax.plot(degrees, mean, color=style.colour, ls=style.line, label=f"{style.name}, mean ± sd")
    return _finish_profile(ax)


@styled
def draw_mean_profile(circuit: Connectivity, style: Style, ax: Axes) -> Axes:
    """Mean weight against angular difference, as a line to compare with."""
    profile = angular_profile(circuit)
    ax.plot(
        np.rad2deg(profile.centre_rad),
        profile.mean,
        color=style.colour,
        ls=style.line,
        lw=1.3,
        label=style.name,
    )
    return _finish_profile(ax)


def _finish_profile(ax: Axes) -> Axes:
    ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
    ax.set_xlim(-180, 180)
    ax.set_xticks(range(-180, 181, 90))
    ax.set_xlabel("presynaptic − postsynaptic preferred direction (°)")
    legend(ax)
    return ax


@styled
def label_weights(ax: Axes, name: str) -> Axes:
    """Name the weight axis, with the power of ten that its tick labels leave out."""
    power = _thousands(ax.yaxis, max(np.abs(ax.get_ylim())))
    ax.set_ylabel(f"{name} ({power})" if power else name)
    return ax


@styled
def draw_weights_with_errors(
    circuit: Connectivity, style: Style, ax: Axes, name: str = "weight"
) -> Axes:
    """Weights that the data inform in ascending order, with ± 1 of their errors around each."""
    weight, error = _weights_and_errors(circuit)
    order = np.argsort(weight)
    share = np.linspace(0.0, 100.0, len(weight))
    low, high = weight - error, weight + error
    ax.fill_between(
        share, low[order], high[order], color=style.colour, alpha=0.25, lw=0, rasterized=True
    )
    ax.plot(share, weight[order], color=style.colour)
    ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of pairs that the data inform (%)")
    label_weights(ax, name)
    ax.set_ylabel(f"{ax.get_ylabel()}\n± {error_name(circuit)}")
    return ax


def error_name(circuit: Connectivity) -> str:
    """What the errors of a circuit are.

    Posterior where its model has connection probabilities; those of free weights in their place
    where a network makes the weights.
    """
    if circuit.probability is not None:
        return "posterior standard deviation"
    return "free weight's standard error" if is_of_network(circuit) else "standard error"


def is_of_network(circuit: Connectivity) -> bool:
    """Whether a network of pairs makes the weights."""
    return PAIR_NETWORK in str(circuit.metadata.get("structure", ""))


def n_with_errors(circuit: Connectivity) -> int:
    """How many weights have a finite error above 0."""
    return len(_weights_and_errors(circuit)[0])


def share_beyond(circuit: Connectivity, n_errors: float) -> float:
    """Share of the weights that lie more than so many standard errors from zero."""
    weight, error = _weights_and_errors(circuit)
    return float(np.mean(np.abs(weight) > n_errors * error))


@styled
def draw_weight_significance(circuit: Connectivity, style: Style, ax: Axes) -> Axes:
    """Histogram of weight / standard error, beside what noise alone would give.

    Weights beyond ten standard errors are counted at the edges, in words. Of a posterior mean over
    its standard deviation, or a network's weight over the error of a free one, noise alone makes
    another histogram, so nothing is said of it.
    """
    weight, error = _weights_and_errors(circuit)
    ratio = weight / error
    edges = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 81)
    share = np.full(len(ratio), 1.0 / (len(ratio) * (edges[1] - edges[0])))
    ax.hist(ratio, edges.tolist(), weights=share, color=style.colour, alpha=0.55, label=style.name)
    x = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 401)
    if circuit.probability is None and not is_of_network(circuit):
        noise = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
        ax.plot(x, noise, color=INK, lw=1.2, label="noise alone")
    for side, align, beyond in (
        (0.01, "left", np.mean(ratio < -_MANY_ERRORS)),
        (0.99, "right", np.mean(ratio > _MANY_ERRORS)),
    ):
        if beyond > 0:
            ax.text(side, 0.96, f"{beyond:.1%} beyond", ha=align, va="top", transform=ax.transAxes)
    ax.set_xlim(-_MANY_ERRORS, _MANY_ERRORS)
    ax.set_xlabel(f"weight / {error_name(circuit)}")
    ax.set_ylabel("density")
    legend(ax)
    return ax


def _thousands(axis: Axis, size: float) -> str:
    """Tick labels that fit weights of this size, and the power of ten they leave out."""
    if not 0 < size < 0.01 and size < 1e4:
        return ""
    power = 3 * math.floor(math.log10(size) / 3)
    axis.set_major_formatter(lambda value, _: f"{value / 10.0**power:g}".replace("-", "−"))
    return f"×10{str(power).translate(_SUPERSCRIPT)}"


def _weights_and_errors(
    circuit: Connectivity,
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    assert circuit.standard_error is not None
    used = circuit.informed & (circuit.standard_error > 0)
    return circuit.weights[used], circuit.standard_error[used]


def _wrap(angle_rad: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Angles in [-π, π); what rounding leaves just below a full turn is its beginning."""
    from_back = np.mod(angle_rad + np.pi, 2 * np.pi)
    return np.where(2 * np.pi - from_back < _ROUNDING_RAD, 0.0, from_back) - np.pi
