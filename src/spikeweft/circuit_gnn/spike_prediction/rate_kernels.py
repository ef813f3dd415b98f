"""Compiled loops from drives to rates and their slopes; `Link` says the same in plain PyTorch.

log λ = p · log softplus(u) + c needs several logarithms and exponentials, and PyTorch as many
passes through memory. Here each drive is read once. The loops that follow hidden neurons through
time, and sum what is sent along each column, are last: they call the others.
"""

from typing import no_type_check

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

LOWEST_DRIVE = -60.0
"""Drives below give the rate that this one gives, next to none."""

# -- functions of many numbers at a time --
#
# Those of the C library are called one number at a time. These are the polynomials of the Cephes
# library (Moshier 1989), without branches, so that the compiler puts as many numbers into a
# register as fit. Their relative error is below 3e-7. They are in this file because numba, which
# keeps what it has compiled, looks only at the file of a loop to see whether it has changed.

ARITHMETIC = {"contract", "arcp", "nsz"}
"""What a loop may do that uses these functions: fuse products and sums, but not reorder sums."""

_f, _i = np.float32, np.int32
_LOG2_E, _LN2_HIGH, _LN2_LOW = _f(1.44269504), _f(0.693359375), _f(-2.12194440e-4)
_LOWEST_EXPONENT, _HIGHEST_EXPONENT = _f(-87.0), _f(89.0)
_ROOT_HALF_BITS = _i(0x3F3504F3)
_ONE, _HALF, _TWO = _f(1.0), _f(0.5), _f(2.0)


@intrinsic
@no_type_check  # numba reads it
def float_of(typing_context, bits):  # noqa: ARG001
    """The single-precision number with these 32 bits."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], context.get_value_type(types.float32))

    return types.float32(types.int32), generate


@intrinsic
@no_type_check
def bits_of(typing_context, number):  # noqa: ARG001
    """The 32 bits of a single-precision number."""

    def generate(context, builder, signature, arguments):  # noqa: ARG001
        return builder.bitcast(arguments[0], context.get_value_type(types.int32))

    return types.int32(types.float32), generate


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def size_of(x):
    """Compute |x|."""
    return float_of(bits_of(x) & _i(2**31 - 1))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def one_if_positive(x):
    """Compute 1 for a positive number, also for 0.0, and 0 for a negative one, without a branch."""
    return _HALF + float_of((bits_of(x) & _i(-(2**31))) | _i(0x3F000000))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def exponential(x):
    """Compute eˣ; infinite above 88, and not below e⁻⁸⁷."""
    x = _LOWEST_EXPONENT if x < _LOWEST_EXPONENT else x
    x = _HIGHEST_EXPONENT if x > _HIGHEST_EXPONENT else x
    n = _i(np.floor(x * _LOG2_E + _HALF))
    whole = _f(n)
    r = x - whole * _LN2_HIGH
    r = r - whole * _LN2_LOW
    p = _f(1.9875691500e-4)
    p = p * r + _f(1.3981999507e-3)
    p = p * r + _f(8.3334519073e-3)
    p = p * r + _f(4.1665795894e-2)
    p = p * r + _f(1.6666665459e-1)
    p = p * r + _f(5.0000001201e-1)
    mantissa = p * r * r + r + _ONE
    return mantissa * float_of(_i((n + _i(127)) << _i(23)))


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def logarithm(x):
    """Compute log x of a positive number that is not denormal; of infinity it is not a number."""
    bits = bits_of(x)
    n = _i((bits - _ROOT_HALF_BITS) >> _i(23))
    m = float_of(_i(bits - (n << _i(23)))) - _ONE
    p = _f(7.0376836292e-2)
    p = p * m + _f(-1.1514610310e-1)
    p = p * m + _f(1.1676998740e-1)
    p = p * m + _f(-1.2420140846e-1)
    p = p * m + _f(1.4249322787e-1)
    p = p * m + _f(-1.6668057665e-1)
    p = p * m + _f(2.0000714765e-1)
    p = p * m + _f(-2.4999993993e-1)
    p = p * m + _f(3.3333331174e-1)
    whole, square = _f(n), m * m
    low = p * m * square + whole * _LN2_LOW - _HALF * square
    return m + low + whole * _LN2_HIGH + (x - x)


@njit(inline="always", error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def logarithm_above_one(x):
    """Compute log(1 + x) of a number from 0 to 1, with a small relative error however small it is.

    It is 2 artanh(x / (2 + x)), by its series.
    """
    s = x / (x + _TWO)
    z = s * s
    p = _f(2.0 / 15.0)
    p = p * z + _f(2.0 / 13.0)
    p = p * z + _f(2.0 / 11.0)
    p = p * z + _f(2.0 / 9.0)
    p = p * z + _f(2.0 / 7.0)
    p = p * z + _f(2.0 / 5.0)
    p = p * z + _f(2.0 / 3.0)
    return (p * z + _TWO) * s


# -- rates --

_LOWEST = _f(LOWEST_DRIVE)


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
    """Log softplus(u) of each drive, and its derivative; e^-|u| and softplus(u) on the way.

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


# -- hidden neurons, and along which columns neurons send --

_ROUNDING_S = 1e-7

_LARGEST_RATE_HZ = np.float32(500.0)


@njit(cache=True, nogil=True)
@no_type_check
def route_columns(columns, hidden, shift, links):
    """Put what all neurons send into the columns, at each time."""
    sent = np.zeros(columns.shape[1])
    for t in range(len(columns)):
        add_up(columns[t], hidden[t], shift[t], links, sent)
        columns[t] = sent


@njit(cache=True, nogil=True)
@no_type_check
def add_up(observed, hidden, shift, links, sent):
    """What every column carries at one time, into `sent`."""
    source, column, share, n_observed, n_sent = links
    now = shift % len(source)
    sent[:] = 0.0
    for k in range(n_observed[now]):
        sent[column[now, k]] += share[now, k] * observed[source[now, k]]
    for k in range(n_observed[now], n_sent[now]):
        sent[column[now, k]] += share[now, k] * hidden[source[now, k]]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def expect_traces(times_s, observed, driven, link, routed, synapse, states, rates, began, at_times):
    """Rates of hidden neurons and their traces, from one quadrature time to the next.

    `began` is when the stretch began in which each time lies. The rate holds until the next time,
    for spikes in between as well: counted otherwise at spikes than at quadrature times, it would
    seem to explain them.
    """
    (power, log_gain, gain), (shift, links) = link, routed
    n_columns, n_hidden = driven[0].shape
    column, total = np.zeros(n_columns), np.zeros(n_hidden)
    drive, below = np.zeros(n_hidden, np.float32), np.zeros(n_hidden, np.float32)
    softplus, logs = np.zeros(n_hidden, np.float32), np.zeros(n_hidden, np.float32)
    slope, rate = np.zeros(n_hidden, np.float32), np.zeros(n_hidden, np.float32)
    for t in range(len(times_s)):
        lag = times_s[t] - times_s[t - 1] if t else np.inf
        goes_on = lag < synapse[2]
        began[t] = began[t - 1] if goes_on else t
        if goes_on:
            _arrive(t, lag, began[t], synapse, states, rates, at_times[t])
        add_up(observed[t], at_times[t], shift[t], links, column)
        is_rotated = shift[t] % len(links.source) != 0
        _drive(driven, column, at_times[t], is_rotated, total)
        drive[:] = total
        take_log_softplus(drive, below, softplus, logs, slope)
        take_rate(logs, power, log_gain, rate)
        for h in range(n_hidden):
            rates[t, h] = gain * min(rate[h], _LARGEST_RATE_HZ)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def _arrive(t, lag, began, synapse, states, rates, trace):
    """Add what has arrived by one quadrature time since the one before."""
    taus_s, amplitudes, _, delay = synapse
    arriving, arrives = rates[max(t - 1 - delay, 0)], np.float32(t - 1 - delay >= began)
    for m in range(len(taus_s)):
        kept = np.exp(-lag / taus_s[m])
        filled, amplitude = arrives * taus_s[m] * (1.0 - kept), amplitudes[m]
        before, now = states[m, t - 1], states[m, t]
        for h in range(len(trace)):
            now[h] = before[h] * kept + arriving[h] * filled
            trace[h] += amplitude * now[h]


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def _drive(driven, column, trace, is_rotated, total):
    """What drives hidden neurons; rotated, it is no longer themselves that they drive."""
    weights, onto_itself, bias = driven
    itself = 0.0 if is_rotated else 1.0
    for h in range(len(total)):
        total[h] = bias[h] - itself * onto_itself[h] * trace[h]
    for c in range(len(column)):
        weight, sent = weights[c], column[c]
        for h in range(len(total)):
            total[h] += weight[h] * sent


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def go_on_to_spikes(spike_times_s, times_s, synapse, states, rates, began, at_spikes):
    """Traces at spikes, from the last quadrature time before each.

    It is quick where the spikes of a neuron follow each other in time.
    """
    _, _, longest_lag_s, delay = synapse
    n_next, before_s = 0, -np.inf
    for s in range(len(spike_times_s)):
        time_s = spike_times_s[s] - _ROUNDING_S
        n_next = 0 if time_s < before_s else n_next
        before_s = time_s
        while n_next < len(times_s) and times_s[n_next] < time_s:
            n_next += 1
        last = n_next - 1
        lag = max(spike_times_s[s] - times_s[last], 0.0) if last >= 0 else np.inf
        if lag < longest_lag_s:
            arrives = np.float32(last - delay >= began[last])
            _reach(
                lag, synapse, states[:, last], rates[max(last - delay, 0)], arrives, at_spikes[s]
            )


@njit(cache=True, nogil=True, error_model="numpy", fastmath=ARITHMETIC)
@no_type_check
def _reach(lag, synapse, states, arriving, arrives, trace):
    """Add what is left of states and what has arrived, some time after a quadrature time."""
    taus_s, amplitudes, _, _ = synapse
    for m in range(len(taus_s)):
        kept = np.exp(-lag / taus_s[m])
        filled, amplitude, state = arrives * taus_s[m] * (1.0 - kept), amplitudes[m], states[m]
        for h in range(len(trace)):
            trace[h] += amplitude * (state[h] * kept + arriving[h] * filled)
