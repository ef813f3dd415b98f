"""The compiled walk through an epoch that evaluates all traces, spike by spike."""

from typing import no_type_check

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=True)
@no_type_check  # numba compiles these; their caller is checked
def follow_epoch(
    presynaptic,
    spike_steps,
    neurons,
    rows,
    times,
    synapse,
    own_taus,
    at_spikes,
    at_times,
    own_at_times,
):
    """Walk through one epoch, noting the traces before each spike and at each quadrature time.

    Of all neurons, those from the first of `presynaptic` up to the second are followed; own history
    is that of the first ones, of as many as `own_at_times` has columns. Spikes of
    the same time step have no order, so they count only from the next one on. `synapse` holds the
    exponentials' time constants and amplitudes and the latency, all times in steps.
    """
    first, end = presynaptic
    taus, amplitudes, latency = synapse
    n_own, first_own = own_at_times.shape[0], at_times.shape[1]
    trace = np.zeros((len(taus), end - first), np.float32)
    last_own = max(first, min(end, own_at_times.shape[2]))
    own = np.zeros((n_own, last_own - first), np.float32)
    n_spikes, n_times, never = len(spike_steps), len(times), np.int64(2**62)
    now, spike, point, n_arrived, n_fired = np.int64(0), 0, 0, 0, 0
    if n_spikes:
        now = spike_steps[0]
    while spike < n_spikes or point < n_times:
        fired = spike_steps[spike] if spike < n_spikes else never
        until = min(fired, times[point] if point < n_times else never)
        if until > now:
            n_arrived = _move(
                trace, first, spike_steps, neurons, taus, amplitudes, latency, n_arrived, now, until
            )
            n_fired = _move_own(own, first, spike_steps, neurons, own_taus, n_fired, now, until)
            now = until
        if fired > until:
            _note(at_times[point, first:end], trace)
            own_at_times[:, point, first:last_own] = own
            point += 1
            continue
        row = rows[spike]
        if row >= 0:
            _note(at_spikes[row, first:end], trace)
            own_row = at_spikes[row, first_own : first_own + n_own]
            _note_own(own_row, own, neurons[spike] - first)
        spike += 1


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _move(trace, first, spike_steps, neurons, taus, amplitudes, latency, n_arrived, now, until):
    """Let time pass from `now` to `until`; spikes arrive one latency after they were fired."""
    for m in range(len(taus)):
        _decay(trace[m], np.float32(np.exp((now - until) / taus[m])))
    while n_arrived < len(spike_steps) and spike_steps[n_arrived] + latency < until:
        pre = neurons[n_arrived] - first
        if 0 <= pre < trace.shape[1]:
            since = spike_steps[n_arrived] + latency - until
            for m in range(len(taus)):
                trace[m, pre] += np.float32(amplitudes[m] * np.exp(since / taus[m]))
        n_arrived += 1
    return n_arrived


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _move_own(own, first, spike_steps, neurons, own_taus, n_fired, now, until):
    """The same for own history, which starts at once."""
    for k in range(own.shape[0]):
        _decay(own[k], np.float32(np.exp((now - until) / own_taus[k])))
    while n_fired < len(spike_steps) and spike_steps[n_fired] < until:
        pre = neurons[n_fired] - first
        if 0 <= pre < own.shape[1]:
            for k in range(own.shape[0]):
                own[k, pre] += np.float32(np.exp((spike_steps[n_fired] - until) / own_taus[k]))
        n_fired += 1
    return n_fired


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _note(row, trace):
    """The sum of all exponentials."""
    for i in range(len(row)):
        row[i] = trace[0, i]
    for m in range(1, trace.shape[0]):
        for i in range(len(row)):
            row[i] += trace[m, i]


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _note_own(row, own, post):
    """The own history of the neuron that fired, where it is one of those that are followed."""
    if 0 <= post < own.shape[1]:
        for k in range(own.shape[0]):
            row[k] = own[k, post]


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _decay(trace, factor):
    # Left alone, forgotten spikes would linger as denormal numbers, a hundredfold slower to use.
    for i in range(len(trace)):
        kept = trace[i] * factor
        trace[i] = kept if kept > np.float32(1e-12) else np.float32(0.0)
