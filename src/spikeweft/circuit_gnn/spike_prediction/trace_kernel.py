"""The compiled walk through an epoch that evaluates all traces, spike by spike."""

from typing import no_type_check

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, fastmath=True)
@no_type_check  # numba compiles these; their caller is checked
def follow_epoch(
    presynaptic, spike_steps, neurons, rows, times, taus, at_spikes, at_times, own_at_times
):
    """Walk through one epoch, noting the traces before each spike and at each quadrature time.

    Of all neurons, those from the first of `presynaptic` up to the second are followed. Spikes of
    the same time step have no order, so they count only from the next one on.
    """
    first, end = presynaptic
    n_own = own_at_times.shape[0]
    first_own = at_times.shape[1]
    trace = np.zeros(end - first, np.float32)
    own = np.zeros((n_own, end - first), np.float32)
    now, spike, n_added = np.int64(0), 0, 0
    if len(spike_steps):
        now = spike_steps[0]
    for point in range(len(times) + 1):
        until = times[point] if point < len(times) else np.int64(2**62)
        while spike < len(spike_steps) and spike_steps[spike] <= until:
            n_added = _move(
                trace, own, first, spike_steps, neurons, taus, n_added, now, spike_steps[spike]
            )
            now = spike_steps[spike]
            row, post = rows[spike], neurons[spike]
            if row >= 0:
                at_spikes[row, first:end] = trace
                if first <= post < end:
                    for k in range(n_own):
                        at_spikes[row, first_own + k] = own[k, post - first]
            spike += 1
        if point < len(times):
            n_added = _move(trace, own, first, spike_steps, neurons, taus, n_added, now, until)
            now = until if until > now else now
            at_times[point, first:end] = trace
            own_at_times[:, point, first:end] = own


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _move(trace, own, first, spike_steps, neurons, taus, n_added, now, until):
    """Let time pass from `now` to `until`: the spikes of `now` are added, then all decays."""
    if until <= now:
        return n_added
    while n_added < len(spike_steps) and spike_steps[n_added] < until:
        pre = neurons[n_added] - first
        if 0 <= pre < len(trace):
            trace[pre] += np.float32(1.0)
            for k in range(own.shape[0]):
                own[k, pre] += np.float32(1.0)
        n_added += 1
    _decay(trace, np.float32(np.exp((now - until) / taus[0])))
    for k in range(own.shape[0]):
        _decay(own[k], np.float32(np.exp((now - until) / taus[1 + k])))
    return n_added


@numba.njit(cache=True, nogil=True, fastmath=True, inline="always")
@no_type_check
def _decay(trace, factor):
    # Left alone, forgotten spikes would linger as denormal numbers, a hundredfold slower to use.
    for i in range(len(trace)):
        kept = trace[i] * factor
        trace[i] = kept if kept > np.float32(1e-12) else np.float32(0.0)
