"""The search for the synaptic kernel that all pairs share.

The evidence of the training spikes (Laplace) is followed along one coordinate of the kernel after
the other. A kernel of a richer kind has to convince held-out spikes too.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState, nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import hardly_any_nats
from spikeweft.circuit_gnn.fitting.shared_parameters.trials import (
    Tried,
    at_vertex,
    tried_kernel,
    tried_link,
)
from spikeweft.circuit_gnn.spike_prediction.link import EXPONENTIAL
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import LONGEST_LATENCY_S

COARSE, FINE = 0.4, 0.12
"""Widths of the parabolas along a coordinate of the kernel, far from its place and near it."""

_MOST_PARABOLAS = 4
"""How often a coordinate goes on from beyond the last parabola's points."""

_FAR = 3
"""Steps in which all neurons settle to a kernel that is far from the last."""

_FARTHER, _STEPS_TO_REST = 3.0, 4
_PRIORS_OF_ANOTHER_LINK = 4
"""Estimates of the prior until weights that another link has shaped show their own."""

_LATENCIES_S = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, LONGEST_LATENCY_S)
_SECOND_EXPONENTIALS = ((0.25, 0.1), (4.0, 0.1))
"""Time constant, as a multiple of the first one, and share of a second exponential to try."""


def find_time_constant(problem: Problem, state: FitState) -> FitState:
    """The time constant under which training spikes are likeliest, from two links.

    Under a link that is far from theirs, a slow trace may stand for what a fast one would explain
    under the right one.
    """
    found = _climbed(problem, state.current, n_priors=1)
    if problem.learns_link:
        found = _climbed_from_exponential(problem, found)
    return replace(state, current=problem.scored(found.candidate))


def _climbed_from_exponential(problem: Problem, found: Tried) -> Tried:
    """What an exponential link leads to, where spikes are likelier under it to begin with."""
    start = tried_link(problem, found.candidate, EXPONENTIAL, _FAR).candidate
    start = _with_own_prior(problem, _at_rest(problem, start).candidate, n_priors=1)
    if start.nats < found.nats:
        return found
    further = _climbed(problem, start.candidate, _PRIORS_OF_ANOTHER_LINK)
    return further if further.nats > found.nats else found


def _climbed(problem: Problem, candidate: Candidate, n_priors: int) -> Tried:
    """Longer time constants as long as the training spikes become likelier, else shorter ones.

    Each with the prior that its weights show, after so many estimates: under a looser one, those of
    the wrong time constant are fewer nats of complexity.
    """
    first = best = _with_own_prior(problem, _at_rest(problem, candidate).candidate, n_priors)
    for factor in (_FARTHER, 1.0 / _FARTHER):
        while True:
            kernel = best.candidate.inputs.kernel
            further = kernel.at((kernel.coordinates[0] + np.log(factor),), _shortest_s(problem))
            if further == kernel:
                break
            far = tried_kernel(problem, best.candidate, further, _FAR).candidate
            trial = _with_own_prior(problem, far, n_priors)
            if not trial.nats > best.nats:
                break
            best = trial
        if best is not first:
            break
    return best


def _with_own_prior(problem: Problem, candidate: Candidate, n_priors: int) -> Tried:
    """The candidate with the prior that its weights show, which in turn changes these."""
    for _ in range(n_priors - 1):
        candidate = _at_rest(problem, problem.with_estimated_prior(candidate)).candidate
    return _at_rest(problem, problem.with_estimated_prior(candidate))


def refine_kernel(problem: Problem, state: FitState, width: float) -> FitState:
    """Take each of the kernel's coordinates to where the training spikes are likeliest."""
    current = state.current
    for k in range(len(current.inputs.kernel.coordinates)):
        current = _likeliest(problem, current, k, width)
    return replace(state, current=problem.scored(current))


def _likeliest(problem: Problem, candidate: Candidate, k: int, width: float) -> Candidate:
    """The candidate with a coordinate at the vertex of a parabola; of another, where it is far."""
    for _ in range(_MOST_PARABOLAS):
        before = candidate.inputs.kernel.coordinates[k]
        here = Tried(problem.log_evidence(candidate), candidate)
        trial = partial(_tried_coordinate, problem, candidate, k)
        candidate = at_vertex(here, trial, width).candidate
        if abs(candidate.inputs.kernel.coordinates[k] - before) <= width:
            break
    return candidate


def _tried_coordinate(problem: Problem, candidate: Candidate, k: int, change: float) -> Tried:
    """The candidate with one coordinate of its kernel changed."""
    kernel = candidate.inputs.kernel.moved(k, change, _shortest_s(problem))
    return tried_kernel(problem, candidate, kernel)


def try_latencies(problem: Problem, state: FitState) -> FitState:
    """Longer latencies as long as the training spikes become likelier."""
    plain = best = _at_rest(problem, state.current)
    for latency_s in _LATENCIES_S:
        if latency_s < problem.recording.time_resolution_s:
            continue
        delayed = replace(best.candidate.inputs.kernel, latency_s=latency_s)
        trial = tried_kernel(problem, best.candidate, delayed)
        if not trial.nats > best.nats:
            break
        best = trial
    found = replace(state, current=best.candidate)
    if best is not plain:
        found = refine_kernel(problem, found, FINE)
    return replace(state, current=_of_kind(problem, found.current, plain.candidate))


def try_second_exponential(problem: Problem, state: FitState) -> FitState:
    """A second exponential, shorter or longer than the first."""
    plain = best = _at_rest(problem, state.current)
    kernel = plain.candidate.inputs.kernel
    for factor, share in _SECOND_EXPONENTIALS:
        taus_s = (*kernel.taus_s, kernel.taus_s[0] * factor)
        mixed = replace(kernel, taus_s=taus_s, shares=(1.0 - share, share))
        mixed = mixed.at(mixed.coordinates, _shortest_s(problem))
        trial = tried_kernel(problem, plain.candidate, mixed)
        best = trial if trial.nats > best.nats else best
    found = replace(state, current=best.candidate)
    if best is not plain:
        found = refine_kernel(problem, refine_kernel(problem, found, COARSE), FINE)
    return replace(state, current=_of_kind(problem, found.current, plain.candidate))


def _at_rest(problem: Problem, candidate: Candidate) -> Tried:
    """The candidate after so many steps that another kernel is not better for one step more."""
    enough = hardly_any_nats(problem.estimate(candidate).derivatives.n_spikes)
    for _ in range(_STEPS_TO_REST):
        before = problem.estimate(candidate).shared_penalised
        candidate = problem.stepped(candidate)
        if problem.estimate(candidate).shared_penalised - before < enough:
            break
    return Tried(problem.log_evidence(candidate), candidate)


def _of_kind(problem: Problem, richer: Candidate, plain: Candidate) -> Candidate:
    """The richer kernel where training and held-out spikes both speak for it (after BIC)."""
    gained = problem.log_evidence(richer) - problem.log_evidence(plain)
    richer, plain = problem.scored(richer), problem.scored(plain)
    agrees = gained > _worth(problem, richer, plain) and nats_of(richer) > nats_of(plain)
    return richer if agrees else plain


def _worth(problem: Problem, richer: Candidate, plain: Candidate) -> float:
    """Nats of training spikes that a kernel's further parameters have to be worth (BIC)."""
    more = richer.inputs.kernel.n_parameters - plain.inputs.kernel.n_parameters
    n_spikes = problem.estimate(plain).derivatives.n_spikes.sum()
    return 0.5 * more * float(np.log(n_spikes))


def _shortest_s(problem: Problem) -> float:
    return problem.recording.time_resolution_s
