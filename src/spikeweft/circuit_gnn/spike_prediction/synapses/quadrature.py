"""Quadrature times: where the rates are evaluated for the integral of the likelihood.

One time is drawn at random in each stretch of scored time, and stands for it. Stretches are as long
as the error that this adds allows. Within a stretch of length h a rate λ that is filtered by
synapses of time constant τ varies by about λ² h / 3τ, which adds h λ · h / 3τ to the variance of
the score of a neuron's λ spikes per second, relative to what the spikes themselves have. Hence
h = √(3 τ ε / λ) for a share ε on average; and the more spikes there are, the denser the times.
"""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.recording import Recording

FINEST_STEP_S = 1e-3
"""No stretch is shorter, unless time steps or the ends of epochs make it so."""

_LONGEST_STEP_S = 1e-2
"""Nor is one longer where as many spikes come as on average; where none come it may be so."""

SLOWEST_TAU_S, FASTEST_TAU_S = 1e-2, 2e-3
"""Times are as dense as synapses of the first need, or denser, down to the second."""

_SHARE_OF_VARIANCE = 0.01
"""What the integral may add to the variance of the score."""

_BIN_S = 0.005
"""How finely it is looked at how many spikes come."""

_LEAST_ACTIVITY = 0.3
"""Activity, as a share of the mean, that is counted with where hardly any spike comes."""


def dense_enough_for_s(tau_s: float) -> float:
    """The time constant for which times should be dense enough, where synapses have this one."""
    return float(np.clip(tau_s, FASTEST_TAU_S, SLOWEST_TAU_S))


def step_s(rate_hz: float, tau_s: float = SLOWEST_TAU_S) -> float:
    """Length of a stretch in which a neuron fires at some rate that synapses filter."""
    longest = np.sqrt(3.0 * tau_s * _SHARE_OF_VARIANCE / max(rate_hz, 1e-9))
    return float(np.clip(longest, FINEST_STEP_S, _LONGEST_STEP_S))


def n_quadrature_times(
    recording: Recording, *, evenly: bool, tau_s: float = SLOWEST_TAU_S
) -> float:
    """How many quadrature times a recording has, if all of it is scored; but for rounding."""
    time_step_s = recording.time_resolution_s
    if evenly:
        return recording.duration_s / max(FINEST_STEP_S, time_step_s)
    origin_s = recording.epochs_s[0, 0]
    edges = np.ceil((recording.epochs_s - origin_s) / time_step_s - 1e-3).astype(np.int64)
    steps = np.rint((recording.spike_times_s - origin_s) / time_step_s).astype(np.int64)
    within = np.searchsorted(edges[:, 0], steps, "right") > np.searchsorted(
        edges[:, 1], steps, "right"
    )
    spikes = steps[within], recording.spike_neurons[within]
    _, n_before = _wanted(edges, *spikes, time_step_s, tau_s)
    return float(min(max(1.0, n_before[-1]), np.diff(edges, axis=1).sum()))


def even_times(
    scored: Int[np.ndarray, "epoch 2"], step: int, rng: np.random.Generator
) -> tuple[Int[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """One random time step in each stretch of so many, and how many it stands for."""
    starts = np.concatenate([np.arange(a, b, step) for a, b in scored] or [np.empty(0, np.int64)])
    ends = np.repeat(scored[:, 1], -(-(scored[:, 1] - scored[:, 0]) // step))
    return _drawn(starts, np.minimum(step, ends - starts), rng)


def times_by_activity(
    scored: Int[np.ndarray, "epoch 2"],
    spike_steps: Int[np.ndarray, " spike"],
    spike_neurons: Int[np.ndarray, " spike"],
    time_step_s: float,
    rng: np.random.Generator,
    tau_s: float = SLOWEST_TAU_S,
) -> tuple[Int[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """The same in stretches that suit the neuron which fires most, shorter where more spikes are.

    Rates change after spikes, and most within bursts.

    Parameters
    ----------
    spike_steps, spike_neurons
        Time step, in order, and neuron of the scored spikes.
    tau_s
        Time constant of the synapses.
    """
    lengths = scored[:, 1] - scored[:, 0]
    ends = np.cumsum(lengths)
    n_steps = int(ends[-1]) if len(ends) else 0
    if n_steps == 0:
        return _drawn(np.empty(0, np.int64), np.empty(0, np.int64), rng)
    edges, n_before = _wanted(scored, spike_steps, spike_neurons, time_step_s, tau_s)
    n_stretches = max(1, int(np.ceil(n_before[-1])))
    grid = np.interp(np.linspace(0.0, n_before[-1], n_stretches + 1)[:-1], n_before, edges)
    starts = np.union1d(np.rint(grid).astype(np.int64), ends - lengths)
    starts = starts[starts < n_steps]
    to_scored = ends - scored[:, 1]
    back = to_scored[np.searchsorted(ends, starts, "right")]
    return _drawn(starts - back, np.diff(np.append(starts, n_steps)), rng)


def _wanted(
    scored: Int[np.ndarray, "epoch 2"],
    spike_steps: Int[np.ndarray, " spike"],
    spike_neurons: Int[np.ndarray, " spike"],
    time_step_s: float,
    tau_s: float,
) -> tuple[Int[np.ndarray, " edge"], Float[np.ndarray, " edge"]]:
    """Edges of short bins of scored time, and how many stretches are wanted before each."""
    ends = np.cumsum(scored[:, 1] - scored[:, 0])
    n_steps = int(ends[-1])
    to_scored = ends - scored[:, 1]  # epochs one after the other, without what lies in between
    epoch = np.searchsorted(scored[:, 1], spike_steps, "right")
    width = max(1, round(_BIN_S / time_step_s))
    edges = np.append(np.arange(0, n_steps, width), n_steps)
    bins = (spike_steps + to_scored[epoch]) // width
    n_spikes = np.bincount(bins, minlength=len(edges) - 1)
    n_fastest = np.bincount(spike_neurons, minlength=1).max()
    on_average_s = step_s(n_fastest / (n_steps * time_step_s), tau_s)
    activity = _activity(n_spikes / np.diff(edges) / time_step_s)
    wanted_s = np.maximum(on_average_s / activity, FINEST_STEP_S)
    return edges, np.append(0.0, np.cumsum(np.diff(edges) * time_step_s / wanted_s))


def _activity(rate_hz: Float[np.ndarray, " bin"]) -> Float[np.ndarray, " bin"]:
    """How active all neurons are around each bin, relative to the mean."""
    relative = rate_hz / max(rate_hz.mean(), 1e-9)
    around = np.max([relative, np.roll(relative, 1), np.roll(relative, -1)], axis=0)
    return _LEAST_ACTIVITY + (1.0 - _LEAST_ACTIVITY) * around


def _drawn(
    starts: Int[np.ndarray, " time"], lengths: Int[np.ndarray, " time"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    return starts + rng.integers(0, lengths), lengths
