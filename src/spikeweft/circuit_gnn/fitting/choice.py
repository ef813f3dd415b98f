"""The choice between free and structured weights, and what stands where spikes say nothing."""

from dataclasses import replace

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import (
    FitState,
    clearly_better,
    hardly_worse,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence

_UNKNOWN = 0.05


def choice_stages() -> list[Stage]:
    """Structured or free weights, whichever predicts held-out spikes better."""
    return [StepSequence("choice", (_choose_weights, _fill_uninformed_weights))]


def _choose_weights(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    is_structured = clearly_better(nats_of(state.structured), nats_of(state.free))
    chosen = state.structured if is_structured else state.free
    assert chosen is not None
    return replace(state, current=chosen)


def _fill_uninformed_weights(problem: Problem, state: FitState) -> FitState:
    """Set structured weights of which spikes say nothing to those of which they say little.

    There the network extrapolates at will; the mean of the same neuron's weights at the edge of
    what is known is the plainest guess, and is kept unless held-out spikes object. The pairs are
    marked in any case.
    """
    current, estimate = state.current, problem.estimate(state.current)
    weights, known = estimate.weights, estimate.determined
    unknown = (known < _UNKNOWN) & ~np.eye(*known.shape, dtype=bool)
    if not (estimate.weights_fixed and unknown.any()):
        return state
    edge = (known * (1.0 - known)) ** 2 + 1e-6
    center = np.sum(edge * weights, axis=1) / np.sum(edge, axis=1)
    values, n_sources = estimate.values.copy(), estimate.n_sources
    values[:, :n_sources][unknown] = np.broadcast_to(center[:, None], known.shape)[unknown]
    parameters = replace(estimate.parameters, values=values).with_careful_steps()
    trial = replace(current, parameters=parameters, held_out=None)
    for _ in range(2):
        trial = problem.jointly_stepped(problem.stepped(trial))
    trial = problem.scored(trial)
    if not hardly_worse(nats_of(trial), nats_of(problem.scored(current))):
        return state
    return replace(state, current=trial)
