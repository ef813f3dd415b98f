"""What all plots share: colours, styles, panels and files; a plot is `(data, ax) -> ax`."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import style
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from spikeweft.reporting.ordering import NeuronOrder

INK, MUTED, RULE, WASH, NO_DATA = "#1c252c", "#5a6670", "#d5dbe0", "#f0f2f4", "#b9c1c8"

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

styled = style.context(["default", _STYLE])
"""The house style while one of these functions runs, whatever the user's own settings."""

FULL_WIDTH_IN = 11.0
"""Width of a page."""

_LENGTHS_OF_NAMES = (12, 18, 24)

FEW_NEURONS = 25
"""Up to this many neurons, each is named on an axis."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How one method is drawn in every figure."""

    name: str
    colour: str
    line: str | tuple[int, tuple[float, float]] = "-"


INFERRED = Style(name="spikeweft", colour="#0072b2")

GLM = Style(name="GLM", colour="#d55e00")

TRUTH = Style(name="truth", colour=INK, line=(0, (4.0, 1.6)))

ORACLE = Style(name="oracle", colour=INK, line=(0, (1.0, 1.2)))


@styled
def panels(
    titles: Sequence[str],
    *,
    width_in: float,
    height_in: float,
    share_y: bool = False,
    n_columns: int | None = None,
) -> list[Axes]:
    """Empty axes on a figure of their own, one per title, in the house style.

    They stand side by side, or row by row where a number of columns is given.
    """
    n_columns = min(n_columns or len(titles), len(titles))
    n_rows = -(-len(titles) // n_columns)
    figure = Figure(figsize=(width_in, height_in), layout="compressed")
    axes = list(figure.subplots(n_rows, n_columns, sharey=share_y, squeeze=False).flat)
    for title, ax in zip(titles, axes, strict=False):
        ax.set_title(title)
    for ax in axes[len(titles) :]:
        ax.set_visible(False)
    return axes[: len(titles)]


@styled
def small_panels(titles: Sequence[str], n_columns: int, *, row_in: float) -> list[Axes]:
    """Empty axes row by row on a figure of full width, one per title, with small letters."""
    n_rows = -(-len(titles) // n_columns)
    apart = ConstrainedLayoutEngine(compress=True, w_pad=0.06, h_pad=0.09)
    figure = Figure(figsize=(FULL_WIDTH_IN, n_rows * row_in + 0.5), layout=apart)
    axes = list(figure.subplots(n_rows, n_columns, sharex=True, squeeze=False).flat)
    for title, ax in zip(titles, axes, strict=False):
        ax.set_title(title, fontsize=8.5, pad=4.0)
        ax.tick_params(labelsize=7.0, labelbottom=True)
    for ax in axes[len(titles) :]:
        ax.set_visible(False)
    return axes[: len(titles)]


@styled
def as_svg(ax: Axes) -> str:
    """The figure that holds `ax`, as SVG; the same data give the same text."""
    text = io.StringIO()
    figure_of(ax).savefig(
        text, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None}
    )
    return text.getvalue()


def size_in(ax: Axes) -> tuple[float, float]:
    """Width and height in inches of the figure that holds `ax`."""
    width_in, height_in = figure_of(ax).get_size_inches()
    return float(width_in), float(height_in)


@styled
def write_figure(ax: Axes, path: Path) -> list[Path]:
    """Write the figure that holds `ax` as .svg and .png beside each other."""
    svg, png = path.with_suffix(".svg"), path.with_suffix(".png")
    svg.write_text(as_svg(ax), encoding="utf-8")
    figure_of(ax).savefig(png, dpi=150, metadata={"Software": None})
    return [svg, png]


def plain_number(value: float, _: object = None) -> str:
    """A tick label without an exponent, with a true minus sign."""
    return f"{value:g}".replace("-", "−")


@styled
def name_axes(x_name: str, y_name: str, ax: Axes) -> Axes:
    """Names of the axes, with small tick labels, for panels that are small."""
    ax.set_xlabel(x_name)
    ax.set_ylabel(y_name)
    ax.tick_params(labelsize=6.5)
    return ax


@styled
def scale_axes(ax: Axes, *, log: str = "", x_ticks: Sequence[float] = ()) -> Axes:
    """Plain numbers on both axes; those named in `log` ("x", "xy") show equal ratios alike."""
    for name, axis in (("x", ax.xaxis), ("y", ax.yaxis)):
        if name in log:
            ax.set(**{f"{name}scale": "log"})
            axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(plain_number)
    if len(x_ticks):
        ax.xaxis.set_minor_locator(NullLocator())
        ax.set_xticks(x_ticks, [plain_number(tick) for tick in x_ticks])
    return ax


@styled
def legend_beside(ax: Axes) -> Axes:
    """A legend to the right of the axes, for more names than fit above them."""
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), borderaxespad=0.1)
    return ax


@styled
def legend_below(ax: Axes) -> Axes:
    """One legend under all panels, which show the same as these axes do."""
    figure_of(ax).legend(*ax.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return ax


def mark_neurons(axis: Axis, order: NeuronOrder, ids: tuple[str, ...], label: str) -> None:
    """Name the neurons on an axis: by id where few, else by direction where known, or place."""
    if len(ids) <= FEW_NEURONS:
        short = short_names(ids)
        names = [short[neuron] for neuron in order.neurons]
        upright = isinstance(axis, XAxis) and max(map(len, names)) > 2
        axis.set_ticks(np.arange(len(ids)), names, rotation=90 if upright else 0)
    elif order.angle_rad is not None:
        degrees = np.arange(0, 360, 90)
        axis.set_ticks(order.place_at(np.deg2rad(degrees)), [f"{d}°" for d in degrees])
    else:
        axis.set_major_locator(MaxNLocator(6, integer=True))
        label = f"position of {label}"
    axis.set_label_text(f"{label}, by {order.source.removeprefix('the ')}")


def short_names(names: Sequence[str]) -> list[str]:
    """The names, without the middle of long ones; they are cut less where two would look alike."""
    for n_letters in _LENGTHS_OF_NAMES:
        short = [_without_middle(name, n_letters) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return list(names)


def _without_middle(name: str, n_letters: int) -> str:
    n_last = n_letters // 2
    n_first = n_letters - n_last - 1
    return name if len(name) <= n_letters else f"{name[:n_first]}…{name[-n_last:]}"


def legend(ax: Axes) -> None:
    """Above the axes, to the right of the title, where it hides no data."""
    ax.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.1, ncols=4)


def figure_of(ax: Axes) -> Figure:
    """The figure that holds some axes."""
    figure = ax.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure
