"""Compiled loops over the steps of a spike train's rate."""

from typing import no_type_check

import numpy as np
from numba import njit

HIGHEST_LOG_RATE = np.float32(3.0)
"""In spikes a step; no rate is higher, so that no trial step of a fit overflows."""


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles these; their callers are checked
def add_after_spikes(log_rate, train, effect, first_lag):
    """Add an effect to the steps from `first_lag` after each spike on."""
    for spike in train:
        start = spike + first_lag
        for lag in range(min(len(effect), len(log_rate) - start)):
            log_rate[start + lag] += effect[lag]


@njit(cache=True, nogil=True)
@no_type_check
def scale_after_spikes(rate, train, factor, first_lag):
    """Multiply the steps from `first_lag` after each spike on."""
    for spike in train:
        start = spike + first_lag
        for lag in range(min(len(factor), len(rate) - start)):
            rate[start + lag] *= factor[lag]


@njit(cache=True, nogil=True)
@no_type_check
def add_states(log_rate, states, gains, steps_per_bin):
    """Add to each step what the states of its bin add; no log rate is higher than the highest.

    A loop, as in `sums_in_bins`, for the same reason.
    """
    for b in range(len(states)):
        slow = np.float32(0.0)
        for k in range(len(gains)):
            slow += states[b, k] * gains[k]
        for step in range(b * steps_per_bin, (b + 1) * steps_per_bin):
            log_rate[step] = min(log_rate[step] + slow, HIGHEST_LOG_RATE)


@njit(cache=True, nogil=True)
@no_type_check
def keep_scored(rate, scored, steps_per_bin, rate_of_bin):
    """Set the rate to 0 where it is not scored, and sum it in each bin."""
    for b in range(len(rate_of_bin)):
        total = np.float32(0.0)
        for step in range(b * steps_per_bin, (b + 1) * steps_per_bin):
            rate[step] = rate[step] if scored[step] else np.float32(0.0)
            total += rate[step]
        rate_of_bin[b] = total


@njit(cache=True, nogil=True)
@no_type_check
def sums_in_bins(values, steps_per_bin, found):
    """Add up each row of the values in each bin.

    The product with a vector of ones, which it is, was seen to report invalid numbers in OpenBLAS's
    single precision where there are none.
    """
    for row in range(len(values)):
        for b in range(found.shape[1]):
            total = np.float32(0.0)
            for step in range(b * steps_per_bin, (b + 1) * steps_per_bin):
                total += values[row, step]
            found[row, b] = total


@njit(cache=True, nogil=True)
@no_type_check
def history_information(
    rate, state, train, piece_of_lag, steps_per_bin, expected, state_history, history
):
    """Add up the expected spikes under each piece of the history, and their second moments.

    `expected` is the sum of the rate over (spike, lag) pairs of each piece; `state_history` with
    each column of the state; `history` with each piece of the history of other spikes.
    """
    n_lags, n_columns = len(piece_of_lag), state.shape[1]
    for a in range(len(train)):
        run, run_bin, run_piece = 0.0, -1, -1
        for step in range(train[a] + 1, min(train[a] + n_lags + 1, len(rate))):
            piece, value = piece_of_lag[step - train[a] - 1], rate[step]
            b = step // steps_per_bin
            if b != run_bin or piece != run_piece:
                if run_bin >= 0:
                    for k in range(n_columns):
                        state_history[k, run_piece] += run * state[run_bin, k]
                run, run_bin, run_piece = 0.0, b, piece
            run += value
            expected[piece] += value
            history[piece, piece] += value
            _with_earlier_spikes(train, a, step, piece_of_lag, value, history)
        if run_bin >= 0:
            for k in range(n_columns):
                state_history[k, run_piece] += run * state[run_bin, k]


@njit(cache=True, nogil=True)
@no_type_check
def history_counts(train, first_lags, first_step, found):
    """How many past spikes each piece of the history holds, in the steps from `first_step` on."""
    n_pieces = found.shape[1]
    known = np.zeros(n_pieces + 1, np.int64)
    for edge in range(n_pieces + 1):
        known[edge] = np.searchsorted(train, first_step - first_lags[edge] + 1)
    for row in range(len(found)):
        step = first_step + row
        for edge in range(n_pieces + 1):
            while known[edge] < len(train) and train[known[edge]] + first_lags[edge] <= step:
                known[edge] += 1
        for piece in range(n_pieces):
            found[row, piece] = known[piece] - known[piece + 1]


@njit(cache=True, nogil=True)
@no_type_check
def sums_after_spikes(values, train, piece_of_lag, found):
    """Add up values of steps over (spike, lag) pairs of each piece of the history."""
    for spike in train:
        for step in range(spike + 1, min(spike + len(piece_of_lag) + 1, len(values))):
            found[piece_of_lag[step - spike - 1]] += values[step]


@njit(cache=True, nogil=True)
@no_type_check
def decaying_mean(counts, first_bins, decay, before, found):
    """Mean of the counts before each bin, weighted by `decay` to the power of their distance.

    Before an epoch's first bin it is `before`.
    """
    epoch, mean = 0, before
    for b in range(len(counts)):
        if epoch < len(first_bins) and b == first_bins[epoch]:
            epoch, mean = epoch + 1, before
        found[b] = mean
        mean = decay * mean + (1.0 - decay) * counts[b]


@njit(cache=True, nogil=True)
@no_type_check
def _with_earlier_spikes(train, a, step, piece_of_lag, value, history):
    """The products of one spike's piece with those of the spikes before it."""
    piece = piece_of_lag[step - train[a] - 1]
    earlier = a - 1
    while earlier >= 0 and step - train[earlier] <= len(piece_of_lag):
        other = piece_of_lag[step - train[earlier] - 1]
        history[piece, other] += value
        history[other, piece] += value
        earlier -= 1


@njit(cache=True, nogil=True)
@no_type_check
def history_at_spikes(train, scored, piece_of_lag, n_pieces):
    """How many (earlier, scored later) pairs of a neuron's spikes each piece holds."""
    found = np.zeros(n_pieces)
    for a in range(len(train)):
        if not scored[train[a]]:
            continue
        earlier = a - 1
        while earlier >= 0 and train[a] - train[earlier] <= len(piece_of_lag):
            if train[a] > train[earlier]:
                found[piece_of_lag[train[a] - train[earlier] - 1]] += 1.0
            earlier -= 1
    return found


@njit(cache=True, nogil=True)
@no_type_check
def counts_around_spikes(counts, rate, train, first_lag, n_lags):
    """Observed and expected spikes at each lag from the spikes of a train, summed over them."""
    observed, expected = np.zeros(n_lags), np.zeros(n_lags)
    few_observed, few_expected = np.zeros(n_lags, np.int32), np.zeros(n_lags, np.float32)
    gathered = 0
    for spike in train:
        start = spike + first_lag
        if start < 0 or start + n_lags > len(rate):
            continue
        for lag in range(n_lags):
            few_observed[lag] += counts[start + lag]
            few_expected[lag] += rate[start + lag]
        gathered += 1
        if gathered == 256:  # single precision holds no more
            for lag in range(n_lags):
                observed[lag] += few_observed[lag]
                expected[lag] += few_expected[lag]
                few_observed[lag], few_expected[lag] = 0, np.float32(0.0)
            gathered = 0
    for lag in range(n_lags):
        observed[lag] += few_observed[lag]
        expected[lag] += few_expected[lag]
    return observed, expected
