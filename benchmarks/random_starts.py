"""Free weights from many random starts: what a fit of few neurons must not fall behind.

The model and its prior are those of free weights in `CircuitGNN`. From weights, a link and a time
constant drawn at random, all training spikes are climbed by the steps of the fit itself – all
neurons; all neurons and the link together; the prior; the time constant by a parabola. After a few
rounds on part of the spikes the likeliest go on, on all of them, until nothing is gained.
"""

from dataclasses import replace

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.trials import Tried, at_vertex, tried_kernel
from spikeweft.circuit_gnn.spike_prediction.link import LinkShape
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel

POWERS = (1.0, 4.0)
BENDS = (-4.0, 50.0)
TAUS_S = (3e-3, 50e-3)
"""What random starts lie between: powers evenly, bends by arsinh, time constants by logarithm."""

_WEIGHT = 0.3
"""Standard deviation of the first weights, as changes of the log rate."""

_LEAST_LOG_RATE = -100.0
"""Mean log rate that the likelihood of a start amounts to; with less, its rate would be zero, and
no step from there a number."""

_WIDTHS_OF_TAU = (0.4, 0.12)
_NOTHING_NATS = 0.5
_STEPS, _MOST_ROUNDS, _FIRST_ROUNDS = 2, 20, 3
_N_FINALISTS = 4


def best_of_random_starts(problem: Problem, n_starts: int, rng: np.random.Generator) -> Candidate:
    """The candidate under which the training spikes are likeliest."""

    def nats(candidate: Candidate) -> float:
        return problem.estimate(candidate).log_likelihood

    starts = [first_rounds(problem, random_start(problem, rng)) for _ in range(n_starts)]
    finalists = sorted(starts, key=nats)[-_N_FINALISTS:]
    whole = [
        replace(one, parameters=one.parameters.with_careful_steps(), on_all_data=True)
        for one in finalists
    ]
    return max((climbed(problem, candidate) for candidate in whole), key=nats)


def first_rounds(problem: Problem, candidate: Candidate) -> Candidate:
    """The candidate after as many rounds as it takes to tell good starts from bad ones."""
    for _ in range(_FIRST_ROUNDS):
        candidate = _settled(problem, candidate, most_rounds=2)
        candidate = _with_likelier_tau(problem, candidate, _WIDTHS_OF_TAU[0]).candidate
    return candidate


def random_start(problem: Problem, rng: np.random.Generator) -> Candidate:
    """A start whose weights do not make far too many spikes; others are drawn again."""
    candidate = drawn_start(problem, rng)
    while problem.estimate(candidate).log_rate_at_spikes < _LEAST_LOG_RATE:
        candidate = drawn_start(problem, rng)
    return candidate


def drawn_start(problem: Problem, rng: np.random.Generator) -> Candidate:
    """Random weights, link and time constant; neurons without input would fire at their rates."""
    kernel = SynapticKernel.exponential(float(np.exp(rng.uniform(*np.log(TAUS_S)))))
    bend = float(np.sinh(rng.uniform(*np.arcsinh(BENDS))))
    shape = LinkShape(float(rng.uniform(*POWERS)), bend)
    inputs = SynapticInputs(
        kernel=kernel,
        mean_rate_hz=problem.mean_rate_hz,
        refractoriness=problem.refractoriness,
    )
    decides = problem.decides
    traces = problem.training(inputs, on_all_data=False, n_neurons=len(decides))
    rate_hz = traces.n_spikes[decides].mean() / traces.exposure_s
    parameters = without_connections(traces, shape.link(float(np.log(rate_hz))), decides)
    parameters = replace(parameters, has_own_column=False)
    drawn = rng.normal(0.0, _WEIGHT / shape.slope, parameters.values.shape)
    parameters.values[parameters.is_weight] = drawn[parameters.is_weight]
    return Candidate(parameters=parameters, inputs=inputs, on_all_data=False)


def climbed(problem: Problem, candidate: Candidate) -> Candidate:
    """The candidate after all steps that gain anything."""
    for width in _WIDTHS_OF_TAU:
        nats = float("-inf")
        for _ in range(_MOST_ROUNDS):
            reached = _with_likelier_tau(problem, _settled(problem, candidate), width)
            candidate = reached.candidate
            if not reached.nats > nats + _NOTHING_NATS:
                break
            nats = reached.nats
    return _settled(problem, candidate)


def _settled(problem: Problem, candidate: Candidate, most_rounds: int = _MOST_ROUNDS) -> Candidate:
    """The candidate after steps of weights, link and prior, at a given time constant."""
    nats = float("-inf")
    for _ in range(most_rounds):
        for _ in range(_STEPS):
            candidate = problem.jointly_stepped(problem.stepped(candidate))
        candidate = problem.with_estimated_prior(candidate)
        reached = problem.log_evidence(candidate)
        if not reached > nats + _NOTHING_NATS:
            break
        nats = reached
    return candidate


def _with_likelier_tau(problem: Problem, candidate: Candidate, width: float) -> Tried:
    kernel, shortest_s = candidate.inputs.kernel, problem.recording.time_resolution_s

    def tried(change: float) -> Tried:
        other = kernel.at((kernel.coordinates[0] + change,), shortest_s)
        return tried_kernel(problem, candidate, other)

    return at_vertex(Tried(problem.log_evidence(candidate), candidate), tried, width)
