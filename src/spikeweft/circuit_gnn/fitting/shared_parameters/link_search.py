"""The search for the link that all neurons share.

Steps of all neurons and the link together lead far; how sharply the link bends is then judged by
the evidence of the training spikes (Laplace).
"""

from dataclasses import replace

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.trials import Tried, at_vertex, tried_link
from spikeweft.circuit_gnn.spike_prediction.link import LinkShape

FURTHER_POWERS = (2.5,)
"""Powers from which the link is sought too, beside the first."""

_FAR = 3
"""Steps in which all neurons settle to a link that is far from the last."""

_SHARPER_BENDS, _SOFTER_BENDS = (5.0, 15.0, 50.0), (0.0, -2.0, -4.0)
_WIDTH_OF_BEND = 0.6
_LINK_STEPS, _SETTLED_NATS = 4, 1.0


def climb_bends(problem: Problem, state: FitState) -> FitState:
    """Sharper bends as long as the training spikes become likelier, else softer ones.

    Unless they are likelier under the link that there is.
    """
    power = problem.first_link.power
    start = problem.first_link.bend
    first = best = tried_link(problem, state.current, LinkShape(power, start), _FAR)
    for bends in (_SHARPER_BENDS, _SOFTER_BENDS):
        for bend in bends:
            trial = tried_link(problem, best.candidate, LinkShape(power, bend), _FAR)
            if not trial.nats > best.nats:
                break
            best = trial
        if best is not first:
            break
    settled = _settled_link(problem, best.candidate)
    if problem.log_evidence(settled) < problem.log_evidence(state.current):
        return state
    return replace(state, current=problem.scored(settled))


def try_power(problem: Problem, state: FitState, power: float) -> FitState:
    """Another power of the link, where the training spikes are likelier after it has settled."""
    shape = LinkShape(power, problem.first_link.bend)
    trial = tried_link(problem, state.current, shape, _FAR).candidate
    trial = _settled_link(problem, trial)
    is_likelier = problem.log_evidence(trial) > problem.log_evidence(state.current)
    return replace(state, current=problem.scored(trial)) if is_likelier else state


def _settled_link(problem: Problem, candidate: Candidate, n_steps: int = _LINK_STEPS) -> Candidate:
    """The candidate after steps of all neurons and the link together, as long as they help."""
    nats = problem.log_evidence(candidate)
    for _ in range(n_steps):
        trial = problem.jointly_stepped(problem.stepped(candidate))
        trial = problem.with_estimated_prior(trial)
        reached = problem.log_evidence(trial)
        if not reached > nats + _SETTLED_NATS:
            return trial if reached > nats else candidate
        candidate, nats = trial, reached
    return candidate


def refine_link(problem: Problem, state: FitState) -> FitState:
    """Take the link to where the training spikes are likeliest.

    Steps of all neurons and the link together see how likely the best weights make the spikes; how
    sharply the link bends is then judged by all weights that the spikes allow.
    """
    current = _settled_link(problem, problem.stepped(state.current), n_steps=1)
    here = Tried(problem.log_evidence(current), current)
    shape = problem.shape(current)

    def tried(change: float) -> Tried:
        bend = float(np.sinh(np.arcsinh(shape.bend) + change))
        return tried_link(problem, current, shape._replace(bend=bend).within_range())

    return replace(state, current=problem.scored(at_vertex(here, tried, _WIDTH_OF_BEND).candidate))
