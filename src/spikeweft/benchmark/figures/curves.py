"""Figures of curves: the error against what was varied, and against prediction."""

from collections.abc import Iterator, Sequence

from spikeweft.benchmark.figures.method_styles import BOUND, method_style
from spikeweft.benchmark.figures.row_groups import SCORE_NAMES, grouped, values_by, values_of
from spikeweft.benchmark.rows import Row
from spikeweft.reporting.plot_scores import draw_against, draw_fits
from spikeweft.reporting.plot_style import Axes, legend_beside, panels, scale_axes

_MARKERS = "osD^vPX<>*hpd8"


def curve_figures(rows: Sequence[Row]) -> Iterator[tuple[str, Axes]]:
    """The error against recurrent strength and against recorded time, where rows vary these."""
    for table, field, name in (
        ("strength", "recurrent_strength", "recurrent strength r"),
        ("minutes", "minutes", "minutes recorded"),
    ):
        group = [row for row in rows if (row.study, row.table) == ("curves", table)]
        if group:
            yield f"delta_against_{table}", _delta_against(group, field, name)


def _delta_against(rows: Sequence[Row], field: str, name: str) -> Axes:
    """Δ of each method against what was varied, and the bound of free weights."""
    (ax,) = panels([f"error against {name}"], width_in=6.8, height_in=3.4)
    for method, group in grouped(rows, lambda row: row.method).items():
        draw_against(*values_by(group, field, "delta"), method_style(method), ax)
    draw_against(*values_by(rows, field, "cramer_rao_delta"), BOUND, ax)
    values = sorted(set(values_of(rows, field)))
    scale_axes(ax, log="xy", x_ticks=values if len(values) < 8 else ())
    ax.set_xlabel(name)
    ax.set_ylabel(SCORE_NAMES["delta"])
    return legend_beside(ax)


def bits_against_delta(rows: Sequence[Row]) -> Axes:
    """All fits: how near the oracle they predict, against how near the truth they come."""
    (ax,) = panels(["prediction against error, every fit"], width_in=7.2, height_in=4.0)
    for number, (method, group) in enumerate(grouped(rows, lambda row: row.method).items()):
        share = [_share_of_oracle(row) for row in group]
        marker = _MARKERS[number % len(_MARKERS)]
        draw_fits(values_of(group, "delta"), share, method_style(method), marker, ax)
    scale_axes(ax, log="x")
    ax.set_xlabel(SCORE_NAMES["delta"])
    ax.set_ylabel("bits per spike, share of the oracle's (%)")
    ax.set_ylim(bottom=max(min(map(_share_of_oracle, rows)) - 2.0, 0.0))
    return legend_beside(ax)


def _share_of_oracle(row: Row) -> float:
    return 100.0 * row.bits_per_spike_pooled / row.oracle_bits_per_spike_pooled
