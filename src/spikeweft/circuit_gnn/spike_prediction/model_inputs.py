"""Inputs of the model: traces of a recording, hidden neurons and covariates."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import (
    HiddenNeurons,
    mean_field_traces,
)
from spikeweft.circuit_gnn.spike_prediction.recent_activity import recent_activity
from spikeweft.circuit_gnn.spike_prediction.refractoriness import Refractoriness
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation
from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import (
    SLOWEST_TAU_S,
    n_quadrature_times,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import (
    N_OWN,
    TraceBuffer,
    Traces,
    set_shared,
    synaptic_traces,
)
from spikeweft.data.covariate import covariate_columns
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.data.spike_counts import epoch_of

LARGEST_PART_BYTES = 2_000_000_000
"""Traces of a recording that would take more are made part by part."""

MOST_KEPT_BYTES = 4_000_000_000
"""Traces that take more are not kept, but made again, one part at a time, for every step."""

_N_HARMONICS = 8

_REMEMBERED_S = 5.0
"""How long synapses, own history and recent activity remember at most, or nearly so."""


def shared_width(recording: Recording, settings: FitSettings) -> int:
    """Columns that recent activity and covariates take."""
    widths = (
        2 * _N_HARMONICS if recording.covariates[name].is_angle else 1
        for name in settings.covariates
    )
    return 1 + sum(widths)


def n_features_of(recording: Recording, settings: FitSettings) -> int:
    """Features of one postsynaptic neuron; hidden neurons send along the columns of observed."""
    return recording.n_neurons + shared_width(recording, settings) + N_OWN + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapticInputs:
    """What the traces of a recording depend on, beside its spikes.

    Attributes
    ----------
    kernel
        How a presynaptic spike acts as time passes.
    rotation
        How an input rotates the circuit, where one may.
    mean_rate_hz
        Rate of all neurons together, to which their recent activity is relative.
    refractoriness
        Dead times of the neurons, where any shows one.
    hidden
        Hidden neurons and what drives them, where there are any.
    quadrature_tau_s
        Time constant for which quadrature times are dense enough.
    """

    kernel: SynapticKernel
    mean_rate_hz: float
    refractoriness: Refractoriness | None = None
    rotation: Rotation | None = None
    hidden: HiddenNeurons | None = None
    quadrature_tau_s: float = SLOWEST_TAU_S

    def in_order(self, order: Int[np.ndarray, " neuron"]) -> Self:
        """The same where the k-th neuron is the `order[k]`-th."""
        known = self.refractoriness
        return replace(self, refractoriness=None if known is None else known.in_order(order))


class CircuitTraces:
    """Traces, hidden neurons and covariates of one recording, part by part.

    Where an input rotates the circuit, traces are rotated with it, hidden neurons' included.

    Parts follow each other in time and are made small enough for memory. Those of a recording that
    fits as a whole are kept; otherwise they are made again whenever they are asked for, and a part
    is gone when the next one is asked for. A part begins some seconds before the first time that it
    scores, to remember what came before. Traces that are kept are made in the memory of `buffers`,
    one for each part, where they are given. Quadrature times lie evenly where that is asked for,
    and where hidden neurons' activity is followed from one to the next. The first `n_postsynaptic`
    neurons are postsynaptic ones; where it is None, all are.
    """

    def __init__(
        self,
        recording: Recording,
        settings: FitSettings,
        inputs: SynapticInputs,
        seed: list[int],
        buffers: list[TraceBuffer] | None = None,
        *,
        n_postsynaptic: int | None = None,
        evenly: bool = False,
    ) -> None:
        self.settings, self.inputs, self.seed = settings, inputs, seed
        self._evenly = evenly or settings.n_hidden > 0
        self.n_presynaptic = recording.n_neurons
        self.n_neurons = n_postsynaptic or recording.n_neurons
        tau_s = inputs.quadrature_tau_s
        n_bytes = n_bytes_of_traces(recording, settings, self.n_neurons, self._evenly, tau_s)
        n_parts = math.ceil(n_bytes / LARGEST_PART_BYTES)
        self._parts = _parts(recording, settings.history_window_s, max(n_parts, 1))
        memory = [] if buffers is None else buffers
        memory += [TraceBuffer() for _ in range(len(self._parts) - len(memory))]
        self._kept = list(self._made(memory)) if n_bytes <= MOST_KEPT_BYTES else None
        self.n_features = n_features_of(recording, settings)
        scored = [part.recording.restrict(part.scored_s) for part in self._parts]
        nothing = np.zeros(self.n_presynaptic, np.int64)
        n_spikes = sum((s.n_spikes for s in scored), nothing)
        n_dead = sum((part.n_dead(inputs.refractoriness) for part in self._parts), nothing)
        self.n_all_spikes = n_spikes[: self.n_neurons]
        self.n_spikes = (n_spikes - n_dead)[: self.n_neurons]
        self.exposure_s = sum(s.duration_s for s in scored)

    @property
    def are_kept(self) -> bool:
        """Whether a part is still there when the next one is asked for."""
        return self._kept is not None

    @property
    def parts(self) -> Iterator[Traces]:
        """The parts, in the order of time."""
        if self._kept is None:
            yield from self._made([TraceBuffer()] * len(self._parts))
        else:
            yield from self._kept

    def hidden_traces(
        self, traces: Traces, hidden: HiddenNeurons, routes: Routes
    ) -> tuple[Float[np.ndarray, "spike hidden"], Float[np.ndarray, "time hidden"]]:
        """Traces of hidden neurons at spikes and at quadrature times."""
        return mean_field_traces(traces, hidden, self.inputs.kernel, routes)

    def _made(self, memory: list[TraceBuffer]) -> Iterator[Traces]:
        for k, part in enumerate(self._parts):
            yield self._make(part, k, memory[k])

    def _make(self, part: "_Part", k: int, buffer: TraceBuffer) -> Traces:
        settings, refractoriness = self.settings, self.inputs.refractoriness
        recording = part.recording
        dead = None if refractoriness is None else refractoriness.holds_at_spikes(recording)
        traces = synaptic_traces(
            recording,
            kernel=self.inputs.kernel,
            history_window_s=settings.history_window_s,
            rng=np.random.default_rng([*self.seed, k]),
            n_shared=shared_width(recording, settings),
            n_postsynaptic=self.n_neurons,
            evenly=self._evenly,
            quadrature_tau_s=self.inputs.quadrature_tau_s,
            buffer=buffer,
            without=dead,
            from_s=part.from_s,
        )
        _add_shared(traces, recording, settings, self.inputs.mean_rate_hz)
        self._add_hidden_and_rotate(traces, recording)
        return traces if refractoriness is None else refractoriness.mark(traces, recording)

    def _add_hidden_and_rotate(self, traces: Traces, recording: Recording) -> None:
        """Let hidden neurons fire, then rotate the circuit, them included."""
        rotation, hidden, n = self.inputs.rotation, self.inputs.hidden, traces.n_presynaptic
        if rotation is None and hidden is None:
            return
        at_times = self._routes(traces.times_s, recording, n)
        at_spikes = self._routes(traces.spike_times_s, recording, n)
        sent_at_spikes = sent_at_times = None
        if hidden is not None:
            sent_at_spikes, sent_at_times = self.hidden_traces(traces, hidden, at_times)
        at_times.route(traces.at_times[:, :n], sent_at_times)
        at_spikes.route(traces.at_spikes[:, :n], sent_at_spikes)

    def _routes(self, times_s: Float[np.ndarray, " time"], recording: Recording, n: int) -> Routes:
        """Along which columns the activity of all neurons goes at some times."""
        rotation, hidden = self.inputs.rotation, self.inputs.hidden
        if rotation is None:
            mix = np.zeros((0, n)) if hidden is None else hidden.mix
            return Routes.unrotated(mix, len(times_s))
        return rotation.routes(rotation.shift(recording, times_s), n)


class _Part(NamedTuple):
    """A part of a recording, with what it remembers: it is scored from some time on."""

    recording: Recording
    from_s: float
    scored_s: Float[np.ndarray, "epoch 2"]

    def n_dead(self, refractoriness: Refractoriness | None) -> Int[np.ndarray, " neuron"]:
        """Scored spikes of each neuron in its dead time."""
        neurons = self.recording.spike_neurons
        counts = epoch_of(self.recording.spike_times_s, self.scored_s) >= 0
        if refractoriness is None:
            counts[:] = False
        else:
            counts &= refractoriness.holds_at_spikes(self.recording)
        return np.bincount(neurons[counts], minlength=self.recording.n_neurons)


def _parts(recording: Recording, history_window_s: float, n_parts: int) -> list[_Part]:
    """Parts of equal length, without those in which nothing is scored."""
    edges = np.linspace(0.0, 1.0, n_parts + 1)
    before = max(history_window_s, _REMEMBERED_S) / recording.duration_s
    found = []
    for k, (start, stop) in enumerate(pairwise(edges.tolist())):
        from_s = float(recording.between(start, stop).epochs_s[0, 0]) if k else -math.inf
        part = recording.between(max(start - before, 0.0), stop)
        found.append(_Part(part, from_s, scored_epochs(part, history_window_s, from_s)))
    return [part for part in found if len(part.scored_s)]


def n_bytes_of_traces(
    recording: Recording,
    settings: FitSettings,
    n_post: int,
    evenly: bool,
    tau_s: float = SLOWEST_TAU_S,
) -> int:
    """Memory that the traces of a whole recording would take."""
    n_columns = recording.n_neurons + shared_width(recording, settings)
    at_spikes = int(recording.n_spikes[:n_post].sum()) * (n_columns + N_OWN + 3)
    n_times = n_quadrature_times(recording, evenly=evenly, tau_s=tau_s)
    at_times = n_times * (n_columns + N_OWN * n_post)
    return int(4 * (at_spikes + at_times))


def _add_shared(
    traces: Traces, recording: Recording, settings: FitSettings, mean_rate_hz: float
) -> None:
    """Fill the columns of recent activity and of covariates."""
    times = traces.spike_times_s, traces.times_s
    recent = (recent_activity(recording, part, mean_rate_hz)[:, None] for part in times)
    set_shared(traces, 0, *recent)
    first = 1
    for name in settings.covariates:
        covariate = recording.covariates[name]
        at_spikes, at_times = (
            covariate_columns(covariate.at(part), covariate.is_angle, _N_HARMONICS)
            for part in times
        )
        set_shared(traces, first, at_spikes, at_times)
        first += at_times.shape[1]
