"""Rates that are constant within a step, integrated between any two times of a recording."""

import numpy as np
from jaxtyping import Bool, Float

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


def scored_spikes(recording: Recording, history_window_s: float) -> Bool[np.ndarray, " spike"]:
    """Which spikes of a recording are scored."""
    return epoch_of(recording.spike_times_s, scored_epochs(recording, history_window_s)) >= 0
