"""Scored time: the part of a recording that predictions from past spikes are judged by."""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import SpikeCounts

_ROUNDING = 1e-6


def scored_epochs(
    recording: Recording, history_window_s: float, from_s: float = -np.inf
) -> Float[np.ndarray, "epoch 2"]:
    """The epochs without the first history window of each, whose past is not known in full.

    Epochs no longer than a history window are left out. Spikes before an epoch's scored part
    still count as history, and so does all that comes before `from_s`.
    """
    start = np.maximum(recording.epochs_s[:, 0] + history_window_s, from_s)
    long_enough = start + recording.time_resolution_s < recording.epochs_s[:, 1]
    return np.column_stack([start, recording.epochs_s[:, 1]])[long_enough]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredCounts(SpikeCounts):
    """Spike counts, and what of them is scored.

    Attributes
    ----------
    scored_spikes
        Spikes within scored epochs only.
    scored_s
        Scored time in each bin.
    """

    scored_spikes: Int[np.ndarray, "time neuron"]
    scored_s: Float[np.ndarray, " time"]

    @classmethod
    def of(cls, recording: Recording, bin_s: float, history_window_s: float) -> Self:
        """Count a recording's spikes; scored time is that of `scored_epochs`."""
        binned = recording.counts(bin_s)
        epochs_s = scored_epochs(recording, history_window_s)
        spikes = np.zeros_like(binned.counts)
        if len(epochs_s):
            scored = recording.restrict(epochs_s)
            times_s, neurons = scored.spike_times_s, scored.spike_neurons
            target = replace(recording, spike_times_s=times_s, spike_neurons=neurons)
            spikes = target.counts(bin_s).counts
        long_enough = np.isin(recording.epochs_s[:, 1], epochs_s[:, 1])[binned.epoch]
        known_from_s = recording.epochs_s[binned.epoch, 0] + history_window_s
        scored_s = binned.exposure_s - np.maximum(known_from_s - binned.start_s, 0.0)
        scored_s[(scored_s < _ROUNDING * bin_s) | ~long_enough] = 0.0
        counted = {part.name: getattr(binned, part.name) for part in fields(SpikeCounts)}
        return cls(**counted, scored_spikes=spikes, scored_s=scored_s)
