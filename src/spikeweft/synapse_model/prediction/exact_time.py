"""Rates that are constant within a step, integrated between any two times of a recording."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.spike_counts import epoch_of
from spikeweft.synapse_model.rates.timeline import Timeline

Positions = Float[np.ndarray, " interval"]
"""Steps since the start of a timeline, with fractions."""


def positions_of(
    recording: Recording, timeline: Timeline, epochs_s: Float[np.ndarray, "interval 2"]
) -> tuple[Positions, Positions]:
    """Where intervals within epochs of a recording begin and end on its timeline."""
    epoch = epoch_of(epochs_s.mean(1), recording.epochs_s)
    since_s = epochs_s - recording.epochs_s[epoch, :1]
    place = timeline.first_steps[epoch][:, None] + since_s / timeline.step_s
    return place[:, 0], place[:, 1]


def expected_between(
    rate: Float[np.ndarray, " step"], start: Positions, stop: Positions
) -> Positions:
    """Spikes expected in each interval, from a rate in spikes a step."""
    until = np.concatenate([[0.0], np.cumsum(rate, dtype=float)])

    def before(place: Positions) -> Positions:
        step = np.clip(place.astype(np.int64), 0, len(rate) - 1)
        return until[step] + (place - step) * rate[step]

    return before(stop) - before(start)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredTime:
    """The part of a recording that rates are judged by, on a timeline.

    Attributes
    ----------
    start, stop
        Of each scored epoch.
    trains
        The steps of each neuron's scored spikes.
    step_s
        Length of a step.
    """

    start: Positions
    stop: Positions
    trains: tuple[Int[np.ndarray, " _spike"], ...]
    step_s: float

    @classmethod
    def of(cls, recording: Recording, timeline: Timeline, history_window_s: float) -> Self:
        """Scored time is that of `scored_epochs`."""
        epochs_s = scored_epochs(recording, history_window_s)
        start, stop = positions_of(recording, timeline, epochs_s)
        is_scored = epoch_of(recording.spike_times_s, epochs_s) >= 0
        trains = tuple(
            train[is_scored[recording.spike_neurons == neuron]]
            for neuron, train in enumerate(timeline.trains)
        )
        return cls(start=start, stop=stop, trains=trains, step_s=timeline.step_s)

    def log_likelihood(self, neuron: int, rate: Float[np.ndarray, " step"]) -> float:
        """Σ log λ(t_spike) - ∫λ dt in nats, rates in Hz, of a rate in spikes a step."""
        at_train = np.maximum(rate[self.trains[neuron]], np.finfo(np.float32).tiny)
        at_spikes = np.log(at_train / self.step_s).sum(dtype=float)
        return float(at_spikes - expected_between(rate, self.start, self.stop).sum())
