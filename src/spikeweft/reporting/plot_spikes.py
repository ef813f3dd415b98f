"""Plots of spikes and of training."""

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import (
    GLM,
    INFERRED,
    INK,
    MUTED,
    WASH,
    mark_neurons,
    plain_number,
    styled,
)
from spikeweft.runtime.training_loop import Progress


@styled
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
    mark_neurons(ax.yaxis, order, recording.neuron_ids, "neuron")
    return ax


@styled
def draw_direction(
    direction: Covariate, recording: Recording, order: NeuronOrder, ax: Axes
) -> Axes:
    """The animal's direction over a raster sorted by preferred direction, as a line."""
    for start, stop in recording.epochs_s:
        inside = (direction.times_s >= start) & (direction.times_s <= stop)
        place = order.place_at(direction.values[inside])
        full_turn = np.abs(np.diff(place, prepend=place[:1])) > order.n_directions / 2
        place[full_turn] = np.nan
        ax.plot(direction.times_s[inside], place, color=GLM.colour, lw=1.8, alpha=0.9)
    return ax


@styled
def draw_loss(history: list[Progress], ax: Axes) -> Axes:
    """Training loss by step, with the stages of training marked."""
    _draw_curve(history, np.array([progress.loss for progress in history]), ax)
    ax.set_ylabel("loss (nats per spike)")
    return ax


@styled
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
    ax.yaxis.set_major_formatter(plain_number)
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
