"""Plots of weights."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def weight_limit(*circuits: Connectivity) -> float:
    """Where colours saturate: the 99th percentile of |weight|, so no outlier pales the rest."""
    size = np.concatenate([np.abs(c.weights[c.informed]) for c in circuits])
    largest = float(size.max(initial=0.0))
    limit = float(np.quantile(size, 0.99)) if largest > 0 else 1.0
    return limit if limit > 0 else largest


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
def draw_weights_with_errors(circuit: Connectivity, style: Style, ax: Axes) -> Axes:
    """All weights in ascending order, with ± 1 standard error, or posterior sd, around each."""
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
    ax.set_xlabel("share of pairs (%)")
    return label_weights(ax, f"weight ± {error_name(circuit)}")


def error_name(circuit: Connectivity) -> str:
    """What the errors of a circuit are: posterior where its model has connection probabilities."""
    return "standard error" if circuit.probability is None else "posterior standard deviation"


def share_beyond(circuit: Connectivity, n_errors: float) -> float:
    """Share of the weights that lie more than so many standard errors from zero."""
    weight, error = _weights_and_errors(circuit)
    return float(np.mean(np.abs(weight) > n_errors * error))


@styled
def draw_weight_significance(circuit: Connectivity, style: Style, ax: Axes) -> Axes:
    """Histogram of weight / standard error, beside what noise alone would give.

    Weights beyond ten standard errors are counted at the edges, in words. A posterior mean over
    its standard deviation is no such ratio, so nothing is said of noise where these are drawn.
    """
    weight, error = _weights_and_errors(circuit)
    ratio = weight / error
    edges = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 81)
    share = np.full(len(ratio), 1.0 / (len(ratio) * (edges[1] - edges[0])))
    ax.hist(ratio, edges.tolist(), weights=share, color=style.colour, alpha=0.55, label=style.name)
    x = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 401)
    if circuit.probability is None:
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
