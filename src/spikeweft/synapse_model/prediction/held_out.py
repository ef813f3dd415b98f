"""The end of a recording, whose spikes choose between kinds of rates fitted to what precedes it."""

from typing import NamedTuple

import numpy as np

from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs

_SPIKES_TO_FIT = 1000.0
"""Spikes of each neuron, on average, that candidates are fitted to."""

_MOST_NEURONS = 20
"""Neurons that fire whose spikes choose."""


class HeldOut(NamedTuple):
    """What candidates are fitted to, the end that chooses, and the neurons whose spikes do."""

    early: Recording
    late: Recording
    neurons: list[int]

    @classmethod
    def of(cls, recording: Recording, history_window_s: float) -> "HeldOut | None":
        """The last tenth, and what precedes it; None where one of them has nothing to score."""
        early, late = split(recording, BASELINE_VALIDATION_FRACTION)
        early = last_spikes(early, _SPIKES_TO_FIT)
        firing = np.flatnonzero(recording.n_spikes)
        neurons = firing[:: max(1, -(-len(firing) // _MOST_NEURONS))].tolist()
        is_scored = all(len(scored_epochs(part, history_window_s)) for part in (early, late))
        return cls(early, late, neurons) if neurons and is_scored else None


def last_spikes(recording: Recording, n_spikes: float) -> Recording:
    """The end of a recording that holds so many spikes of each neuron that fires, on average."""
    n_firing = int((recording.n_spikes > 0).sum())
    if n_firing == 0:
        return recording
    share = n_spikes * n_firing / max(len(recording.spike_times_s), 1)
    return recording.between(1.0 - min(1.0, share), 1.0)
