"""Spikes of a network with known synapses, step by step: the fast kernels and their plain twins.

One step of the networks of Das & Fiete (2020): every neuron reads its drive `weights @ trace`,
spikes or not, and only then do the traces decay and take up the new spikes,
`trace ← trace·decay + spikes`. A spike therefore acts from the next step on.

The kernels carry the drive along instead of multiplying by the weights in every step: it decays
as the traces do, and each spike adds one column of the weights. Random numbers are drawn only
where they can matter, without approximation: for threshold neurons at the steps on which noise is
present, found by geometric gaps; for LNP neurons once per spike, as the events of a Poisson
process whose intensity is the sum over neurons.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

from spikeweft.errors import InputError


class Spikes(NamedTuple):
    """Step and neuron of every spike, in order of steps counted from the start of the call."""

    steps: Int[np.ndarray, " spike"]
    neurons: Int[np.ndarray, " spike"]


def threshold_spikes(
    weights: Float[np.ndarray, "post pre"],
    trace: Float[np.ndarray, " pre"],
    n_steps: int,
    decay: float,
    critical_drive: float,
    noise_sd: float,
    noise_fraction: float,
    rng: np.random.Generator,
) -> Spikes:
    """Spikes of neurons that fire whenever drive + noise exceeds a critical value.

    Parameters
    ----------
    weights
        Synaptic weights including the recurrent strength.
    trace
        Summed, decaying spikes of each neuron; left as it is after the last step.
    noise_sd
        Standard deviation of the Gaussian noise, in units of the drive.
    noise_fraction
        Fraction of neurons and steps on which the noise is present.
    """
    spikes = Spikes(
        *_threshold_kernel(
            np.ascontiguousarray(weights.T),
            weights @ trace,
            n_steps,
            decay,
            critical_drive,
            noise_sd,
            _mean_gap(noise_fraction),
            rng,
        )
    )
    _leave_trace(trace, spikes, n_steps, decay)
    return spikes


def lnp_spikes(
    weights: Float[np.ndarray, "post pre"],
    trace: Float[np.ndarray, " pre"],
    n_steps: int,
    decay: float,
    critical_drive: float,
    gain: float,
    rng: np.random.Generator,
) -> Spikes:
    """Spikes of linear-nonlinear-Poisson neurons: Poisson(gain·max(drive - critical, 0)) a step.

    A neuron may fire more than once in a step. Parameters as in `threshold_spikes`.

    Raises
    ------
    InputError
        Where excitation runs away, so that neurons would fire more than once in every step.
    """
    steps, neurons, runaway = _lnp_kernel(
        np.ascontiguousarray(weights.T),
        weights @ trace,
        n_steps,
        decay,
        critical_drive,
        gain,
        rng,
    )
    if runaway:
        raise InputError(
            f"the network runs away: after {len(steps)} spikes its neurons would fire more than "
            "once in every step; weaken what excites, or strengthen what inhibits"
        )
    spikes = Spikes(steps, neurons)
    _leave_trace(trace, spikes, n_steps, decay)
    return spikes


def threshold_spikes_plain(
    weights: Float[np.ndarray, "post pre"],
    trace: Float[np.ndarray, " pre"],
    n_steps: int,
    decay: float,
    critical_drive: float,
    noise_sd: float,
    noise_fraction: float,
    rng: np.random.Generator,
) -> Spikes:
    """The plain twin of `threshold_spikes`: the same spikes from the same random numbers."""
    n, mean_gap = len(trace), _mean_gap(noise_fraction)
    noisy = int(rng.standard_exponential() * mean_gap)
    steps, neurons = [], []
    for step in range(n_steps):
        drive = weights @ trace
        while noisy < n:
            drive[noisy] += noise_sd * rng.standard_normal()
            noisy += 1 + int(rng.standard_exponential() * mean_gap)
        noisy -= n
        fired = drive > critical_drive
        trace[:] = trace * decay + fired
        steps += [step] * int(fired.sum())
        neurons += list(np.flatnonzero(fired))
    return Spikes(np.array(steps, dtype=np.int64), np.array(neurons, dtype=np.int64))


def lnp_spikes_plain(
    weights: Float[np.ndarray, "post pre"],
    trace: Float[np.ndarray, " pre"],
    n_steps: int,
    decay: float,
    critical_drive: float,
    gain: float,
    rng: np.random.Generator,
) -> Spikes:
    """The plain twin of `lnp_spikes`: the same spikes from the same random numbers."""
    wait = rng.standard_exponential()
    steps, neurons = [], []
    for step in range(n_steps):
        cumulative = np.cumsum(np.maximum(weights @ trace - critical_drive, 0.0)) * gain
        trace *= decay
        wait -= cumulative[-1]
        while wait < 0:
            neuron = np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right")
            trace[neuron] += 1
            steps.append(step)
            neurons.append(neuron)
            wait += rng.standard_exponential()
    return Spikes(np.array(steps, dtype=np.int64), np.array(neurons, dtype=np.int64))


def _leave_trace(trace: np.ndarray, spikes: Spikes, n_steps: int, decay: float) -> None:
    """Bring the traces to the end of the call."""
    left = decay ** (n_steps - 1 - spikes.steps)
    trace[:] = trace * decay**n_steps + np.bincount(spikes.neurons, left, minlength=len(trace))


def _mean_gap(fraction: float) -> float:
    """Factor that turns a standard exponential, rounded down, into geometric gaps."""
    return -1.0 / np.log1p(-fraction) if fraction < 1.0 else 0.0


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles these; their callers above are checked
def _threshold_kernel(columns, drive, n_steps, decay, critical_drive, noise_sd, mean_gap, rng):
    n = len(drive)
    steps, neurons, count = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    fired = np.empty(n, np.bool_)
    noisy = int(rng.standard_exponential() * mean_gap)
    for step in range(n_steps):
        for i in range(n):
            fired[i] = drive[i] > critical_drive
        while noisy < n:
            fired[noisy] = drive[noisy] + noise_sd * rng.standard_normal() > critical_drive
            noisy += 1 + int(rng.standard_exponential() * mean_gap)
        noisy -= n
        for i in range(n):
            drive[i] *= decay
        if count + n > len(steps):
            steps, neurons = longer(steps, n), longer(neurons, n)
        for j in range(n):
            if fired[j]:
                steps[count], neurons[count] = step, j
                count += 1
                _receive(drive, columns, j)
    return steps[:count], neurons[:count]


@njit(cache=True, nogil=True)
@no_type_check
def _lnp_kernel(columns, drive, n_steps, decay, critical_drive, gain, rng):
    n = len(drive)
    steps, neurons, count = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    cumulative = np.empty(n)
    wait = rng.standard_exponential()
    for step in range(n_steps):
        total = 0.0
        for i in range(n):
            total += max(drive[i] - critical_drive, 0.0)
            cumulative[i] = total
        for i in range(n):
            drive[i] *= decay
        if gain * total > n:
            return steps[:count], neurons[:count], True
        wait -= gain * total
        while wait < 0:
            j = np.searchsorted(cumulative, rng.random() * total, side="right")
            if count == len(steps):
                steps, neurons = longer(steps, 1), longer(neurons, 1)
            steps[count], neurons[count] = step, j
            count += 1
            _receive(drive, columns, j)
            wait += rng.standard_exponential()
    return steps[:count], neurons[:count], False


@njit(cache=True, nogil=True, inline="always")
@no_type_check
def _receive(drive, columns, j):
    """Deliver one spike of neuron j to all neurons."""
    for i in range(len(drive)):
        drive[i] += columns[j, i]


@njit(cache=True, nogil=True)
@no_type_check
def longer(buffer, spare):
    """The same buffer with twice its room, and some to spare."""
    longer = np.empty(2 * len(buffer) + spare, buffer.dtype)
    longer[: len(buffer)] = buffer
    return longer
