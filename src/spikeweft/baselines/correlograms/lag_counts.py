"""Pairs of spikes by their lag: the counts that all methods of this family read."""

import numpy as np
from jaxtyping import Float

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.spike_pairs import count_pairs
from spikeweft.errors import InputError

ROUNDING = 1e-6

_FEWEST_LAGS = 2

Correlograms = Float[np.ndarray, "post pre lag"]
"""Something at each lag of each ordered pair; a positive lag is that of a later post spike."""


def cross_correlograms(recording: Recording, lag_bin_s: float, n_lags: int) -> Correlograms:
    """Pairs of spikes of the same epoch, by the bin of their lag.

    Bins are centred on whole multiples of `lag_bin_s` from -`n_lags` to `n_lags`; a lag is
    positive where the postsynaptic spike is the later one.
    """
    n = recording.n_neurons
    counts = np.zeros((n, n, n_lags + 1), dtype=np.int64)
    edges_s = (np.arange(n_lags + 1) + 0.5 - ROUNDING) * lag_bin_s
    for epoch_s in recording.epochs_s:
        inside = slice(*np.searchsorted(recording.spike_times_s, epoch_s))
        count_pairs(
            recording.spike_times_s[inside], recording.spike_neurons[inside], edges_s, counts
        )
    later = counts.transpose(1, 0, 2)
    # Both orders of a pair with nearly the same time lie in the bin around zero.
    at_zero = later[:, :, 0] + later[:, :, 0].T
    earlier = counts[:, :, :0:-1]
    return np.concatenate([earlier, at_zero[:, :, None], later[:, :, 1:]], axis=2).astype(float)


def whole_step_s(recording: Recording, step_s: float, longest_lag_s: float) -> float:
    """Step between lags: the one asked for, as a whole number of steps of the time resolution.

    Raises
    ------
    InputError
        Where up to the longest lag there are not at least two of them, or no epoch is longer than
        that lag.
    """
    resolution_s = recording.time_resolution_s
    if not 0 < step_s < np.inf:
        raise InputError(f"a step of {step_s} s between lags is none; choose a positive one")
    whole_s = max(1, round(step_s / resolution_s)) * resolution_s
    if not _FEWEST_LAGS * whole_s * (1 - ROUNDING) <= longest_lag_s < np.inf:
        raise InputError(
            f"up to {longest_lag_s} s there are fewer than {_FEWEST_LAGS} lags of {whole_s:g} s; "
            "choose a longer lag, or use spike times as they were recorded"
        )
    if len(scored_epochs(recording, longest_lag_s)) == 0:
        raise InputError(
            f"no epoch is longer than the longest lag of {longest_lag_s:g} s; use longer epochs "
            "or a shorter lag"
        )
    return whole_s
