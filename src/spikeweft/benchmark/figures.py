"""Figures of a folder of studies, drawn from its tables and circuits alone."""

import io
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

from spikeweft.benchmark.markdown_tables import STUDIES
from spikeweft.benchmark.methods import ABLATIONS, CIRCUIT_GNN
from spikeweft.benchmark.rows import Row, read_rows
from spikeweft.benchmark.run import weights_file
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.reporting.ordering import NeuronOrder, neuron_order
from spikeweft.reporting.plot_circuits import (
    draw_colour_scale,
    draw_mean_profile,
    draw_weights,
    label_weights,
    weight_limit,
)
from spikeweft.reporting.plot_scores import (
    draw_against,
    draw_fits,
    draw_limit,
    draw_score_dots,
    draw_scores,
)
from spikeweft.reporting.plot_spikes import draw_raster
from spikeweft.reporting.plot_style import (
    MUTED,
    ORACLE,
    TRUTH,
    Axes,
    Style,
    legend_beside,
    name_axes,
    panels,
    scale_axes,
    write_figure,
)

STYLES = {
    style.name: style
    for style in (
        Style(name="CircuitGNN", colour="#0072b2"),
        Style(name="CircuitGNN+drive", colour="#56b4e9"),
        Style(name="YoonGNN", colour="#009e73"),
        Style(name="YoonGNN+drive", colour="#009e73"),
        Style(name="YoonGNN, narrow messages", colour="#009e73"),
        Style(name="PoissonGLM", colour="#d55e00"),
        Style(name="SharedFilterGLM", colour="#e69f00"),
        Style(name="SameBinGLM", colour="#a6611a"),
        Style(name="Ising", colour="#cc79a7"),
        Style(name="LogisticRegressionL1", colour="#7b3294"),
        Style(name="InverseCovariance", colour="#8c8c8c"),
        Style(name="CrossCorrelogram", colour="#5a6670"),
        Style(name="TCA", colour="#882255"),
        Style(name="SeqNMF", colour="#44782a"),
        Style(name="NRI", colour="#b0324f"),
    )
}


"""Every method in the same colour everywhere."""


_MARKERS = "osD^vPX<>*hpd8"


_BOUND = Style(name="Cramér-Rao bound, free weights", colour=TRUTH.colour, line=ORACLE.line)


_SHORT_BOUND = replace(_BOUND, name="Cramér-Rao bound")


_LEAST_BITS = 1e-4


"""Distances from the oracle below it are shown as if they were it: chance of the test part."""


_DECADES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


_WITHOUT = {
    ablation.method.name: Style(
        name=f"without {ablation.ingredient}\n({ablation.instead})", colour="#b0324f"
    )
    for ablation in ABLATIONS
}


_SHOWN = ("CircuitGNN+drive", "CircuitGNN", "PoissonGLM")


"""Methods whose matrices are shown."""


_PROFILED = (*_SHOWN, "SharedFilterGLM", "TCA", "SeqNMF")


"""Methods whose mean profiles are shown: those of the paper."""


_BY_OBSERVED = ("#e69f00", "#56b4e9", "#0072b2")


_HIDDEN_PEERS = {"PoissonGLM": "D", "CircuitGNN": "s", "CircuitGNN+drive, mixed columns": "X"}


"""What hidden neurons are compared with, and its markers."""


_NAMES = {
    "delta": "inference error Δ",
    "delta_informed": "Δ over informed pairs",
    "delta_identifiable": "Δ over identifiable pairs",
    "bits_per_spike_pooled": "bits per spike, pooled",
    "precision_recall_area": "precision-recall area",
}


_PREDICTABLE_BITS = 0.1


"""Oracles below it leave next to nothing to predict, of which a share says little."""


class Stored(NamedTuple):
    """The circuit of a row, in the unit of the true one, and the spikes beside it."""

    inferred: Connectivity
    truth: Connectivity
    sample: Recording


def draw_figures(folder: Path) -> list[Path]:
    """Draw all figures that the tables in a folder allow, as .svg and .png in `folder/figures`.

    Matrices are drawn of networks whose circuits are all in `folder/weights`; see `circuits_gone`.
    """
    rows = _rows(folder)
    (folder / "figures").mkdir(exist_ok=True)
    return [
        path
        for name, ax in _figures(rows, folder)
        for path in write_figure(ax, folder / "figures" / name)
    ]


def circuits_gone(folder: Path) -> list[Path]:
    """Circuits that figures need and the folder lacks: tables are handed on, circuits seldom."""
    needed = [row for group in _by_network(_rows(folder)).values() for row in _of_first_seed(group)]
    return [path for row in needed if not (path := weights_file(folder, row)).exists()]


def stored(folder: Path, row: Row) -> Stored:
    """What the loop kept of a row's circuit."""
    with np.load(io.BytesIO(weights_file(folder, row).read_bytes())) as arrays:
        truth = Connectivity(weights=arrays["true_weights"], angle_rad=arrays.get("angle_rad"))
        inferred = Connectivity(
            weights=float(arrays["scale"]) * arrays["weights"],
            standard_error=np.where(arrays["informed"], 0.0, np.inf),
            angle_rad=truth.angle_rad,
        )
        sample = Recording(
            spike_times_s=arrays["sample_spike_times_s"],
            spike_neurons=arrays["sample_spike_neurons"].astype(np.int64),
            n_neurons=truth.n_neurons,
            epochs_s=arrays["sample_epochs_s"],
        )
    return Stored(inferred, truth, sample)


def _figures(rows: Sequence[Row], folder: Path) -> Iterator[tuple[str, Axes]]:
    for setting, group in _by(rows, lambda row: (row.study, row.table, row.setting)).items():
        name = "_".join(map(_in_a_name, setting))
        study, table, _ = setting
        if _has_circuits(group[0]):
            by_model = _by(group, lambda row: f"{row.neuron_model} neurons")
            yield f"scores_{name}", _scores(by_model, _score_fields(group))
            for neuron_model, same in _by(group, lambda row: row.neuron_model).items():
                first = _of_first_seed(same)
                if all(weights_file(folder, row).exists() for row in first):
                    circuits = {row.method: stored(folder, row) for row in first}
                    yield f"circuits_{name}_{neuron_model.replace(' ', '-')}", _circuits(circuits)
        elif table == "partial":
            yield from _partial(group)
        elif study == "ablations":
            yield "ablations", _ablations(group)
    yield from _curves(rows)
    predicted = [
        row
        for row in rows
        if row.oracle_bits_per_spike_pooled > _PREDICTABLE_BITS
        and math.isfinite(row.bits_per_spike_pooled)
    ]
    if predicted:
        yield "bits_against_delta", _bits_against_delta(predicted)


def _in_a_name(words: str) -> str:
    """Words, fit for the name of a file."""
    return words.replace(" ", "-").replace("+", "-").replace(",", "").replace("/", "-")


def _rows(folder: Path) -> list[Row]:
    rows = [row for study in STUDIES for row in read_rows(folder / f"{study}.csv")]
    return [row for row in rows if not row.failed]


def _has_circuits(row: Row) -> bool:
    """Whether matrices are drawn of the network of a row."""
    return row.study in ("paper", "wirings") and row.table != "partial"


def _by_network(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    shown = [row for row in rows if _has_circuits(row)]
    return _by(shown, lambda row: (row.study, row.table, row.setting, row.neuron_model))


def _of_first_seed(rows: Sequence[Row]) -> list[Row]:
    seed = min(row.seed for row in rows)
    return [row for row in rows if row.seed == seed]


def _curves(rows: Sequence[Row]) -> Iterator[tuple[str, Axes]]:
    for table, field, name in (
        ("strength", "recurrent_strength", "recurrent strength r"),
        ("minutes", "minutes", "minutes recorded"),
    ):
        group = [row for row in rows if (row.study, row.table) == ("curves", table)]
        if group:
            yield f"delta_against_{table}", _delta_against(group, field, name)


def _scores(by_panel: dict[str, list[Row]], fields: Sequence[str]) -> Axes:
    """Scores by method, a panel for each group of rows and score."""
    titles = [title for title in by_panel for _ in fields]
    axes = panels(titles, width_in=2.7 * len(titles) + 1.4, height_in=3.6, share_y=True)
    methods = list(dict.fromkeys(row.method for row in chain(*by_panel.values())))
    styles = [_style(method) for method in methods]
    for ax, (group, field) in zip(axes, product(by_panel.values(), fields), strict=True):
        by_method = _by(group, lambda row: row.method)
        values = [_values(by_method.get(method, []), field) for method in methods]
        draw = draw_score_dots if field == "bits_per_spike_pooled" else draw_scores
        draw(values, styles, _NAMES[field], ax)
        oracle = _values(group, "oracle_bits_per_spike_pooled")
        if field == "bits_per_spike_pooled" and np.isfinite(oracle).any():
            draw_limit(float(np.nanmean(oracle)), ORACLE, ax)
    return axes[0]


def _score_fields(rows: Sequence[Row]) -> list[str]:
    """Scores that say something about these networks."""
    n_pairs = rows[0].n_observed * (rows[0].n_observed - 1)
    fields = {
        "delta": True,
        "delta_identifiable": any(row.n_pairs_identifiable < n_pairs for row in rows),
        "precision_recall_area": np.isfinite(_values(rows, "precision_recall_area")).any(),
        "bits_per_spike_pooled": True,
    }
    return [field for field, is_telling in fields.items() if is_telling]


def _circuits(kept: dict[str, Stored]) -> Axes:
    """Spikes, the true and inferred weights, and their profiles, by method."""
    shown = [method for method in _by_interest(kept) if method in _SHOWN] or list(kept)[:2]
    truth, sample = kept[shown[0]].truth, kept[shown[0]].sample
    is_ring = truth.angle_rad is not None
    titles = ["spikes", "truth", *shown, *(["mean weight"] if is_ring else [])]
    axes = panels(titles, width_in=3.0 * len(titles) + 1.2, height_in=3.2)
    order = neuron_order(truth) if is_ring else NeuronOrder(neurons=np.arange(truth.n_neurons))
    draw_raster(sample, order, axes[0])
    name_axes("time (s)", "neuron", axes[0])
    matrices = axes[1 : 2 + len(shown)]
    circuits = [truth, *(kept[method].inferred for method in shown)]
    for ax, circuit in zip(matrices, circuits, strict=True):
        draw_weights(circuit, order, ax, weight_limit(truth))
        name_axes("presynaptic neuron", "postsynaptic neuron", ax)
    if is_ring:
        _profiles(truth, {method: kept[method].inferred for method in _by_interest(kept)}, axes[-1])
    else:
        draw_colour_scale(matrices)
    return axes[0]


def _by_interest(methods: Iterable[str]) -> list[str]:
    """The methods whose circuits are looked at; of ours, the better informed where two are."""
    known = list(methods)
    kept = [method for method in _PROFILED if method in known]
    return [m for m in kept if not (m == "CircuitGNN" and "CircuitGNN+drive" in kept)]


def _profiles(truth: Connectivity, inferred: dict[str, Connectivity], ax: Axes) -> None:
    for method, circuit in inferred.items():
        draw_mean_profile(circuit, _style(method), ax)
    draw_mean_profile(truth, TRUTH, ax)
    weights = truth.weights[truth.off_diagonal]
    reach = np.ptp(weights)
    ax.set_ylim(weights.min() - 0.4 * reach, weights.max() + 0.4 * reach)
    label_weights(ax, "weight, scaled to the truth")
    name_axes("difference of preferred directions (°)", ax.get_ylabel(), ax)
    legend_beside(ax)


def _partial(rows: Sequence[Row]) -> Iterator[tuple[str, Axes]]:
    """All methods without hidden neurons, and what these do for each method that is given some."""
    none = [row for row in rows if row.n_hidden == 0]
    by_observed = _by(none, lambda row: f"{row.n_observed} observed")
    yield "partial_none_hidden", _scores(by_observed, ("delta", "bits_per_spike_pooled"))
    for method in dict.fromkeys(row.method for row in rows if row.n_hidden):
        if method not in _HIDDEN_PEERS:
            yield f"partial_{_in_a_name(method)}", _hidden(rows, method)


def _hidden(rows: Sequence[Row], method: str) -> Axes:
    """Errors and gain in bits per spike of a method against hidden neurons, a line per subset.

    Marks are what it is compared with; a cross is the control: as many parameters, and no circuit
    behind them.
    """
    peers = _HIDDEN_PEERS if method == "CircuitGNN+drive" else {}
    seen = [row for row in rows if row.method in (method, *peers)]
    fields = ("delta", "delta_informed", "bits_per_spike_pooled")
    axes = panels(["error", "error where informed", "prediction"], width_in=13.0, height_in=3.2)
    by_observed = _by(_beside_none_hidden(seen, method), lambda row: row.n_observed)
    for ax, field in zip(axes, fields, strict=True):
        for n_observed, colour in zip(by_observed, _BY_OBSERVED, strict=False):
            by_method = _by(by_observed[n_observed], lambda row: row.method)
            for peer in filter(by_method.get, peers):
                style = Style(name=f"{peer}, {n_observed} observed", colour=colour)
                fits = by_method[peer]
                at = [float(row.n_hidden) or -1.0 for row in fits]
                draw_fits(at, _values(fits, field), style, peers[peer], ax)
            style = Style(name=f"{method}, {n_observed} observed", colour=colour)
            for subset in _by(by_method.get(method, []), lambda row: row.seed).values():
                draw_against(*_line(subset, "n_hidden", field), style, ax)
                style = replace(style, name="_of another subset")
        scale_axes(ax, x_ticks=sorted({float(row.n_hidden) for row in seen}))
        ax.set_xlabel("hidden neurons in the model")
        ax.set_ylabel(_NAMES[field])
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


def _ablations(rows: Sequence[Row]) -> Axes:
    """What buys what: Δ, and bits per spike below the oracle, with one ingredient left out each."""
    by_model = _by(rows, lambda row: row.neuron_model)
    titles = [f"{model} neurons" for model in by_model for _ in range(2)]
    methods = sorted({row.method for row in rows}, key=_by_ablation)
    width_in, height_in = 3.2 * len(titles) + 1.8, 0.38 * len(methods) + 1.2
    axes = panels(titles, width_in=width_in, height_in=height_in, share_y=True)
    styles = [_style(method) for method in methods]
    farthest = np.nanmax([_LEAST_BITS, *map(_bits_below_oracle, rows)])
    for group, errors, losses in zip(by_model.values(), axes[::2], axes[1::2], strict=True):
        by_method = _by(group, lambda row: row.method)
        fits = [by_method.get(method, []) for method in methods]
        draw_score_dots([_values(rows, "delta") for rows in fits], styles, _NAMES["delta"], errors)
        draw_limit(float(np.mean(_values(group, "cramer_rao_delta"))), _SHORT_BOUND, errors)
        below = [[_bits_below_oracle(row) for row in rows] for rows in fits]
        draw_score_dots(below, styles, "bits per spike below the oracle", losses)
        scale_axes(errors, log="x")
        scale_axes(losses, log="x", x_ticks=_DECADES)
        losses.set_xlim(_LEAST_BITS / 1.5, 1.5 * farthest)
    axes[0].set_yticks(axes[0].get_yticks(), [style.name for style in styles])
    return axes[0]


def _by_ablation(method: str) -> tuple[int, str]:
    """The whole method first, then what is left out in its order, then other methods."""
    order = [CIRCUIT_GNN.name, *_WITHOUT]
    return (order.index(method) if method in order else len(order)), method


def _bits_below_oracle(row: Row) -> float:
    """How far from the oracle a fit predicts; it counts as at the oracle from a limit on."""
    below = row.oracle_bits_per_spike_pooled - row.bits_per_spike_pooled
    return float(np.maximum(below, _LEAST_BITS))


def _delta_against(rows: Sequence[Row], field: str, name: str) -> Axes:
    """Δ of each method against what was varied, and the bound of free weights."""
    (ax,) = panels([f"error against {name}"], width_in=6.8, height_in=3.4)
    for method, group in _by(rows, lambda row: row.method).items():
        draw_against(*_line(group, field, "delta"), _style(method), ax)
    draw_against(*_line(rows, field, "cramer_rao_delta"), _BOUND, ax)
    values = sorted(set(_values(rows, field)))
    scale_axes(ax, log="xy", x_ticks=values if len(values) < 8 else ())
    ax.set_xlabel(name)
    ax.set_ylabel(_NAMES["delta"])
    return legend_beside(ax)


def _bits_against_delta(rows: Sequence[Row]) -> Axes:
    """All fits: how near the oracle they predict, against how near the truth they come."""
    (ax,) = panels(["prediction against error, every fit"], width_in=7.2, height_in=4.0)
    for number, (method, group) in enumerate(_by(rows, lambda row: row.method).items()):
        share = [_share_of_oracle(row) for row in group]
        marker = _MARKERS[number % len(_MARKERS)]
        draw_fits(_values(group, "delta"), share, _style(method), marker, ax)
    scale_axes(ax, log="x")
    ax.set_xlabel(_NAMES["delta"])
    ax.set_ylabel("bits per spike, share of the oracle's (%)")
    ax.set_ylim(bottom=max(min(map(_share_of_oracle, rows)) - 2.0, 0.0))
    return legend_beside(ax)


def _share_of_oracle(row: Row) -> float:
    return 100.0 * row.bits_per_spike_pooled / row.oracle_bits_per_spike_pooled


def _line(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[list[float]]]:
    """Values of y at each x that has any, in ascending order of x."""
    points = _by(
        (row for row in rows if math.isfinite(getattr(row, y))), lambda row: float(getattr(row, x))
    )
    return sorted(points), [_values(points[at], y) for at in sorted(points)]


def _values(rows: Iterable[Row], field: str) -> list[float]:
    return [getattr(row, field) for row in rows]


def _style(method: str) -> Style:
    return {**STYLES, **_WITHOUT}.get(method, Style(name=method, colour=MUTED))


def _by(rows: Iterable[Row], key: Callable[[Row], object]) -> dict:
    """Rows by a key, in the order of first appearance."""
    groups: dict = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return groups
