"""Many neurons, block by block: given what all share, each neuron is a problem of its own.

The neurons that were searched say what all share, and whether any coupling is shown. The others
follow, a block of postsynaptic neurons at a time, with all neurons as presynaptic ones; a block's
curvatures are dropped with it. So memory grows with the square of the number of neurons, not with
its cube; and as no block needs another, workers may take them. No network learns from so many:
weights stay free.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState, FoundNeurons
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import hardly_any_nats, settled_at_link
from spikeweft.circuit_gnn.fitting.stage import Stage
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood, mean_slope
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.data.recording import Recording
from spikeweft.runtime.workers import HERE, Workers

_MOST_STEPS = 8
_ROUNDS = 2
"""How often the precision of the weights is estimated, and the weights follow."""

_TYPICAL_STEPS, _TYPICAL_TRACES = 10, 3


class NeuronBlocks(Stage):
    """The searched neurons as they were found, then all others, a block at each step."""

    name = "weights of all neurons"

    def __init__(self, problem: Problem, workers: Workers) -> None:
        n, size = problem.recording.n_neurons, problem.n_searched
        self._workers, self.is_shared = workers, workers is not HERE
        self._found: Iterator[FoundNeurons] | None = None
        self._blocks = [np.arange(first, min(first + size, n)) for first in range(0, n, size)]
        self.n_steps = len(self._blocks)
        self._costs = Costs.of(problem, on_all_data=True, n_neurons=size)
        self._work = self._expected()

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state with one more block."""
        shared, uncoupled = state.current, state.simpler[-1]
        if state.step == 0:
            found = found_neurons(problem, shared, uncoupled)
        else:
            if self._found is None:  # the first of those that are left
                problem.release(shared)
                self._work = self._expected()
                given = Given.of(problem, shared, uncoupled)
                blocks = self._blocks[state.step :]
                self._found = self._workers.results(fitted_block, given, blocks)
            found = next(self._found)
        return replace(state, blocks=(*state.blocks, found))

    def work(self, state: FitState | None, step: int) -> Work:  # noqa: ARG002
        """The same for each block but the first, which only has to be read off."""
        return self._work if step else Work()

    def _expected(self) -> Work:
        """A block's part of the time that all workers take, each of them on one processor."""
        n_workers = min(self._workers.number(), max(self.n_steps - 1, 1))
        whole = self._costs.on_spikes(
            n_passes=_TYPICAL_STEPS,
            n_traces=_TYPICAL_TRACES,
            n_settlings=1,
            n_processors=1 if self.is_shared else None,
        )
        return whole.times(1.0 / n_workers)


class Given(NamedTuple):
    """All that is known before a block is fitted.

    Attributes
    ----------
    problem_class, training, held_out, settings
        The problem that is solved.
    shared, uncoupled
        What all neurons share, with and without coupling.
    """

    problem_class: type[Problem]
    training: Recording
    held_out: Recording
    settings: FitSettings
    shared: Candidate
    uncoupled: Candidate

    @classmethod
    def of(cls, problem: Problem, shared: Candidate, uncoupled: Candidate) -> "Given":
        """The problem as it is posed, without what was made for it."""
        posed = problem.recording, problem.held_out, problem.settings
        return cls(type(problem), *posed, shared, uncoupled)

    def of_neurons(self, order: Int[np.ndarray, " neuron"], n_postsynaptic: int) -> Problem:
        """The problem of the first neurons in some order of all."""
        training, held_out = self.training.select(order), self.held_out.select(order)
        problem = self.problem_class(training, held_out, self.settings)
        problem.n_searched = n_postsynaptic
        return problem


def fitted_block(given: Given, neurons: Int[np.ndarray, " neuron"]) -> FoundNeurons:
    """What is found of some neurons, given what all share with and without coupling."""
    others = np.setdiff1d(np.arange(given.training.n_neurons), neurons)
    order = np.concatenate([neurons, others])
    shared, uncoupled = (_in_order(one, order) for one in (given.shared, given.uncoupled))
    posed = given.of_neurons(order, len(neurons))
    alone = settled_at_link(posed, _without_weights(_first(posed, uncoupled)))
    found = alone if shared.parameters.weights_fixed else _climbed(posed, _first(posed, shared))
    return found_neurons(posed, found, alone).in_order(order)


def _in_order(candidate: Candidate, order: Int[np.ndarray, " neuron"]) -> Candidate:
    return replace(candidate, inputs=candidate.inputs.in_order(order))


def _first(problem: Problem, shared: Candidate) -> Candidate:
    """The neurons of a problem at constant rates, with what all share."""
    traces = problem.training(shared.inputs, on_all_data=True, n_neurons=problem.n_searched)
    constant = without_connections(traces, shared.parameters.link, problem.decides_of_searched)
    parameters = shared.parameters.typical_of(constant)
    return replace(shared, parameters=parameters, on_all_data=True, held_out=None)


def _without_weights(candidate: Candidate) -> Candidate:
    return replace(candidate, parameters=replace(candidate.parameters, weights_fixed=True))


def _climbed(problem: Problem, candidate: Candidate) -> Candidate:
    """Free weights after steps until hardly anything is gained, with the prior they show."""
    enough = hardly_any_nats(problem.estimate(candidate).derivatives.n_spikes)
    for _ in range(_ROUNDS):
        for _ in range(_MOST_STEPS):
            before = problem.estimate(candidate).penalised
            candidate = problem.stepped(candidate)
            if np.sum(problem.estimate(candidate).penalised - before) < enough:
                break
        candidate = problem.with_estimated_prior(candidate)
    return problem.stepped(candidate)


def found_neurons(problem: Problem, candidate: Candidate, uncoupled: Candidate) -> FoundNeurons:
    """What was found of the postsynaptic neurons of a problem."""
    estimate, n = problem.estimate(candidate), problem.recording.n_neurons
    training = problem.training_of(candidate)
    held_out_nats, uncoupled_nats = (
        log_likelihood(problem.held_out_of(one), one.parameters.values, one.parameters.link)
        for one in (candidate, uncoupled)
    )
    return FoundNeurons(
        neurons=np.arange(candidate.n_neurons),
        values=estimate.values,
        weight_variance=estimate.weight_variance[:, :n],
        determined=estimate.determined[:, :n],
        n_spikes=estimate.derivatives.n_spikes,
        mean_slope=mean_slope(training, estimate.values, estimate.link),
        held_out_nats=held_out_nats,
        uncoupled_nats=uncoupled_nats,
    )


def joined(blocks: Sequence[FoundNeurons]) -> FoundNeurons:
    """All neurons, in their order."""
    neurons = np.concatenate([block.neurons for block in blocks])
    order = np.argsort(neurons)
    n_spikes = [int(block.n_spikes.sum()) for block in blocks]
    return FoundNeurons(
        neurons=neurons[order],
        values=np.concatenate([block.values for block in blocks])[order],
        weight_variance=np.concatenate([block.weight_variance for block in blocks])[order],
        determined=np.concatenate([block.determined for block in blocks])[order],
        n_spikes=np.concatenate([block.n_spikes for block in blocks])[order],
        mean_slope=float(np.average([block.mean_slope for block in blocks], weights=n_spikes)),
        held_out_nats=np.concatenate([block.held_out_nats for block in blocks])[order],
        uncoupled_nats=np.concatenate([block.uncoupled_nats for block in blocks])[order],
    )
