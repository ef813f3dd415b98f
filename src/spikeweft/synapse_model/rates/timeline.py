"""All spikes on one clock of short steps, in which lags never lead from one epoch to another."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.spike_counts import epoch_of

BIN_S = 0.005
"""Bins of the slow part of a rate: what all neurons share."""

_PADDING_S = 0.9
"""Between epochs; as far as slow states are smoothed."""

_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Spike trains in steps since the start; epochs follow each other with empty steps between.

    Attributes
    ----------
    trains
        The step of every spike of each neuron, ascending.
    scored
        Steps that count: recorded, and not in the first history window of an epoch.
    recorded
        Steps of epochs; the others lie between them.
    first_steps
        The step at which each epoch begins, which begins a longer bin too.
    step_s
        Length of a step.
    steps_per_bin
        Steps in each of the longer bins in which slow changes are followed.
    """

    trains: tuple[Int[np.ndarray, " _spike"], ...]
    scored: Bool[np.ndarray, " step"]
    recorded: Bool[np.ndarray, " step"]
    first_steps: Int[np.ndarray, " epoch"]
    step_s: float
    steps_per_bin: int

    @classmethod
    def of(cls, recording: Recording, step_s: float, history_window_s: float) -> Self:
        """The recording on a clock of these steps."""
        per_bin = max(1, round(BIN_S / step_s))
        padding = -(-round(_PADDING_S / step_s) // per_bin) * per_bin
        epochs_s = recording.epochs_s
        n_steps = np.ceil((epochs_s[:, 1] - epochs_s[:, 0]) / step_s - _ROUNDING).astype(np.int64)
        room = -(-np.maximum(n_steps, 1) // per_bin) * per_bin + padding
        first = np.cumsum(room) - room
        epoch = epoch_of(recording.spike_times_s, epochs_s)
        since_s = recording.spike_times_s - epochs_s[epoch, 0]
        within = np.floor(since_s / step_s + _ROUNDING).astype(np.int64)
        step = first[epoch] + np.clip(within, 0, np.maximum(n_steps, 1)[epoch] - 1)
        scored, recorded = np.zeros((2, int(room.sum())), dtype=bool)
        for start, length in zip(first, n_steps, strict=True):
            recorded[start : start + length] = True
        long_enough = np.isin(epochs_s[:, 1], scored_epochs(recording, history_window_s)[:, 1])
        n_before = round(history_window_s / step_s)
        for start, length in zip(first[long_enough], n_steps[long_enough], strict=True):
            scored[start + n_before : start + length] = True
        order = np.argsort(recording.spike_neurons, kind="stable")
        trains = np.split(step[order], np.cumsum(recording.n_spikes)[:-1])
        return cls(
            trains=tuple(trains),
            scored=scored,
            recorded=recorded,
            first_steps=first,
            step_s=step_s,
            steps_per_bin=per_bin,
        )

    @property
    def n_neurons(self) -> int:
        """How many spike trains there are."""
        return len(self.trains)

    @property
    def n_steps(self) -> int:
        """Length of the clock."""
        return len(self.scored)

    def scored_train(self, neuron: int) -> Int[np.ndarray, " spike"]:
        """The spikes of a neuron that count."""
        train = self.trains[neuron]
        return train[self.scored[train]]

    def binned(self, neuron: int) -> Int[np.ndarray, " bin"]:
        """All spikes of a neuron in the longer bins."""
        n_bins = self.n_steps // self.steps_per_bin
        return np.bincount(self.trains[neuron] // self.steps_per_bin, minlength=n_bins)

    def recorded_share(self) -> Float[np.ndarray, " bin"]:
        """Share of each longer bin that was recorded."""
        return self.recorded.reshape(-1, self.steps_per_bin).mean(axis=1)

    def scored_bins(self) -> Bool[np.ndarray, " bin"]:
        """Longer bins any step of which counts."""
        return np.any(self.scored.reshape(-1, self.steps_per_bin), axis=1)
