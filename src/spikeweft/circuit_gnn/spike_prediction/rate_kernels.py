"""Compiled loops from drives to rates and their slopes; `Link` says the same in plain PyTorch.

log λ = p · log softplus(u) + c needs several logarithms and exponentials, and PyTorch as many
passes through memory. Here each drive is read once.
"""

from typing import no_type_check

import numpy as np
from numba import njit

from spikeweft.circuit_gnn.spike_prediction.link import LOWEST_DRIVE
from spikeweft.runtime.vector_math import (
    ARITHMETIC,
    exponential,
    logarithm,
    logarithm_above_one,
    one_if_positive,
    size_of,
)

_LOWEST, _ONE, _HALF = np.float32(LOWEST_DRIVE), np.float32(1.0), np.float32(0.5)


_AT_HAND = 2048
"""Numbers that are worked on at a time: they stay in the memory that is nearest to a processor."""


@njit(inline="always")
@no_type_check
def _numbers(n):
    """Room for so many, each in an array of its own: the compiler then knows that none overlap."""
    return np.empty(n, np.float32)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check  # numba compiles these; their callers are checked
def take_log_softplus(drive, below, softplus, log_softplus, slope):
    """Log softplus(u) of each drive, and its derivative; `below` and `softplus` are e⁻ᵘ and so on.

    Step by step, and without a branch on the sign of u, so that all numbers in a register and the
    next ones are on their way at the same time.
    """
    n = len(drive)
    for k in range(n):
        u = _LOWEST if drive[k] < _LOWEST else drive[k]
        size = size_of(u)
        below[k] = exponential(-size)
        softplus[k] = (u + size) * _HALF + logarithm_above_one(below[k])
    for k in range(n):
        log_softplus[k] = logarithm(softplus[k])
    for k in range(n):
        is_positive = one_if_positive(drive[k])
        above = is_positive + (_ONE - is_positive) * below[k]
        slope[k] = above / ((_ONE + below[k]) * softplus[k])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def take_rate(log_softplus, power, log_gain, rate):
    """The rate at each logarithm of the softplus."""
    for k in range(len(log_softplus)):
        rate[k] = exponential(power * log_softplus[k] + log_gain)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def take_rates(drive, weight_s, power, log_gain, total, by_power, expected):
    """Put the slope of λ·weight in place of each drive, and add up what it is of each neuron.

    Added up are λ·weight and its derivatives in the drive and in the link's power.
    """
    n_neurons, flat = drive.shape[1], drive.reshape(drive.size)
    n_times = max(1, _AT_HAND // n_neurons)
    below, softplus = _numbers(n_times * n_neurons), _numbers(n_times * n_neurons)
    logs, slopes = _numbers(n_times * n_neurons), _numbers(n_times * n_neurons)
    rates = _numbers(n_times * n_neurons)
    for start in range(0, len(drive), n_times):
        stop = min(start + n_times, len(drive))
        here = flat[start * n_neurons : stop * n_neurons]
        take_log_softplus(here, below, softplus, logs, slopes)
        take_rate(logs[: len(here)], power, log_gain, rates)
        for t in range(stop - start):
            first, weight = t * n_neurons, weight_s[start + t]
            for i in range(n_neurons):
                spikes = rates[first + i] * weight
                change = spikes * power * slopes[first + i]
                here[first + i] = change
                total[i] += change
                by_power[i] += spikes * logs[first + i]
                expected[i] += spikes


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def add_expected_spikes(drive, weight_s, power, log_gain, expected):
    """Add up λ·weight of each neuron."""
    n_neurons, flat = drive.shape[1], drive.reshape(drive.size)
    n_times = max(1, _AT_HAND // n_neurons)
    below, softplus = _numbers(n_times * n_neurons), _numbers(n_times * n_neurons)
    logs, slopes = _numbers(n_times * n_neurons), _numbers(n_times * n_neurons)
    rates = _numbers(n_times * n_neurons)
    for start in range(0, len(drive), n_times):
        stop = min(start + n_times, len(drive))
        here = flat[start * n_neurons : stop * n_neurons]
        take_log_softplus(here, below, softplus, logs, slopes)
        take_rate(logs[: len(here)], power, log_gain, rates)
        for t in range(stop - start):
            first, weight = t * n_neurons, weight_s[start + t]
            for i in range(n_neurons):
                expected[i] += rates[first + i] * weight


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def add_scaled(drive, trace, coefficient):
    """Add each neuron's own trace, by its own coefficient, to its drive."""
    for t in range(len(drive)):
        row, of_time = drive[t], trace[t]
        for i in range(len(row)):
            row[i] += coefficient[i] * of_time[i]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def add_products(change, trace, total):
    """Add up the products of each neuron's change and its own trace."""
    for t in range(len(change)):
        row, of_time = change[t], trace[t]
        for i in range(len(row)):
            total[i] += row[i] * of_time[i]


_REORDERED = {*ARITHMETIC, "reassoc"}
"""What a loop may do that sums few enough numbers for their order not to matter."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDERED)
@no_type_check
def _sum(values):
    total = np.float32(0.0)
    for value in values:
        total += value
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath=_REORDERED)
@no_type_check
def _sum_of_products(first, second):
    total = np.float32(0.0)
    for s in range(len(first)):
        total += first[s] * second[s]
    return total


# -- spikes --


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def take_drive(features, parameters, drive):
    """The drive of one neuron at each of its spikes, whose features lie spike by spike."""
    for s in range(len(features)):
        drive[s] = _sum_of_products(features[s], parameters)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def take_scores(features, log_softplus, slope, power, scores, total):
    """The scores of spikes, and their total: of coefficients, of the power and of the log gain."""
    n_features = features.shape[1]
    for s in range(len(features)):
        row, of_spike, by_drive = scores[s], features[s], power * slope[s]
        for k in range(n_features):
            row[k] = by_drive * of_spike[k]
        row[n_features], row[n_features + 1] = log_softplus[s], _ONE
        for k in range(n_features + 2):
            total[k] += row[k]


# -- spikes of few features, which lie feature by feature --

_STRIP = 1024
"""Spikes that are worked on at a time: what is needed of them stays in the nearest memory."""


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def add_log_softplus_of_few(features, offsets, first, last, parameters, total):
    """Add up log softplus(u) at the spikes of the neurons from `first` to `last`."""
    drive, below, softplus = _numbers(_STRIP), _numbers(_STRIP), _numbers(_STRIP)
    logs, slope = _numbers(_STRIP), _numbers(_STRIP)
    for neuron in range(first, last):
        for start in range(offsets[neuron], offsets[neuron + 1], _STRIP):
            stop = min(start + _STRIP, offsets[neuron + 1])
            _fill_drive(features, start, stop, parameters[neuron], drive)
            take_log_softplus(drive[: stop - start], below, softplus, logs, slope)
            total[neuron] += _sum(logs[: stop - start])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def add_log_terms_of_few(
    features, offsets, first, last, parameters, power, log_gain, likelihood, gradient, fisher
):
    """Add up log λ, scores and their products of the neurons from `first` to `last`.

    Scores are those of the coefficients and, last, of the link's power and log gain.
    """
    n_features = len(features)
    scores = np.empty((n_features + 2, _STRIP), np.float32)
    drive, below, softplus = _numbers(_STRIP), _numbers(_STRIP), _numbers(_STRIP)
    slope = _numbers(_STRIP)
    scores[-1] = _ONE
    for neuron in range(first, last):
        for start in range(offsets[neuron], offsets[neuron + 1], _STRIP):
            n = min(_STRIP, offsets[neuron + 1] - start)
            logs = scores[-2, :n]
            _fill_drive(features, start, start + n, parameters[neuron], drive)
            take_log_softplus(drive[:n], below, softplus, logs, slope)
            for k in range(n_features):
                column, score = features[k, start : start + n], scores[k]
                for s in range(n):
                    score[s] = column[s] * slope[s] * power
            likelihood[neuron] += power * _sum(logs) + log_gain * n
            _add_scores(scores, n, gradient[neuron], fisher[neuron])


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def _fill_drive(features, start, stop, parameters, drive):
    """The drive of one neuron at some of its spikes."""
    drive[: stop - start] = np.float32(0.0)
    for k in range(len(features)):
        column, coefficient = features[k, start:stop], parameters[k]
        for s in range(len(column)):
            drive[s] += coefficient * column[s]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def _add_scores(scores, n, gradient, fisher):
    """Add up the first `n` scores, and the products of each two."""
    for a in range(len(scores)):
        gradient[a] += _sum(scores[a, :n])
        for b in range(a):
            product = _sum_of_products(scores[a, :n], scores[b, :n])
            fisher[a, b] += product
            fisher[b, a] += product
        fisher[a, a] += _sum_of_products(scores[a, :n], scores[a, :n])
