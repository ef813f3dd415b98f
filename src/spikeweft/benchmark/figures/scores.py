"""Figures of scores by method, and of what each ingredient of CircuitGNN contributes."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, product

import numpy as np

from spikeweft.benchmark.figures.method_styles import ABLATION_STYLES, BOUND, method_style
from spikeweft.benchmark.figures.row_groups import SCORE_NAMES, grouped, values_of
from spikeweft.benchmark.methods import CIRCUIT_GNN
from spikeweft.benchmark.rows import Row
from spikeweft.reporting.plot_scores import draw_limit, draw_score_dots, draw_scores
from spikeweft.reporting.plot_style import ORACLE, Axes, Style, panels, scale_axes

_SHORT_BOUND = replace(BOUND, name="Cramér-Rao bound")

_LEAST_BITS = 1e-4
"""Distances from the oracle below it are shown as if they were it: chance of the test part."""

_DECADES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def score_panels(by_panel: dict[str, list[Row]], fields: Sequence[str]) -> Axes:
    """Scores by method, a panel for each group of rows and score."""
    titles = [title for title in by_panel for _ in fields]
    axes = panels(titles, width_in=2.7 * len(titles) + 1.4, height_in=3.6, share_y=True)
    methods = list(dict.fromkeys(row.method for row in chain(*by_panel.values())))
    styles = [method_style(method) for method in methods]
    for ax, (group, field) in zip(axes, product(by_panel.values(), fields), strict=True):
        by_method = grouped(group, lambda row: row.method)
        values = [values_of(by_method.get(method, []), field) for method in methods]
        draw = draw_score_dots if field == "bits_per_spike_pooled" else draw_scores
        draw(values, styles, SCORE_NAMES[field], ax)
        if field == "bits_per_spike_pooled":
            _draw_limits(group, "oracle_bits_per_spike_pooled", ORACLE, ax)
    return axes[0]


def _draw_limits(rows: Sequence[Row], field: str, style: Style, ax: Axes) -> None:
    """A limit of any method, where it is known: a line per seed, as there is a dot per seed."""
    per_seed = {row.seed: getattr(row, field) for row in rows}
    known = [value for value in per_seed.values() if np.isfinite(value)]
    name = f"{style.name}s" if len(known) > 1 else style.name
    for value in known:
        draw_limit(value, replace(style, name=name), ax)
        name = f"_{name.removeprefix('_')}"  # is named once


def telling_scores(rows: Sequence[Row]) -> list[str]:
    """Scores that say something about these networks."""
    n_pairs = rows[0].n_observed * (rows[0].n_observed - 1)
    fields = {
        "delta": True,
        "delta_identifiable": any(row.n_pairs_identifiable < n_pairs for row in rows),
        "precision_recall_area": np.isfinite(values_of(rows, "precision_recall_area")).any(),
        "bits_per_spike_pooled": True,
    }
    return [field for field, is_telling in fields.items() if is_telling]


def ablation_panels(rows: Sequence[Row]) -> Axes:
    """What buys what: Δ, and bits per spike below the oracle, with one ingredient left out each."""
    by_model = grouped(rows, lambda row: row.neuron_model)
    titles = [f"{model} neurons" for model in by_model for _ in range(2)]
    methods = sorted({row.method for row in rows}, key=_by_ablation)
    width_in, height_in = 3.2 * len(titles) + 1.8, 0.38 * len(methods) + 1.2
    axes = panels(titles, width_in=width_in, height_in=height_in, share_y=True)
    styles = [method_style(method) for method in methods]
    farthest = np.nanmax([_LEAST_BITS, *map(_bits_below_oracle, rows)])
    for group, errors, losses in zip(by_model.values(), axes[::2], axes[1::2], strict=True):
        by_method = grouped(group, lambda row: row.method)
        fits = [by_method.get(method, []) for method in methods]
        draw_score_dots(
            [values_of(rows, "delta") for rows in fits], styles, SCORE_NAMES["delta"], errors
        )
        _draw_limits(group, "cramer_rao_delta", _SHORT_BOUND, errors)
        below = [[_bits_below_oracle(row) for row in rows] for rows in fits]
        draw_score_dots(below, styles, "bits per spike below the oracle", losses)
        scale_axes(errors, log="x")
        scale_axes(losses, log="x", x_ticks=_DECADES)
        losses.set_xlim(_LEAST_BITS / 1.5, 1.5 * farthest)
    axes[0].set_yticks(axes[0].get_yticks(), [style.name for style in styles])
    return axes[0]


def _by_ablation(method: str) -> tuple[int, str]:
    """The whole method first, then what is left out in its order, then other methods."""
    order = [CIRCUIT_GNN.name, *ABLATION_STYLES]
    return (order.index(method) if method in order else len(order)), method


def _bits_below_oracle(row: Row) -> float:
    """How far from the oracle a fit predicts; it counts as at the oracle from a limit on."""
    below = row.oracle_bits_per_spike_pooled - row.bits_per_spike_pooled
    return float(np.maximum(below, _LEAST_BITS))
