"""Scored time: the part of a recording that predictions from past spikes are judged by."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import SpikeCounts, count_spikes

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
    def of(
        cls,
        recording: Recording,
        bin_s: float,
        history_window_s: float,
        dtype: type[np.signedinteger] = np.int32,
    ) -> Self:
        """Count a recording's spikes; scored time is that of `scored_epochs`."""

        def counted(spikes_of: Recording) -> SpikeCounts:
            times_s, neurons = spikes_of.spike_times_s, spikes_of.spike_neurons
            n_neurons, all_epochs_s = recording.n_neurons, recording.epochs_s
            return count_spikes(times_s, neurons, n_neurons, all_epochs_s, bin_s, dtype)

        binned = counted(recording)
        epochs_s = scored_epochs(recording, history_window_s)
        spikes = np.zeros_like(binned.counts)
        if len(epochs_s):
            spikes = counted(recording.restrict(epochs_s)).counts
        long_enough = np.isin(recording.epochs_s[:, 1], epochs_s[:, 1])[binned.epoch]
        # Since the epoch began, which is exact where clock times are large.
        since_s = (np.arange(len(spikes)) - np.searchsorted(binned.epoch, binned.epoch)) * bin_s
        scored_s = binned.exposure_s - np.maximum(history_window_s - since_s, 0.0)
        scored_s[(scored_s < _ROUNDING * bin_s) | ~long_enough] = 0.0
        parts = {part.name: getattr(binned, part.name) for part in fields(SpikeCounts)}
        return cls(**parts, scored_spikes=spikes, scored_s=scored_s)
