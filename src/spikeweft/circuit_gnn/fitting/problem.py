"""The problem that a fit solves: its data, and the parts of the method that solve it."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    HeldOutScore,
    clearly_better,
    nats_of,
)
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces, SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    Estimate,
    NeuronParameters,
    evaluate,
)
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.structure_learning.network_fit import NetworkShape, NetworkTrainer
from spikeweft.data.recording import Recording
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.runtime.flat_arrays import same

SPIKES_TO_EXPLORE = 3000
"""Spikes of each neuron, on average, that the search for hyperparameters uses."""

DIMENSIONS = (3, 6, 12, 40)
"""Sizes of embedding among which held-out spikes choose; among equals, the smallest."""

NETWORKS_PER_ROUND = (1, 2, 4)
"""Networks whose mean each round of structure learning takes."""

_N_ESTIMATES_KEPT = 2
"""Estimates kept at hand: the current one, and that of a trial or of what it is compared with."""


class Problem:
    """Training and held-out spikes, and the parts of the method; an ablation replaces one part.

    Attributes
    ----------
    traces_class, scoring, trainer
        What makes traces, takes steps, and learns networks.
    link_starts
        Powers of the link from which the search starts, each with the nats by which the log gain
        is below the mean log rate there.
    link_dampings
        How stiffly the link answers to changed weights, in nats per spike; held-out spikes choose.
        The quadratic form overstates how far a link with a sharp bend should move.
    networks_per_round
        Networks whose mean each round of structure learning takes.
    """

    traces_class = CircuitTraces
    scoring = FisherScoring()
    trainer = NetworkTrainer
    link_starts: Mapping[float, float] = MappingProxyType({1.0: 0.5, 2.5: 1.85})
    link_dampings: tuple[float, ...] = (0.004, 0.04)
    networks_per_round: tuple[int, ...] = NETWORKS_PER_ROUND

    def __init__(self, training: Recording, held_out: Recording, settings: FitSettings) -> None:
        self.recording, self.settings = training, settings
        share = SPIKES_TO_EXPLORE * training.n_neurons / max(len(training.spike_times_s), 1)
        self._explored = training.between(0.0, min(1.0, share))
        self._held_out = held_out
        self._training_traces: _Traces | None = None
        self._held_out_traces: _Traces | None = None
        self._estimates: list[_KnownEstimate] = []

    def network_shapes(self, directed: bool) -> tuple[NetworkShape, ...]:
        """Shapes of pair networks among which held-out spikes choose."""
        return tuple(
            NetworkShape(n_dimensions, directed, damping)
            for n_dimensions in DIMENSIONS
            if n_dimensions < self.recording.n_neurons
            for damping in self.link_dampings
        )

    # -- traces --

    def training(self, inputs: SynapticInputs, on_all_data: bool) -> CircuitTraces:
        """Traces of the training spikes, or of those that the search uses; the last are kept."""
        recording = self.recording if on_all_data else self._explored
        self._training_traces = self._made(self._training_traces, recording, inputs, 0)
        return self._training_traces.traces

    def held_out(self, inputs: SynapticInputs) -> CircuitTraces:
        """Traces of the held-out spikes; the last are kept."""
        self._held_out_traces = self._made(self._held_out_traces, self._held_out, inputs, 1)
        return self._held_out_traces.traces

    def _made(
        self, last: "_Traces | None", recording: Recording, inputs: SynapticInputs, part: int
    ) -> "_Traces":
        if last is not None and last.recording is recording and same(last.inputs, inputs):
            return last
        seed = [self.settings.seed, part]
        traces = self.traces_class(recording, self.settings, inputs, seed)
        return _Traces(recording, inputs, traces)

    # -- estimates and steps --

    def estimate(self, candidate: Candidate) -> Estimate:
        """A candidate's parameters with the derivatives of the training likelihood there."""
        for known in self._estimates:
            if known.is_of(candidate):
                return known.estimate
        estimate = evaluate(self._training_of(candidate), candidate.parameters)
        self.remember(candidate, estimate)
        return estimate

    def stepped(self, candidate: Candidate, n_steps: int = 1) -> Candidate:
        """The candidate after steps of Fisher scoring."""
        for _ in range(n_steps):
            estimate = self.scoring.step(self._training_of(candidate), self.estimate(candidate))
            candidate = self._moved(candidate, estimate)
        return candidate

    def jointly_stepped(self, candidate: Candidate) -> Candidate:
        """The candidate after a step of all neurons and the link together."""
        estimate = self.scoring.joint_step(self._training_of(candidate), self.estimate(candidate))
        return self._moved(candidate, estimate)

    def sharpened(self, candidate: Candidate, factor: float) -> Candidate:
        """The candidate with a sharper link, or a softer one where the factor is below one."""
        parameters = self.scoring.sharpened(candidate.parameters, factor)
        return replace(candidate, parameters=parameters, held_out=None)

    def with_estimated_prior(self, candidate: Candidate) -> Candidate:
        """The candidate with the prior under which its weights are typical."""
        return self._moved(candidate, self.estimate(candidate).with_estimated_prior())

    def _training_of(self, candidate: Candidate) -> CircuitTraces:
        return self.training(candidate.inputs, candidate.on_all_data)

    def _moved(self, candidate: Candidate, estimate: Estimate) -> Candidate:
        moved = replace(candidate, parameters=estimate.parameters, held_out=None)
        self.remember(moved, estimate)
        return moved

    def remember(self, candidate: Candidate, estimate: Estimate) -> None:
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
        traces, parameters = self.held_out(candidate.inputs), candidate.parameters
        nats = log_likelihood(traces, parameters.values, parameters.link)
        null_rate_hz = self.recording.rate_hz
        bits = bits_per_spike(nats, traces.n_spikes, traces.exposure_s, null_rate_hz).mean
        return replace(candidate, held_out=HeldOutScore(float(nats.sum()), bits))

    def better(self, trial: Candidate, current: Candidate) -> Candidate:
        """The trial where held-out spikes are clearly likelier under it, else the current one."""
        current, trial = self.scored(current), self.scored(trial)
        return trial if clearly_better(nats_of(trial), nats_of(current)) else current


class _Traces(NamedTuple):
    recording: Recording
    inputs: SynapticInputs
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
