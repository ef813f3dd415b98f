"""Plots: each draws one thing into an axes, `(data, ax) -> ax`; only this file knows matplotlib."""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from spikeweft.connectivity import Connectivity
from spikeweft.recording import Covariate, Recording
from spikeweft.train import Progress

INK, MUTED, RULE, WASH, NO_DATA = "#1c252c", "#5a6670", "#d5dbe0", "#f0f2f4", "#b9c1c8"
_WEIGHT_COLOURS = "RdBu_r"
"""Red excites, blue inhibits: told apart under every common colour-vision deficiency."""

_STYLE = {
    "figure.facecolor": "white",
    "figure.constrained_layout.h_pad": 0.04,
    "figure.constrained_layout.w_pad": 0.06,
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "text.color": INK,
    "text.parse_math": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.formatter.limits": (-2, 4),
    "axes.formatter.use_mathtext": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "savefig.dpi": 220,
    "svg.fonttype": "path",
    "svg.hashsalt": "spikeweft",
}
_styled = style.context(["default", _STYLE])
"""The house style, whatever the user's own settings, and only while a function of ours runs."""

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_MANY_ERRORS = 10.0

FEW_NEURONS = 25
"""Up to this many neurons, each is named on an axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How one method is shown, everywhere alike."""

    name: str
    colour: str
    line: str | tuple[int, tuple[float, float]] = "-"


INFERRED = Look(name="spikeweft", colour="#0072b2")
GLM = Look(name="GLM", colour="#d55e00")
TRUTH = Look(name="truth", colour=INK, line=(0, (4.0, 1.6)))
ORACLE = Look(name="oracle", colour=INK, line=(0, (1.0, 1.2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronOrder:
    """The order in which neurons are shown, and where it comes from.

    Attributes
    ----------
    neurons
        Index of the neuron at each place.
    angle_rad
        Preferred direction at each place, ascending, NaN last; None where the order was inferred.
    """

    neurons: Int[np.ndarray, " place"]
    angle_rad: Float[np.ndarray, " place"] | None = None

    @property
    def source(self) -> str:
        """What the neurons are sorted by, in words."""
        return "the inferred circuit" if self.angle_rad is None else "preferred direction"

    @property
    def place(self) -> Int[np.ndarray, " neuron"]:
        """Place of each neuron, the inverse of `neurons`."""
        return np.argsort(self.neurons)

    def place_at(self, angle_rad: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Where a direction lies between the places of the neurons that prefer its neighbours."""
        assert self.angle_rad is not None
        known = self.angle_rad[np.isfinite(self.angle_rad)]
        around = np.concatenate([[known[-1] - 2 * np.pi], known, [known[0] + 2 * np.pi]])
        return np.interp(np.mod(angle_rad, 2 * np.pi), around, np.arange(-1, len(known) + 1))


def neuron_order(circuit: Connectivity) -> NeuronOrder:
    """Order by preferred direction where known, else as the circuit itself suggests."""
    if circuit.angle_rad is None or not np.isfinite(circuit.angle_rad).any():
        return NeuronOrder(neurons=circular_order(circuit.weights))
    angle = np.mod(circuit.angle_rad, 2 * np.pi)
    neurons = np.argsort(angle, kind="stable")
    return NeuronOrder(neurons=neurons, angle_rad=angle[neurons])


def circular_order(weights: Float[np.ndarray, "post pre"]) -> Int[np.ndarray, " place"]:
    """Order of the neurons around a circle, so that neurons with like connections are neighbours.

    Spectral seriation (Atkins et al. 1998): each neuron is linked to those whose incoming and
    outgoing weights correlate best with its own; the two slowest modes of that graph put it on a
    circle. A ring is recovered up to rotation and reflection; the order starts at neuron 0.
    """
    n = len(weights)
    if n < 4:
        return np.arange(n)
    likeness = _likeness(weights)
    n_nearest = min(max(4, n // 12), n - 1)
    nearest = np.partition(likeness, -n_nearest, axis=1)[:, -n_nearest, None]
    linked = np.where(likeness >= nearest, likeness, 0.0)
    # A faint link between all pairs keeps the graph in one piece.
    graph = np.maximum(linked, linked.T) + 1e-3
    root_degree = np.sqrt(graph.sum(axis=1))
    _, modes = np.linalg.eigh(graph / np.outer(root_degree, root_degree))
    east, north = (modes[:, [-2, -3]] / root_degree[:, None]).T
    order = np.argsort(np.arctan2(north, east), kind="stable")
    order = np.roll(order, -int(np.argmin(order)))
    return order if order[1] < order[-1] else np.roll(order[::-1], 1)


def _likeness(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, "neuron neuron"]:
    """Correlation of two neurons' weights with all others, in and out, where positive.

    The weights between the two, and of each to itself, have no counterpart and are left out.
    """
    n = len(weights)
    off_diagonal = ~np.eye(n, dtype=bool)
    product, power = np.zeros((n, n)), np.zeros((n, n))
    for side in (weights, weights.T):
        mean = side.mean(axis=1, keepdims=True, where=off_diagonal)
        centred = np.where(off_diagonal, side - mean, 0.0)
        product += centred @ centred.T
        power += np.sum(centred**2, axis=1, keepdims=True) - centred**2
    norm = np.sqrt(np.clip(power * power.T, 0.0, None))
    likeness = np.divide(product, norm, out=np.zeros((n, n)), where=norm > 0)
    return np.clip(likeness, 0.0, 1.0) * off_diagonal


@_styled
def panels(
    titles: Sequence[str], *, width_in: float, height_in: float, share_y: bool = False
) -> list[Axes]:
    """Empty axes side by side on a figure of their own, one per title, in the house style."""
    figure = Figure(figsize=(width_in, height_in), layout="compressed")
    axes = list(figure.subplots(1, len(titles), sharey=share_y, squeeze=False)[0])
    for title, ax in zip(titles, axes, strict=True):
        ax.set_title(title)
    return axes


@_styled
def as_svg(ax: Axes) -> str:
    """The figure that holds `ax`, as SVG; the same data give the same text."""
    text = io.StringIO()
    _figure(ax).savefig(
        text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    return text.getvalue()


def size_in(ax: Axes) -> tuple[float, float]:
    """Width and height in inches of the figure that holds `ax`."""
    width_in, height_in = _figure(ax).get_size_inches()
    return float(width_in), float(height_in)


@_styled
def write_figure(ax: Axes, path: Path) -> list[Path]:
    """Write the figure that holds `ax` as .svg and .png beside each other."""
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    svg.write_text(as_svg(ax), encoding="utf-8")
    _figure(ax).savefig(png, dpi=150, metadata={"Software": None})
    return [svg, png]


@_styled
def draw_scores(
    scores: Sequence[Sequence[float]], looks: Sequence[Look], name: str, ax: Axes
) -> Axes:
    """A bar per method to the mean over its fits, and a dot per fit; the first is on top."""
    for place, values, look in zip(_places(looks), scores, looks, strict=True):
        if np.isfinite(values).any():
            ax.barh(place, np.nanmean(values), height=0.62, color=look.colour, alpha=0.55, lw=0)
            ax.plot(values, np.full(len(values), place), "o", color=INK, ms=2.6, mew=0)
    ax.set_xlim(left=0.0)
    return _finish_methods(looks, name, ax)


@_styled
def draw_score_dots(
    scores: Sequence[Sequence[float]], looks: Sequence[Look], name: str, ax: Axes
) -> Axes:
    """A dot per fit, for scores whose differences are small beside their size."""
    for place, values, look in zip(_places(looks), scores, looks, strict=True):
        ax.axhline(place, color=RULE, lw=0.6, zorder=0)
        ax.plot(
            values, np.full(len(values), place), "o", color=look.colour, ms=5.5, mew=0, alpha=0.8
        )
    return _finish_methods(looks, name, ax)


def _places(looks: Sequence[Look]) -> Int[np.ndarray, " method"]:
    return -np.arange(len(looks))


def _finish_methods(looks: Sequence[Look], name: str, ax: Axes) -> Axes:
    ax.set_yticks(_places(looks), [look.name for look in looks])
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(0.6 - len(looks), 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    ax.xaxis.set_major_formatter(_plain_number)
    ax.set_xlabel(name)
    return ax


def _plain_number(value: float, _: object = None) -> str:
    return f"{value:g}".replace("-", "−")


@_styled
def draw_limit(value: float, look: Look, ax: Axes) -> Axes:
    """An upright line at a value, named above the axes."""
    ax.axvline(value, color=look.colour, ls=look.line, lw=1.2, label=look.name, zorder=0)
    _legend(ax)
    return ax


@_styled
def draw_against(
    x: Sequence[float], scores: Sequence[Sequence[float]], look: Look, ax: Axes
) -> Axes:
    """A line through the means at each x, and the range of the fits around it."""
    mean, low, high = ([float(f(values)) for values in scores] for f in (np.mean, min, max))
    return draw_range(x, mean, low, high, look, ax)


@_styled
def draw_range(
    x: Sequence[float],
    mean: Sequence[float],
    low: Sequence[float],
    high: Sequence[float],
    look: Look,
    ax: Axes,
) -> Axes:
    """A line through the means at each x, and a band from the lowest to the highest."""
    ax.fill_between(x, low, high, color=look.colour, alpha=0.18, lw=0)
    ax.plot(x, mean, color=look.colour, ls=look.line, marker="o", ms=3.6, mew=0, label=look.name)
    return ax


@_styled
def draw_fits(x: Sequence[float], y: Sequence[float], look: Look, marker: str, ax: Axes) -> Axes:
    """A mark per fit: one of its scores or settings against another."""
    ax.plot(x, y, marker, color=look.colour, ms=4.6, mew=0, alpha=0.75, label=look.name)
    return ax


@_styled
def name_axes(x_name: str, y_name: str, ax: Axes) -> Axes:
    """Names of the axes, with small tick labels, for panels that are small."""
    ax.set_xlabel(x_name)
    ax.set_ylabel(y_name)
    ax.tick_params(labelsize=6.5)
    return ax


@_styled
def scale_axes(ax: Axes, *, log: str = "", x_ticks: Sequence[float] = ()) -> Axes:
    """Plain numbers on both axes; those named in `log` ("x", "xy") show equal ratios alike."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name in log:
            ax.set(**{f"{name}scale": "log"})
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(_plain_number)
    if len(x_ticks):
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(x_ticks, [_plain_number(tick) for tick in x_ticks])
    return ax


@_styled
def legend_beside(ax: Axes) -> Axes:
    """A legend to the right of the axes, for more names than fit above them."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0.1)
    return ax


@_styled
def draw_raster(recording: Recording, order: NeuronOrder, ax: Axes) -> Axes:
    """Spikes of each neuron in the order given; gaps between epochs are shaded."""
    place = order.place[recording.spike_neurons]
    ax.vlines(
        recording.spike_times_s, place - 0.42, place + 0.42, colors=INK, lw=0.7, rasterized=True
    )
    for stop, start in zip(recording.epochs_s[:-1, 1], recording.epochs_s[1:, 0], strict=True):
        ax.axvspan(stop, start, color=WASH, lw=0)
    ax.set_xlim(recording.epochs_s[0, 0], recording.epochs_s[-1, 1])
    ax.set_ylim(-0.5, recording.n_neurons - 0.5)
    ax.set_xlabel("time (s)")
    _mark_neurons(ax.yaxis, order, recording.neuron_ids, "neuron")
    return ax


@_styled
def draw_direction(
    direction: Covariate, recording: Recording, order: NeuronOrder, ax: Axes
) -> Axes:
    """The animal's direction over a raster sorted by preferred direction, as a line."""
    for start, stop in recording.epochs_s:
        inside = (direction.times_s >= start) & (direction.times_s <= stop)
        place = order.place_at(direction.values[inside])
        full_turn = np.abs(np.diff(place, prepend=place[:1])) > recording.n_neurons / 2
        place[full_turn] = np.nan
        ax.plot(direction.times_s[inside], place, color=GLM.colour, lw=1.8, alpha=0.9)
    return ax


@_styled
def draw_weights(circuit: Connectivity, order: NeuronOrder, ax: Axes, limit: float) -> Axes:
    """Weight matrix, row receives, column sends; colours saturate at ±`limit`.

    The diagonal, and pairs of which the data say nothing (no finite standard error), are grey.
    """
    weights = np.where(informed_pairs(circuit), circuit.weights, np.nan)
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
    _mark_neurons(ax.xaxis, order, circuit.neuron_ids, "presynaptic neuron")
    _mark_neurons(ax.yaxis, order, circuit.neuron_ids, "postsynaptic neuron")
    return ax


@_styled
def draw_colour_scale(axes: Sequence[Axes]) -> Axes:
    """Colour scale beside the matrices that share it."""
    ax = axes[-1]
    (image,) = ax.images
    bar = _figure(ax).colorbar(
        image, ax=list(axes), extend="both", shrink=0.82, aspect=24, pad=0.015
    )
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5, symmetric=True)
    bar.update_ticks()
    bar.ax.set_title(
        _thousands(bar.ax.yaxis, image.get_clim()[1]), fontsize=8.5, fontweight="normal"
    )
    return ax


def informed_pairs(circuit: Connectivity) -> Bool[np.ndarray, "post pre"]:
    """Pairs of different neurons that the data say something about: their error is finite."""
    if circuit.standard_error is None:
        return circuit.off_diagonal
    return circuit.off_diagonal & np.isfinite(circuit.standard_error)


def weight_limit(*circuits: Connectivity) -> float:
    """Where colours saturate: the 99th percentile of |weight|, so no outlier pales the rest."""
    size = np.concatenate([np.abs(c.weights[informed_pairs(c)]) for c in circuits])
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
    used = informed_pairs(circuit) & np.isfinite(difference)
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


@_styled
def draw_profile(circuit: Connectivity, look: Look, ax: Axes) -> Axes:
    """Weight against angular difference: pairs of neurons, and their mean ± sd."""
    profile = angular_profile(circuit)
    mean, sd = profile.mean, profile.sd
    degrees = np.rad2deg(profile.centre_rad)
    ax.scatter(
        np.rad2deg(profile.difference_rad),
        profile.weight,
        s=5 if len(profile.weight) < 5000 else 2,
        color=look.colour,
        alpha=0.35 if len(profile.weight) < 5000 else 0.06,
        linewidths=0,
        rasterized=True,
    )
    ax.fill_between(degrees, mean - sd, mean + sd, color=look.colour, alpha=0.22, lw=0)
    ax.plot(degrees, mean, color=look.colour, ls=look.line, label=f"{look.name}, mean ± sd")
    return _finish_profile(ax)


@_styled
def draw_mean_profile(circuit: Connectivity, look: Look, ax: Axes) -> Axes:
    """Mean weight against angular difference, as a line to compare with."""
    profile = angular_profile(circuit)
    ax.plot(
        np.rad2deg(profile.centre_rad),
        profile.mean,
        color=look.colour,
        ls=look.line,
        lw=1.3,
        label=look.name,
    )
    return _finish_profile(ax)


def _finish_profile(ax: Axes) -> Axes:
    ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
    ax.set_xlim(-180, 180)
    ax.set_xticks(range(-180, 181, 90))
    ax.set_xlabel("presynaptic − postsynaptic preferred direction (°)")
    _legend(ax)
    return ax


@_styled
def label_weights(ax: Axes, name: str) -> Axes:
    """Name the weight axis, with the power of ten that its tick labels leave out."""
    power = _thousands(ax.yaxis, max(np.abs(ax.get_ylim())))
    ax.set_ylabel(f"{name} ({power})" if power else name)
    return ax


@_styled
def draw_weights_with_errors(circuit: Connectivity, look: Look, ax: Axes) -> Axes:
    """All weights in ascending order, with ± 1 standard error around each."""
    weight, error = _weights_and_errors(circuit)
    order = np.argsort(weight)
    share = np.linspace(0.0, 100.0, len(weight))
    low, high = weight - error, weight + error
    ax.fill_between(
        share, low[order], high[order], color=look.colour, alpha=0.25, lw=0, rasterized=True
    )
    ax.plot(share, weight[order], color=look.colour)
    ax.axhline(0.0, color=MUTED, lw=0.6, zorder=0)
    ax.set_xlim(0, 100)
    ax.set_xlabel("share of pairs (%)")
    return label_weights(ax, "weight ± standard error")


def share_beyond(circuit: Connectivity, n_errors: float) -> float:
    """Share of the weights that lie more than so many standard errors from zero."""
    weight, error = _weights_and_errors(circuit)
    return float(np.mean(np.abs(weight) > n_errors * error))


@_styled
def draw_weight_significance(circuit: Connectivity, look: Look, ax: Axes) -> Axes:
    """Histogram of weight / standard error, beside what noise alone would give.

    Weights beyond ten standard errors are counted at the edges, in words.
    """
    weight, error = _weights_and_errors(circuit)
    ratio = weight / error
    edges = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 81)
    share = np.full(len(ratio), 1.0 / (len(ratio) * (edges[1] - edges[0])))
    ax.hist(ratio, edges.tolist(), weights=share, color=look.colour, alpha=0.55, label=look.name)
    x = np.linspace(-_MANY_ERRORS, _MANY_ERRORS, 401)
    ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=INK, lw=1.2, label="noise alone")
    for side, align, beyond in (
        (0.01, "left", np.mean(ratio < -_MANY_ERRORS)),
        (0.99, "right", np.mean(ratio > _MANY_ERRORS)),
    ):
        if beyond > 0:
            ax.text(side, 0.96, f"{beyond:.1%} beyond", ha=align, va="top", transform=ax.transAxes)
    ax.set_xlim(-_MANY_ERRORS, _MANY_ERRORS)
    ax.set_xlabel("weight / standard error")
    ax.set_ylabel("density")
    _legend(ax)
    return ax


@_styled
def draw_loss(history: list[Progress], ax: Axes) -> Axes:
    """Training loss by step, with the stages of training marked."""
    _draw_curve(history, np.array([progress.loss for progress in history]), ax)
    ax.set_ylabel("loss (nats per spike)")
    return ax


@_styled
def draw_held_out(history: list[Progress], ax: Axes) -> Axes:
    """Held-out bits per spike by step, with the stages of training marked."""
    _draw_curve(history, np.array([p.held_out_bits_per_spike for p in history]), ax)
    ax.set_ylabel("held-out bits per spike")
    return ax


def _draw_curve(history: list[Progress], values: Float[np.ndarray, " step"], ax: Axes) -> None:
    step = np.arange(1, len(history) + 1)
    marker = "o" if len(history) <= 60 else None
    ax.plot(step, values, color=INFERRED.colour, marker=marker, ms=3)
    ax.set_xlabel("training step")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    stages = [progress.stage for progress in history]
    starts = [i for i, stage in enumerate(stages) if i == 0 or stage != stages[i - 1]]
    for number, (start, stop) in enumerate(zip(starts, [*starts[1:], len(stages)], strict=True)):
        if number % 2:
            ax.axvspan(start + 0.5, stop + 0.5, color=WASH, lw=0, zorder=0)
        ax.annotate(
            stages[start],
            (start + 0.5, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(2, 4),
            textcoords="offset points",
            fontsize=8,
            color=MUTED,
            rotation=30 if len(starts) > 3 else 0,
        )
    ax.set_xlim(0.5, len(history) + 0.5)


@_styled
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
    _legend(ax)
    _mark_neurons(ax.xaxis, order, neuron_ids, "neuron")
    return ax


def _mark_neurons(axis: Axis, order: NeuronOrder, ids: tuple[str, ...], label: str) -> None:
    """Name the neurons on an axis: by id where they are few, else by direction where known."""
    if len(ids) <= FEW_NEURONS:
        names = [_short(ids[neuron]) for neuron in order.neurons]
        upright = isinstance(axis, XAxis) and max(map(len, names)) > 2
        axis.set_ticks(np.arange(len(ids)), names, rotation=90 if upright else 0)
    elif order.angle_rad is not None:
        degrees = np.arange(0, 360, 90)
        axis.set_ticks(order.place_at(np.deg2rad(degrees)), [f"{d}°" for d in degrees])
    else:
        axis.set_major_locator(MaxNLocator(6, integer=True))
    axis.set_label_text(f"{label}, by {order.source.removeprefix('the ')}")


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"


def _legend(ax: Axes) -> None:
    """Above the axes, to the right of the title, where it hides no data."""
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1, ncols=4)


def _thousands(axis: Axis, size: float) -> str:
    """Tick labels that fit weights of this size, and the power of ten they leave out."""
    if not 0 < size < 0.01 and size < 1e4:
        return ""
    power = 3 * math.floor(math.log10(size) / 3)
    axis.set_major_formatter(lambda value, _: f"{value / 10.0**power:g}".replace("-", "−"))
    return f"×10{str(power).translate(_SUPERSCRIPT)}"


def _figure(ax: Axes) -> Figure:
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def _weights_and_errors(
    circuit: Connectivity,
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, " pair"]]:
    assert circuit.standard_error is not None
    used = informed_pairs(circuit) & (circuit.standard_error > 0)
    return circuit.weights[used], circuit.standard_error[used]


def _wrap(angle_rad: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Angles in [-π, π); rounding makes both ends of a turn the same."""
    return np.mod(np.round(angle_rad, 9) + np.pi, 2 * np.pi) - np.pi
