"""Synaptic traces: the synaptic input from every neuron, at each spike and in between.

The trace of a presynaptic neuron is the state of a synapse, a linear recurrent unit: it steps up by
one at each spike and decays exponentially, or as a mixture of exponentials that starts after a
latency (`SynapticKernel`). It is the narrow message of the model, one number per presynaptic
neuron, and it is evaluated without bins: at the time of every spike, for the log term of the
likelihood, and at random quadrature times, for its integral (`quadrature`).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import (
    FINEST_STEP_S,
    SLOWEST_TAU_S,
    even_times,
    times_by_activity,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.trace_kernel import follow_epoch
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.runtime.parallel import n_side_by_side, side_by_side

OWN_TAUS_S = (0.001, 0.004, 0.05)
"""Time constants of a neuron's own history, beside the synaptic kernel."""

N_OWN = len(OWN_TAUS_S)

SpikeMatrix = Float32[np.ndarray, "spike feature"]


class DeadTime(NamedTuple):
    """When neurons are so soon after a spike that drives say nothing of them.

    Attributes
    ----------
    is_now
        At the quadrature times.
    n_spikes
        Scored spikes in dead time; they have no row among those that have features.
    rate_hz
        The constant rate there.
    """

    is_now: Bool[np.ndarray, "time neuron"]
    n_spikes: Int[np.ndarray, " neuron"]
    rate_hz: Float[np.ndarray, " neuron"]

    def log_likelihood(self, weight_s: Float32[np.ndarray, " time"]) -> np.ndarray:
        """That of each neuron's spikes in dead time."""
        lasts_s = np.einsum("t,tn->n", weight_s, self.is_now, dtype=np.float64)
        log_rate = np.log(np.where(self.n_spikes > 0, self.rate_hz, 1.0))
        return self.n_spikes * log_rate - self.rate_hz * lasts_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Features of every spike and of every quadrature time of a recording.

    The postsynaptic neurons are all of the recording, or the first ones of them. The features of
    postsynaptic neuron i are, in this order: the trace of each neuron (its own too, the i-th, a
    part of its history), further columns that all neurons share (recent activity, covariates), its
    own traces at `N_OWN` further time constants, and a constant one.

    Attributes
    ----------
    n_presynaptic
        Neurons whose traces are the first features.
    at_spikes
        Features of each spike, ordered by the neuron that fired it.
    offsets
        Rows `offsets[i]:offsets[i + 1]` of `at_spikes` are the spikes of neuron i.
    spike_times_s
        Time of each row of `at_spikes`.
    at_times
        Traces and shared columns at the quadrature times.
    own_at_times
        Own traces at further time constants, at the quadrature times.
    weight_s
        Time that each quadrature time stands for.
    times_s
        The quadrature times.
    n_without
        Scored spikes of each neuron that have no features.
    dead_time
        When neurons are so soon after a spike that they hardly fire, where any shows such a time.
    """

    n_presynaptic: int
    at_spikes: SpikeMatrix
    offsets: Int[np.ndarray, " neuron_plus_one"]
    spike_times_s: Float[np.ndarray, " spike"]
    at_times: Float32[np.ndarray, "time column"]
    own_at_times: tuple[Float32[np.ndarray, "time neuron"], ...]
    weight_s: Float32[np.ndarray, " time"]
    times_s: Float[np.ndarray, " time"]
    n_without: Int[np.ndarray, " neuron"]
    dead_time: DeadTime | None = None

    @property
    def are_kept(self) -> bool:
        """There is only one part, itself."""
        return True

    @property
    def parts(self) -> Iterator["Traces"]:
        """Itself, the only part; longer recordings have their traces in several."""
        yield self

    @property
    def n_neurons(self) -> int:
        """How many postsynaptic neurons there are."""
        return len(self.offsets) - 1

    @property
    def n_features(self) -> int:
        """Features of one postsynaptic neuron."""
        return self.at_spikes.shape[1]

    @property
    def n_spikes(self) -> Int[np.ndarray, " neuron"]:
        """Scored spikes of each neuron that have features."""
        return np.diff(self.offsets)

    @property
    def exposure_s(self) -> float:
        """Scored time."""
        return float(self.weight_s.sum(dtype=np.float64))


@runtime_checkable
class TraceParts(Protocol):
    """Traces of a recording in one or several parts, whose likelihoods add up."""

    @property
    def are_kept(self) -> bool:
        """Whether a part is still there when the next one is asked for."""
        ...

    @property
    def n_presynaptic(self) -> int:
        """Neurons whose traces are the first features."""
        ...

    @property
    def parts(self) -> Iterator[Traces]:
        """The parts, in the order of time."""
        ...

    @property
    def n_neurons(self) -> int:
        """How many postsynaptic neurons there are."""
        ...

    @property
    def n_features(self) -> int:
        """Features of one postsynaptic neuron."""
        ...

    @property
    def n_spikes(self) -> Int[np.ndarray, " neuron"]:
        """Scored spikes of each neuron that have features."""
        ...

    @property
    def exposure_s(self) -> float:
        """Scored time."""
        ...


def set_shared(
    traces: Traces,
    first: int,
    at_spikes: Float[np.ndarray, "spike column"],
    at_times: Float[np.ndarray, "time column"],
) -> None:
    """Fill shared columns in place, from the `first`-th of those asked for."""
    start = traces.n_presynaptic + first
    traces.at_spikes[:, start : start + at_spikes.shape[1]] = at_spikes
    traces.at_times[:, start : start + at_times.shape[1]] = at_times


class TraceBuffer:
    """Memory for the traces of one recording at a time: the next traces overwrite the last.

    Fresh memory takes longer to get than to fill.
    """

    def __init__(self) -> None:
        self._arrays: dict[str, np.ndarray] = {}

    def array(self, name: str, *shape: int) -> np.ndarray:
        """An array with whatever it held before."""
        size = math.prod(shape)
        if name not in self._arrays or self._arrays[name].size < size:
            self._arrays.pop(name, None)  # the old one goes before there is a new one
            self._arrays[name] = np.empty(size, np.float32)
        return self._arrays[name][:size].reshape(shape)


def synaptic_traces(
    recording: Recording,
    *,
    kernel: SynapticKernel,
    history_window_s: float,
    rng: np.random.Generator,
    n_shared: int = 0,
    n_postsynaptic: int | None = None,
    evenly: bool = False,
    quadrature_tau_s: float = SLOWEST_TAU_S,
    buffer: TraceBuffer | None = None,
    without: Bool[np.ndarray, " spike"] | None = None,
    from_s: float = -math.inf,
) -> Traces:
    """Traces at all scored spikes and at random quadrature times of a recording.

    Traces start from zero in every epoch, and the first history window of an epoch is not scored.

    Parameters
    ----------
    kernel
        How a spike acts as time passes. Own history is also seen at `OWN_TAUS_S`.
    n_shared
        Further shared columns, zero until `set_shared` fills them.
    n_postsynaptic
        The first so many neurons are postsynaptic ones; where None, all are.
    evenly
        Whether quadrature times are one in each millisecond; otherwise there are as many as the
        spikes make necessary.
    quadrature_tau_s
        Time constant for which they are dense enough.
    buffer
        Memory to use, in place of the traces that it holds; without it they get their own.
    without
        Spikes that get no features.
    from_s
        What comes before this time is not scored.
    """
    buffer = buffer or TraceBuffer()
    clock = _Clock.of(recording)
    scored = clock.span(scored_epochs(recording, history_window_s, from_s))
    n_neurons, n_columns = recording.n_neurons, recording.n_neurons + n_shared
    n_post = n_neurons if n_postsynaptic is None else n_postsynaptic
    spikes = _Spikes.of(recording, clock, scored, n_post, without)
    times, weight = _quadrature(scored, spikes, clock, rng, None if evenly else quadrature_tau_s)
    at_spikes = buffer.array("at_spikes", int(spikes.offsets[-1]), n_columns + N_OWN + 1)
    at_times = buffer.array("at_times", len(times), n_columns)
    own_at_times = buffer.array("own_at_times", N_OWN, len(times), n_post)
    at_spikes[:, n_neurons:n_columns], at_spikes[:, -1] = 0.0, 1.0
    at_times[:, n_neurons:] = 0.0
    synapse = _in_steps(kernel, clock.step_s)
    epochs = clock.span(recording.epochs_s)
    made = at_spikes, at_times, own_at_times
    _follow_epochs(epochs, spikes, times, synapse, made, n_neurons)
    return Traces(
        n_presynaptic=n_neurons,
        at_spikes=at_spikes,
        offsets=spikes.offsets,
        spike_times_s=spikes.in_rows(recording.spike_times_s),
        at_times=at_times,
        own_at_times=tuple(own_at_times),
        weight_s=(weight * clock.step_s).astype(np.float32),
        times_s=clock.origin_s + times * clock.step_s,
        n_without=spikes.n_without,
    )


def _quadrature(
    scored: Int[np.ndarray, "epoch 2"],
    spikes: "_Spikes",
    clock: "_Clock",
    rng: np.random.Generator,
    tau_s: float | None,
) -> tuple[Int[np.ndarray, " time"], Int[np.ndarray, " time"]]:
    """Time steps at which the integral is evaluated, and how many each stands for."""
    if tau_s is None:
        return even_times(scored, clock.n_steps(FINEST_STEP_S), rng)
    scored_spikes = spikes.steps[spikes.is_scored], spikes.neurons[spikes.is_scored]
    return times_by_activity(scored, *scored_spikes, clock.step_s, rng, tau_s)


def _follow_epochs(
    epochs: Int[np.ndarray, "epoch 2"],
    spikes: "_Spikes",
    times: Int[np.ndarray, " time"],
    synapse: "_Synapse",
    traces: tuple[np.ndarray, np.ndarray, np.ndarray],
    n_presynaptic: int,
) -> None:
    """Fill the traces in place, presynaptic neurons side by side."""
    at_spikes, at_times, own_at_times = traces

    def follow(presynaptic: tuple[int, int]) -> None:
        for start, stop in epochs:
            within = slice(*np.searchsorted(spikes.steps, [start, stop]))
            points = slice(*np.searchsorted(times, [start, stop]))
            follow_epoch(
                presynaptic,
                spikes.steps[within],
                spikes.neurons[within],
                spikes.rows[within],
                times[points],
                (synapse.taus, synapse.amplitudes, synapse.latency),
                synapse.own_taus,
                at_spikes,
                at_times[points],
                own_at_times[:, points],
            )

    edges = np.linspace(0, n_presynaptic, n_side_by_side() + 1).astype(int).tolist()
    side_by_side(follow, pairwise(edges))


class _Synapse(NamedTuple):
    """A kernel and the time constants of own history, in steps."""

    taus: Float[np.ndarray, " exponential"]
    amplitudes: Float[np.ndarray, " exponential"]
    latency: int
    own_taus: Float[np.ndarray, " own"]


def _in_steps(kernel: SynapticKernel, step_s: float) -> _Synapse:
    return _Synapse(
        taus=np.array(kernel.taus_s) / step_s,
        amplitudes=np.array(kernel.amplitudes),
        latency=round(kernel.latency_s / step_s),
        own_taus=np.array(OWN_TAUS_S) / step_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Clock:
    """Time counted in steps of the time resolution from a recording's first spike."""

    origin_s: float
    step_s: float

    @classmethod
    def of(cls, recording: Recording) -> "_Clock":
        origin = recording.spike_times_s[0] if len(recording.spike_times_s) else 0.0
        return cls(origin_s=float(origin), step_s=recording.time_resolution_s)

    def step(self, times_s: Float[np.ndarray, " time"]) -> Int[np.ndarray, " time"]:
        return np.rint((times_s - self.origin_s) / self.step_s).astype(np.int64)

    def span(self, epochs_s: Float[np.ndarray, "epoch 2"]) -> Int[np.ndarray, "epoch 2"]:
        """First time step of each epoch and the first after it."""
        return np.ceil((epochs_s - self.origin_s) / self.step_s - 1e-3).astype(np.int64)

    def n_steps(self, duration_s: float) -> int:
        return max(1, round(duration_s / self.step_s))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Spikes:
    """Spikes of a recording, and the row of `at_spikes` of those whose neurons are scored.

    Attributes
    ----------
    steps, neurons
        Time step and neuron of each spike.
    is_scored
        Whether each is in scored time.
    rows
        Row of `at_spikes` that belongs to each spike; -1 where it is not in scored time, its
        neuron is not a postsynaptic one, or it gets no features.
    offsets
        First row of each neuron.
    n_without
        Scored spikes of each neuron that get no features.
    """

    steps: Int[np.ndarray, " spike"]
    neurons: Int[np.ndarray, " spike"]
    is_scored: Bool[np.ndarray, " spike"]
    rows: Int[np.ndarray, " spike"]
    offsets: Int[np.ndarray, " neuron_plus_one"]
    n_without: Int[np.ndarray, " neuron"]

    @classmethod
    def of(
        cls,
        recording: Recording,
        clock: _Clock,
        scored: Int[np.ndarray, "epoch 2"],
        n_post: int,
        without: Bool[np.ndarray, " spike"] | None,
    ) -> "_Spikes":
        steps, neurons = clock.step(recording.spike_times_s), recording.spike_neurons
        is_scored = np.searchsorted(scored[:, 0], steps, "right") > np.searchsorted(
            scored[:, 1], steps, "right"
        )
        has_row = is_scored & (neurons < n_post)
        n_scored = np.bincount(neurons[has_row], minlength=n_post)
        if without is not None:
            has_row &= ~without
        n_rows = np.bincount(neurons[has_row], minlength=n_post)
        offsets = np.concatenate([[0], np.cumsum(n_rows)])
        rows = np.full(len(neurons), -1)
        small = neurons[has_row].astype(np.min_scalar_type(len(offsets)))  # sorted far faster
        order = np.argsort(small, kind="stable")
        rows[np.flatnonzero(has_row)[order]] = np.arange(offsets[-1])
        return cls(
            steps=steps,
            neurons=neurons,
            is_scored=is_scored,
            rows=rows,
            offsets=offsets,
            n_without=n_scored - n_rows,
        )

    def in_rows(self, values: Float[np.ndarray, " spike"]) -> Float[np.ndarray, " row"]:
        """Values of the spikes that have a row, in the order of `at_spikes`."""
        has_row = self.rows >= 0
        ordered = np.empty(np.count_nonzero(has_row), values.dtype)
        ordered[self.rows[has_row]] = values[has_row]
        return ordered
