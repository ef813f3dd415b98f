"""Sharp peaks and troughs beyond what is left when spikes are jittered within short windows."""

from typing import no_type_check

import numpy as np
from jaxtyping import Int
from numba import njit

from spikeweft.baselines.correlograms.lag_counts import ROUNDING
from spikeweft.baselines.correlograms.monosynaptic_estimator import (
    Expectation,
    MonosynapticEstimator,
)
from spikeweft.baselines.correlograms.monosynaptic_window import LONGEST_LAG_S
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_JITTER_S = 0.025


class JitterCorrelogram(MonosynapticEstimator):
    r"""Which correlograms have a monosynaptic peak or trough that interval jitter does not have.

    Time is divided into windows of `jitter_s`. Under the null hypothesis every postsynaptic spike
    may as well have been anywhere in its window (interval jitter: Amarasingham et al. 2012,
    J. Neurophysiol. 107:517; with jittered spikes for monosynaptic connections Fujisawa et al.
    2008, Nat. Neurosci. 11:823). What a correlogram then holds is known without drawing any: with
    :math:`m_w` postsynaptic spikes in window w of :math:`n` steps, and :math:`x(u)` presynaptic
    spikes in step u, the count at lag l has

    .. math:: E(l) = \sum_w m_w p_w(l), \quad p_w(l) = \frac{1}{n} \sum_{u \in w} x(u - l), \qquad
              V(l) = E(l) - \sum_w m_w p_w(l)^2,

    where no step holds two spikes of a neuron. The tail is that of a Poisson count in units of
    V / E (chosen), the threshold that of `HollowCorrelogram`. A very strong connection raises the
    expectation within a window to both sides of its peak, so that there seem to be troughs.

    Parameters
    ----------
    step_s
        Step between lags in seconds (chosen), rounded to a multiple of the time resolution.
    longest_lag_s
        Longest lag at which a connection may act (chosen).
    jitter_s
        Length of the windows in seconds, rounded to whole steps (chosen); slower changes of rate
        are no connection.
    """

    def __init__(
        self,
        *,
        step_s: float = 0.0005,
        longest_lag_s: float = LONGEST_LAG_S,
        jitter_s: float = _JITTER_S,
    ) -> None:
        super().__init__(step_s=step_s, longest_lag_s=longest_lag_s)
        self.jitter_s = jitter_s

    def _expect(self, recording: Recording, step_s: float, n_lags: int) -> Expectation:
        if not step_s * (2 - ROUNDING) <= self.jitter_s < np.inf:
            raise InputError(
                f"windows of {self.jitter_s} s hold fewer than two steps of {step_s:g} s; choose "
                "longer ones"
            )
        return jittered(recording, step_s, n_lags, round(self.jitter_s / step_s))


def jittered(recording: Recording, step_s: float, n_lags: int, n_window: int) -> Expectation:
    """Counts at lags from 0 to `n_lags` steps, and their mean and variance under interval jitter.

    Parameters
    ----------
    recording
        The spikes; a lag is that between steps counted from the start of an epoch.
    step_s, n_lags
        Step between lags, and how many there are.
    n_window
        Steps in a window of the jitter; the last of an epoch may be shorter.
    """
    n = recording.n_neurons
    observed, expected, squared = (np.zeros((n, n, n_lags + 2)) for _ in range(3))
    for start_s, stop_s in recording.epochs_s:
        inside = slice(*np.searchsorted(recording.spike_times_s, (start_s, stop_s)))
        since_s = recording.spike_times_s[inside] - start_s
        n_steps = max(1, int(np.ceil((stop_s - start_s) / step_s - ROUNDING)))
        steps = np.floor(since_s / step_s + ROUNDING).astype(np.int64)
        neurons = recording.spike_neurons[inside].astype(np.int64)
        steps = np.minimum(steps, n_steps - 1)
        before = _before_in_train(neurons)
        _jitter(steps, neurons, before, n_steps, n_window, observed, expected, squared)
    expected, squared = (np.cumsum(part, axis=2)[:, :, :-1] for part in (expected, squared))
    return Expectation(observed[:, :, :-1], expected, np.maximum(expected - squared, 0.0))


def _before_in_train(neurons: Int[np.ndarray, " spike"]) -> Int[np.ndarray, " spike"]:
    """Index of the spike that the same neuron fired before; -1 where it is the first."""
    order = np.argsort(neurons, kind="stable")
    follows = np.flatnonzero(neurons[order][1:] == neurons[order][:-1])
    before = np.full(len(neurons), -1)
    before[order[follows + 1]] = order[follows]
    return before


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _jitter(steps, neurons, before, n_steps, n_window, observed, expected, squared):
    """Add what every postsynaptic spike contributes; moments as their changes from lag to lag."""
    n_lags = observed.shape[2] - 2
    oldest = 0
    for spike in range(len(steps)):
        post, step = neurons[spike], steps[spike]
        start = step // n_window * n_window
        length = min(n_window, n_steps - start)
        while steps[oldest] < start - n_lags:
            oldest += 1
        pre_spike = oldest
        while pre_spike < len(steps) and steps[pre_spike] < start + length:
            pre, at = neurons[pre_spike], steps[pre_spike]
            lag = step - at
            if 0 <= lag <= n_lags:
                observed[post, pre, lag] += 1.0
            _add_between(expected[post, pre], start - at, start + length - at, 1.0 / length)
            other, twice = pre_spike, 1.0
            while other >= 0 and at - steps[other] < length:
                _add_between(
                    squared[post, pre],
                    start - steps[other],
                    start + length - at,
                    twice / length**2,
                )
                other, twice = before[other], 2.0
            pre_spike += 1


@njit(cache=True, nogil=True)
@no_type_check
def _add_between(changes, first, end, value):
    """Add a value to lags from `first` to before `end`, as changes from one lag to the next."""
    first, end = max(first, 0), min(end, len(changes) - 1)
    if first < end:
        changes[first] += value
        changes[end] -= value
