"""Figures of circuits: spikes, weight matrices and mean profiles by method."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from spikeweft.benchmark.figures.method_styles import method_style
from spikeweft.benchmark.figures.stored_circuits import Stored
from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.ordering import NeuronOrder, neuron_order
from spikeweft.reporting.plot_circuits import (
    draw_colour_scale,
    draw_mean_profile,
    draw_weights,
    label_weights,
    weight_limit,
)
from spikeweft.reporting.plot_spikes import draw_raster
from spikeweft.reporting.plot_style import TRUTH, Axes, legend_beside, name_axes, panels

_SHOWN = ("CircuitGNN+drive", "CircuitGNN", "PoissonGLM")
"""Methods whose matrices are shown."""

_PROFILED = (*_SHOWN, "SharedFilterGLM", "TCA", "SeqNMF")
"""Methods whose mean profiles are shown: those of the paper."""


def circuit_panels(by_method: dict[str, Stored]) -> Axes:
    """Spikes, the true and inferred weights, and their profiles, by method."""
    shown = [method for method in _by_interest(by_method) if method in _SHOWN] or list(by_method)[
        :2
    ]
    truth, sample = by_method[shown[0]].truth, by_method[shown[0]].sample
    is_ring = truth.angle_rad is not None
    titles = ["spikes", "truth", *shown, *(["mean weight"] if is_ring else [])]
    axes = panels(titles, width_in=3.0 * len(titles) + 1.2, height_in=3.2)
    order = neuron_order(truth) if is_ring else NeuronOrder(neurons=np.arange(truth.n_neurons))
    draw_raster(sample, order, axes[0])
    name_axes("time (s)", "neuron", axes[0])
    matrices = axes[1 : 2 + len(shown)]
    circuits = [truth, *(by_method[method].inferred for method in shown)]
    for ax, circuit in zip(matrices, circuits, strict=True):
        draw_weights(circuit, order, ax, weight_limit(truth))
        name_axes("presynaptic neuron", "postsynaptic neuron", ax)
    if is_ring:
        _profiles(
            truth,
            {method: by_method[method].inferred for method in _by_interest(by_method)},
            axes[-1],
        )
    else:
        draw_colour_scale(matrices)
    return axes[0]


def _by_interest(methods: Iterable[str]) -> list[str]:
    """The methods whose circuits are looked at; of ours, the better informed where two are."""
    known = list(methods)
    kept = [method for method in _PROFILED if method in known]
    return [m for m in kept if not (m == "CircuitGNN" and "CircuitGNN+drive" in kept)]


def _show_all_lines(true_weights: Float[np.ndarray, " pair"], ax: Axes) -> None:
    """A range of weights that is that of the true ones and a margin, or what is drawn beyond it."""
    reach = np.ptp(true_weights)
    low, high = true_weights.min() - 0.4 * reach, true_weights.max() + 0.4 * reach
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in ax.lines])
    ax.set_ylim(min(low, float(np.nanmin(drawn))), max(high, float(np.nanmax(drawn))))


def _profiles(truth: Connectivity, inferred: dict[str, Connectivity], ax: Axes) -> None:
    for method, circuit in inferred.items():
        draw_mean_profile(circuit, method_style(method), ax)
    draw_mean_profile(truth, TRUTH, ax)
    _show_all_lines(truth.weights[truth.off_diagonal], ax)
    label_weights(ax, "weight, scaled to the truth")
    name_axes("difference of preferred directions (°)", ax.get_ylabel(), ax)
    legend_beside(ax)
