"""Spikes counted in bins of time that never cross an epoch's end."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class SpikeCounts:
    """Spike counts per time bin and neuron, with the bin width they were made with.

    Bins never cross an epoch's end: the last bin of an epoch may be shorter, and `exposure_s`
    says how long each bin lasted.
    """

    counts: Int[np.ndarray, "time neuron"]
    exposure_s: Float[np.ndarray, " time"]
    start_s: Float[np.ndarray, " time"]
    epoch: Int[np.ndarray, " time"]
    bin_s: float


def count_spikes(
    times_s: Float[np.ndarray, " spike"],
    neurons: Int[np.ndarray, " spike"],
    n_neurons: int,
    epochs_s: Float[np.ndarray, "epoch 2"],
    bin_s: float,
    dtype: type[np.signedinteger] = np.int32,
) -> SpikeCounts:
    """Count spikes in bins of `bin_s` seconds; every spike falls into exactly one bin.

    Raises
    ------
    InputError
        Where the bin is not positive, or longer than the recording.
    """
    length = epochs_s[:, 1] - epochs_s[:, 0]
    if not 0 < bin_s <= length.sum():
        raise InputError(
            f"a bin width of {bin_s:g} s does not fit a recording of {length.sum():g} s; "
            "choose a positive width below its length"
        )
    n_bins = np.maximum(np.ceil(length / bin_s - 1e-6).astype(np.int64), 1)
    first = np.concatenate([[0], np.cumsum(n_bins)])
    epoch = np.repeat(np.arange(len(n_bins)), n_bins)
    within = np.arange(first[-1]) - first[epoch]
    spike_epoch = epoch_of(times_s, epochs_s)
    since = times_s - epochs_s[spike_epoch, 0]
    spike_bin = np.floor(since / bin_s + 1e-6).astype(np.int64)
    spike_bin = first[spike_epoch] + np.clip(spike_bin, 0, n_bins[spike_epoch] - 1)
    counts = np.zeros((first[-1], n_neurons), dtype=dtype)
    np.add.at(counts, (spike_bin, neurons), 1)
    return SpikeCounts(
        counts=counts,
        exposure_s=np.minimum(bin_s, length[epoch] - within * bin_s),
        start_s=epochs_s[epoch, 0] + within * bin_s,
        epoch=epoch,
        bin_s=bin_s,
    )


def epoch_of(times_s: np.ndarray, epochs_s: np.ndarray) -> Int[np.ndarray, " time"]:
    """Index of the epoch that holds each time, -1 where none does."""
    epoch = np.searchsorted(epochs_s[:, 0], times_s, side="right") - 1
    inside: Bool[np.ndarray, " time"] = (epoch >= 0) & (times_s < epochs_s[epoch, 1])
    return np.where(inside, epoch, -1)
