"""Preferred directions of neurons, from a direction recorded beside the spikes."""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import epoch_of


def preferred_directions(
    recording: Recording, direction: Covariate, n_bins: int = 60
) -> Float[np.ndarray, " neuron"]:
    """Direction in radians, from 0 to 2π, in which each neuron fires most; NaN where it is silent.

    The mean direction of the tuning curve: spikes per time spent in each of `n_bins` directions.
    Time spent is counted in samples of the direction inside the epochs.
    """
    seen = direction.values[epoch_of(direction.times_s, recording.epochs_s) >= 0]
    spent = np.bincount(_direction_bin(seen, n_bins), minlength=n_bins)
    at_spike = _direction_bin(direction.at(recording.spike_times_s), n_bins)
    fired = np.zeros((recording.n_neurons, n_bins))
    np.add.at(fired, (recording.spike_neurons, at_spike), 1)
    tuning = np.divide(fired, spent, out=np.zeros_like(fired), where=spent > 0)
    mean = tuning @ np.exp(2j * np.pi * (np.arange(n_bins) + 0.5) / n_bins)
    return np.where(tuning.any(axis=1), np.mod(np.angle(mean), 2 * np.pi), np.nan)


def _direction_bin(angle_rad: np.ndarray, n_bins: int) -> Int[np.ndarray, " time"]:
    return np.floor(np.mod(angle_rad, 2 * np.pi) / (2 * np.pi) * n_bins).astype(np.int64) % n_bins
