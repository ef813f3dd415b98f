"""Many neurons, block by block: given what all share, each neuron is a problem of its own.

The neurons that were searched say what all share, and whether any coupling is shown. The others
follow, a block of postsynaptic neurons at a time, with all neurons as presynaptic ones; a block's
curvatures are dropped with it. So memory grows with the square of the number of neurons, not with
its cube. No network learns from so many: weights stay free.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Int

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState, FoundNeurons
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import hardly_any_nats, settled_at_link
from spikeweft.circuit_gnn.fitting.stage import Stage
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood, mean_slope
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections

_MOST_STEPS = 8
_ROUNDS = 2
"""How often the precision of the weights is estimated, and the weights follow."""

_TYPICAL_STEPS, _TYPICAL_TRACES = 10, 3


class NeuronBlocks(Stage):
    """The searched neurons as they were found, then all others, a block at each step."""

    name = "all neurons"

    def __init__(self, problem: Problem) -> None:
        n, size = problem.recording.n_neurons, problem.n_searched
        self._blocks = [np.arange(first, min(first + size, n)) for first in range(0, n, size)]
        self.n_steps = len(self._blocks)
        costs = Costs.of(problem, on_all_data=True, n_neurons=size)
        self._work = costs.on_spikes(
            n_passes=_TYPICAL_STEPS, n_traces=_TYPICAL_TRACES, n_settlings=1
        )

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state with one more block."""
        shared, uncoupled = state.current, state.simpler[-1]
        if state.step == 0:
            found = found_neurons(problem, shared, uncoupled)
        else:
            problem.release()
            found = fitted_block(problem, shared, uncoupled, self._blocks[state.step])
        return replace(state, blocks=(*state.blocks, found))

    def work(self, state: FitState, step: int) -> Work:  # noqa: ARG002
        """The same for each block but the first, which only has to be read off."""
        return self._work if step else Work()


def fitted_block(
    problem: Problem, shared: Candidate, uncoupled: Candidate, neurons: Int[np.ndarray, " neuron"]
) -> FoundNeurons:
    """What is found of some neurons, given what all share with and without coupling."""
    others = np.setdiff1d(np.arange(problem.recording.n_neurons), neurons)
    order = np.concatenate([neurons, others])
    posed = problem.in_order(order, n_searched=len(neurons))
    alone = settled_at_link(posed, _without_weights(_first(posed, uncoupled)))
    found = alone if shared.parameters.weights_fixed else _climbed(posed, _first(posed, shared))
    return found_neurons(posed, found, alone).in_order(order)


def _first(problem: Problem, shared: Candidate) -> Candidate:
    """The neurons of a problem at constant rates, with what all share."""
    traces = problem.training(shared.inputs, on_all_data=True, n_neurons=problem.n_searched)
    decides = problem.decides[: problem.n_searched]
    constant = without_connections(traces, shared.parameters.link, decides)
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
