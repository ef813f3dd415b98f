"""The problem that a fit solves: its data, and the parts of the method that solve it."""

from dataclasses import replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.fitting.deciding_neurons import deciding_neurons
from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    HeldOutScore,
    clearly_better,
    nats_of,
)
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import LinkShape
from spikeweft.circuit_gnn.spike_prediction.link_path import LinkPath
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces, SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    Estimate,
    NeuronParameters,
    evaluate,
)
from spikeweft.circuit_gnn.spike_prediction.refractoriness import Refractoriness
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import TraceBuffer
from spikeweft.circuit_gnn.structure_learning.network_fit import NetworkShape, NetworkTrainer
from spikeweft.data.recording import Recording
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.runtime.flat_arrays import same

SPIKES_TO_EXPLORE = 3000
"""Spikes of each neuron, on average, that the search for what all share uses."""

MOST_SEARCHED = 100
"""Postsynaptic neurons whose spikes say what all share, where nothing ties them to others."""

MOST_TOGETHER = 500
"""Neurons whose curvatures are held at a time; of more, those of `MOST_SEARCHED` are."""

DIMENSIONS = (3, 6, 12, 40)
"""Sizes of embedding among which held-out spikes choose; among equals, the smallest."""

NETWORKS_PER_ROUND = (3, 3, 3)
"""Networks whose mean each further round of structure learning takes."""

_N_ESTIMATES_KEPT = 2
"""Estimates kept at hand: the current one, and that of a trial or of what it is compared with."""


class Problem:
    """Training and held-out spikes, and the parts of the method; an ablation replaces one part.

    Attributes
    ----------
    traces_class, scoring, trainer
        What makes traces, takes steps, and learns networks.
    first_link
        Shape of the link from which its estimation starts.
    learns_link
        Whether it is estimated, or stays as it is.
    networks_per_round
        Networks whose mean each further round of structure learning takes; the first has one.
    recording, held_out
        The spikes that train, and those that choose.
    n_searched
        The first so many neurons, as postsynaptic ones, say what all share. Where an input rotates
        the circuit, or neurons are hidden, all do.
    """

    traces_class = CircuitTraces
    scoring = FisherScoring()
    trainer = NetworkTrainer
    first_link = LinkShape(1.0, 1.5)
    learns_link = True
    networks_per_round: tuple[int, ...] = NETWORKS_PER_ROUND

    def __init__(self, training: Recording, held_out: Recording, settings: FitSettings) -> None:
        self.recording, self.settings = training, settings
        share = SPIKES_TO_EXPLORE * training.n_neurons / max(len(training.spike_times_s), 1)
        self._explored = training.between(0.0, min(1.0, share))
        is_tied = settings.n_hidden > 0 or settings.rotated_by is not None
        self.n_searched = min(training.n_neurons, training.n_neurons if is_tied else MOST_SEARCHED)
        self.held_out = held_out
        self.deciding = deciding_neurons(training, held_out, settings.history_window_s)
        self._buffers: dict[int, list[TraceBuffer]] = {0: [], 1: []}
        self._training_traces: _Traces | None = None
        self._held_out_traces: _Traces | None = None
        self._estimates: list[_KnownEstimate] = []

    @property
    def is_by_blocks(self) -> bool:
        """Whether there are too many neurons to fit all of them at a time."""
        return self.recording.n_neurons > MOST_TOGETHER > self.n_searched

    @property
    def n_at_a_time(self) -> int:
        """Postsynaptic neurons whose curvatures and traces are held at a time."""
        return self.n_searched if self.is_by_blocks else self.recording.n_neurons

    @property
    def decides(self) -> Bool[np.ndarray, " neuron"]:
        """Which neurons decide what all share."""
        return self.deciding.decides

    @property
    def decides_of_searched(self) -> Bool[np.ndarray, " searched"]:
        """Which of the searched neurons decide; where none would, all do."""
        decides = self.decides[: self.n_searched]
        return decides if decides.any() else np.ones_like(decides)

    def network_shapes(self, directed: bool) -> tuple[NetworkShape, ...]:
        """Shapes of pair networks among which held-out spikes choose."""
        return tuple(
            NetworkShape(n_dimensions, directed)
            for n_dimensions in DIMENSIONS
            if n_dimensions < self.recording.n_neurons
        )

    # -- traces --

    @property
    def mean_rate_hz(self) -> float:
        """Rate of all neurons together in the training part."""
        return len(self.recording.spike_times_s) / self.recording.duration_s

    @cached_property
    def refractoriness(self) -> Refractoriness | None:
        """Dead times that the training part shows."""
        return Refractoriness.of(self.recording)

    def recording_of(self, on_all_data: bool) -> Recording:
        """The training part, or as much of it as the search uses."""
        return self.recording if on_all_data else self._explored

    def training(self, inputs: SynapticInputs, on_all_data: bool, n_neurons: int) -> CircuitTraces:
        """Traces of the training spikes, or of those that the search uses; the last are kept.

        The first `n_neurons` are postsynaptic ones.
        """
        wanted = _Wanted(self.recording_of(on_all_data), inputs, n_neurons)
        if self._training_traces is None or not wanted.is_of(self._training_traces.made):
            self._training_traces = None  # its memory is needed
            self._training_traces = self._made(wanted, 0)
        return self._training_traces.traces

    def training_of(self, candidate: Candidate) -> CircuitTraces:
        """Traces of the training spikes that a candidate is fitted to."""
        return self.training(candidate.inputs, candidate.on_all_data, candidate.n_neurons)

    def held_out_of(self, candidate: Candidate) -> CircuitTraces:
        """Traces of the held-out spikes of a candidate's neurons; the last are kept."""
        wanted = _Wanted(self.held_out, candidate.inputs, candidate.n_neurons)
        if self._held_out_traces is None or not wanted.is_of(self._held_out_traces.made):
            self._held_out_traces = None
            self._held_out_traces = self._made(wanted, 1)
        return self._held_out_traces.traces

    def _made(self, wanted: "_Wanted", part: int) -> "_Traces":
        """Traces in the memory of the last ones, which no longer hold then."""
        traces = self.traces_class(
            wanted.recording,
            self.settings,
            wanted.inputs,
            [self.settings.seed, part],
            self._buffers[part],
            n_postsynaptic=wanted.n_neurons,
        )
        if not traces.are_kept:
            self._buffers[part].clear()
        return _Traces(wanted, traces)

    def release(self, candidate: Candidate) -> None:
        """Give back the memory of traces, and of all estimates but a candidate's."""
        self.estimate(candidate)  # which would else make traces again when it is asked for
        self._training_traces = self._held_out_traces = None
        self._buffers = {0: [], 1: []}
        self._estimates = [known for known in self._estimates if known.is_of(candidate)]

    # -- estimates and steps --

    def estimate(self, candidate: Candidate) -> Estimate:
        """A candidate's parameters with the derivatives of the training likelihood there."""
        for known in self._estimates:
            if known.is_of(candidate):
                return known.estimate
        estimate = evaluate(self.training_of(candidate), candidate.parameters)
        self._remember(candidate, estimate)
        return estimate

    def stepped(self, candidate: Candidate, n_steps: int = 1) -> Candidate:
        """The candidate after steps of Fisher scoring."""
        for _ in range(n_steps):
            estimate = self.scoring.step(self.training_of(candidate), self.estimate(candidate))
            candidate = self._moved(candidate, estimate)
        return candidate

    def jointly_stepped(self, candidate: Candidate) -> Candidate:
        """The candidate after a step of all neurons and the link together."""
        estimate = self.scoring.joint_step(self.training_of(candidate), self.estimate(candidate))
        return self._moved(candidate, estimate)

    def shape(self, candidate: Candidate) -> LinkShape:
        """The shape of a candidate's link around the mean log rate at the spikes."""
        estimate = self.estimate(candidate)
        return estimate.link.shape(estimate.log_rate_at_spikes)

    def reshaped(self, candidate: Candidate, shape: LinkShape) -> Candidate:
        """The candidate with a link of another shape, its drives in units of the log rate kept."""
        log_rate = self.estimate(candidate).log_rate_at_spikes
        path = LinkPath.towards(candidate.parameters, log_rate, shape)
        parameters = path.at(1.0).with_careful_steps()
        return replace(candidate, parameters=parameters, held_out=None)

    def softened(self, candidate: Candidate) -> Candidate:
        """The candidate with a link no sharper than its quadratic form is good for."""
        return self.reshaped(candidate, self._soft_shape(candidate))

    def is_soft(self, candidate: Candidate) -> bool:
        """Whether a candidate's link is no sharper than its quadratic form is good for."""
        return self.shape(candidate).bend <= self._soft_shape(candidate).bend

    def with_weights(
        self, candidate: Candidate, weights: Float[np.ndarray, "post pre"]
    ) -> Candidate:
        """The candidate with weights that stay as they are, for neurons that decide, and softened.

        From a soft link on, steps find the way to a sharp one, but not back.
        """
        estimate = self.estimate(candidate)
        values, n_sources = estimate.values.copy(), estimate.n_sources
        given = estimate.is_weight[:, :n_sources] & estimate.decides[:, None]
        values[:, :n_sources][given] = weights[given]
        parameters = replace(estimate.parameters, values=values, weights_fixed=True)
        shape = self._soft_shape(candidate)
        path = LinkPath.towards(parameters, estimate.log_rate_at_spikes, shape)
        parameters = path.at(1.0).with_careful_steps()
        return replace(candidate, parameters=parameters, held_out=None)

    def _soft_shape(self, candidate: Candidate) -> LinkShape:
        """The shape of a candidate's link, bent no more sharply than its drives are known.

        n spikes tell k parameters of a neuron so that its log rate is uncertain by σ = √(k/n), and
        differs by 2σ between two such estimates. A link that bends within less is not a parabola as
        far as weights may move.
        """
        estimate = self.estimate(candidate)
        n_spikes = float(estimate.derivatives.n_spikes[estimate.decides].mean())
        shape, bend = self.shape(candidate), 2.0 * np.sqrt(n_spikes / estimate.values.shape[1])
        return shape._replace(bend=min(shape.bend, float(bend)))

    def with_kernel(self, candidate: Candidate, kernel: SynapticKernel) -> Candidate:
        """The candidate with another synaptic kernel, the areas under all its effects kept."""
        parameters, inputs = candidate.parameters, candidate.inputs
        factor = inputs.kernel.area_s / kernel.area_s
        values = parameters.values.copy()
        values[:, : parameters.n_sources] *= factor
        own = np.where(np.arange(len(parameters.history_mean)) == 0, factor, 1.0)
        hidden = inputs.hidden
        if hidden is not None:
            hidden = replace(hidden, weights=factor * hidden.weights)
        parameters = replace(
            parameters,
            values=values,
            precision=parameters.precision / factor**2,
            history_mean=parameters.history_mean * own,
            history_precision=parameters.history_precision / own**2,
        )
        return replace(
            candidate,
            parameters=parameters.with_careful_steps(),
            inputs=replace(inputs, kernel=kernel, hidden=hidden),
            held_out=None,
        )

    def log_evidence(self, candidate: Candidate) -> float:
        """Log marginal likelihood of the training spikes of the neurons that decide."""
        return self.estimate(candidate).log_evidence(candidate.inputs.kernel.fluctuation)

    def with_estimated_prior(self, candidate: Candidate) -> Candidate:
        """The candidate with the prior under which its weights are typical."""
        return self._moved(candidate, self.estimate(candidate).with_estimated_prior())

    def _moved(self, candidate: Candidate, estimate: Estimate) -> Candidate:
        moved = replace(candidate, parameters=estimate.parameters, held_out=None)
        self._remember(moved, estimate)
        return moved

    def _remember(self, candidate: Candidate, estimate: Estimate) -> None:
        """Keep an estimate at hand, for a candidate to which a fit goes back after a trial."""
        known = _KnownEstimate(
            candidate.parameters, candidate.inputs, candidate.on_all_data, estimate
        )
        self._estimates = [known, *self._estimates][:_N_ESTIMATES_KEPT]

    # -- held-out spikes --

    def scored(self, candidate: Candidate) -> Candidate:
        """The candidate with its score on held-out spikes."""
        if candidate.held_out is not None:
            return candidate
        traces, parameters = self.held_out_of(candidate), candidate.parameters
        nats = log_likelihood(traces, parameters.values, parameters.link)
        null_rate_hz = self.recording.rate_hz[: candidate.n_neurons]
        score = bits_per_spike(nats, traces.n_all_spikes, traces.exposure_s, null_rate_hz)
        of_deciding = replace(score, per_neuron=score.per_neuron[parameters.decides])
        held_out = HeldOutScore(float(nats[parameters.decides].sum()), of_deciding.mean)
        return replace(candidate, held_out=held_out)

    def better(self, trial: Candidate, current: Candidate) -> Candidate:
        """The trial where held-out spikes are clearly likelier under it, else the current one."""
        current, trial = self.scored(current), self.scored(trial)
        return trial if clearly_better(nats_of(trial), nats_of(current)) else current


class _Wanted(NamedTuple):
    recording: Recording
    inputs: SynapticInputs
    n_neurons: int

    def is_of(self, other: "_Wanted") -> bool:
        """Whether the same traces are wanted."""
        if self.recording is not other.recording or self.n_neurons != other.n_neurons:
            return False
        return same(self.inputs, other.inputs)


class _Traces(NamedTuple):
    made: _Wanted
    traces: CircuitTraces


class _KnownEstimate(NamedTuple):
    parameters: NeuronParameters
    inputs: SynapticInputs
    on_all_data: bool
    estimate: Estimate

    def is_of(self, candidate: Candidate) -> bool:
        return (
            self.parameters is candidate.parameters
            and self.inputs is candidate.inputs
            and self.on_all_data == candidate.on_all_data
        )
