"""How active all neurons have been over the last second: a state that they may share.

Where all rates rise and fall together and nothing else knows of it, whoever has just fired tells of
the state, and slow synapses from all neurons would be the best prediction. One column that all
neurons share, the log of the rate of all together as it was lately, takes that from them.
"""

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

from spikeweft.data.recording import Recording

_MEMORY_S = 1.0
"""Time constant with which the past is forgotten."""

_BIN_S = 0.01
_EXPECTED_S = 0.3
"""So much time at the mean rate is added to what was seen: a state that has just begun, as at the
start of an epoch, is hardly known."""


def recent_activity(
    recording: Recording, times_s: Float[np.ndarray, " time"], rate_hz: float
) -> Float[np.ndarray, " time"]:
    """Log rate of all neurons together before each time, relative to `rate_hz`.

    Nothing is known from before the start of an epoch. Times lie within epochs.
    """
    found = np.zeros(len(times_s))
    epoch = np.searchsorted(recording.epochs_s[:, 0], times_s, "right") - 1
    for k, (start_s, stop_s) in enumerate(recording.epochs_s):
        asked = np.flatnonzero(epoch == k)
        if len(asked):
            spikes = slice(*np.searchsorted(recording.spike_times_s, [start_s, stop_s]))
            since_s = recording.spike_times_s[spikes] - start_s
            of_bins = _in_bins(since_s, stop_s - start_s, rate_hz)
            bins = ((times_s[asked] - start_s) / _BIN_S).astype(np.int64)
            found[asked] = of_bins[np.clip(bins, 0, len(of_bins) - 1)]
    return found


def _in_bins(
    spikes_s: Float[np.ndarray, " spike"], duration_s: float, rate_hz: float
) -> Float[np.ndarray, " bin"]:
    """The same in each bin, of the bins before it."""
    n_bins = int(duration_s / _BIN_S) + 1
    counts = np.bincount((spikes_s / _BIN_S).astype(np.int64), minlength=n_bins)[:n_bins]
    decay = np.exp(-_BIN_S / _MEMORY_S)
    both = np.stack([counts, np.full(n_bins, _BIN_S)])
    seen, seen_s = lfilter([0.0, 1.0], [1.0, -decay], both)
    return np.log((seen / rate_hz + _EXPECTED_S) / (seen_s + _EXPECTED_S))
