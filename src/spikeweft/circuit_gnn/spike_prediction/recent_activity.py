"""How active all neurons have been over the last second: a state that they may share.

Where all rates rise and fall together and nothing else knows of it, whoever has just fired tells of
the state, and slow synapses from all neurons would be the best prediction. One column that all
neurons share, the log of the rate of all together as it was lately, takes that from them.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from spikeweft.data.recording import Recording

_MEMORY_S = 1.0
"""Time constant with which the past is forgotten."""

_BIN_S, _ROUNDING = 0.01, 1e-6

_EXPECTED_S = 0.3
"""So much time at the mean rate is added to what was seen: a state that has just begun, as at the
start of an epoch, is hardly known."""


def recent_activity(
    recording: Recording, times_s: Float[np.ndarray, " time"], rate_hz: float
) -> Float[np.ndarray, " time"]:
    """Log rate of all neurons together before each time, relative to `rate_hz`.

    It is that of the bins of 10 ms before the time's own; nothing is known from before the start of
    an epoch. Times lie within epochs.
    """
    n_bins = _bin_of(np.diff(recording.epochs_s, axis=1)[:, 0]) + 1
    first = np.cumsum(n_bins) - n_bins

    def bins(at_s: Float[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
        epoch = np.maximum(np.searchsorted(recording.epochs_s[:, 0], at_s, "right") - 1, 0)
        within = _bin_of(at_s - recording.epochs_s[epoch, 0])
        return first[epoch] + np.clip(within, 0, n_bins[epoch] - 1)

    counts = np.bincount(bins(recording.spike_times_s), minlength=n_bins.sum())
    seen, seen_s = _remembered(counts, first, np.exp(-_BIN_S / _MEMORY_S), _BIN_S)
    of_bins = np.log((seen / rate_hz + _EXPECTED_S) / (seen_s + _EXPECTED_S))
    return of_bins[bins(times_s)]


def _bin_of(since_s: Float[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
    """The bin of each time; one at an edge is in the later bin, however it is rounded."""
    return np.floor(since_s / _BIN_S + _ROUNDING).astype(np.int64)


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _remembered(counts, first, keep, bin_s):
    """Spikes and time before each bin, as far as they are remembered; epochs start anew."""
    seen, seen_s = np.zeros(len(counts)), np.zeros(len(counts))
    epoch = 0
    for k in range(len(counts)):
        if epoch < len(first) and first[epoch] == k:
            epoch += 1
            continue
        seen[k] = keep * seen[k - 1] + counts[k - 1]
        seen_s[k] = keep * seen_s[k - 1] + bin_s
    return seen, seen_s
