"""The choice between kinds of models.

Beside free and structured weights there are two simpler kinds: neurons without any coupling and,
unless the neurons that say what all share are predicted better by another link, a Poisson GLM,
whose link is exponential. What is returned is never worse than the first on held-out spikes, nor by
more than chance than the second where it was fitted.
"""

from dataclasses import replace

from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    FitState,
    clearly_better,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import hardly_any_nats, settled
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.link import EXPONENTIAL

_STEPS_OF_A_GLM, _MOST_STEPS_OF_A_GLM = 2, 12

_STANDARD_ERROR_NATS = 2.0
"""A gain that is its own standard error: the variance of a log-likelihood ratio is twice its mean.

Of two models that differ by less, one supposes connections that no spikes show."""


def simpler_stages(problem: Problem) -> list[Stage]:
    """Candidates of simpler kinds, from the free weights."""
    searched, costs = (
        Costs.of(problem, on_all_data=True, n_neurons=n_neurons)
        for n_neurons in (problem.n_searched, problem.n_at_a_time)
    )
    glm = (_fit_glm, searched.on_spikes(n_passes=3 + _STEPS_OF_A_GLM))
    uncoupled = (_fit_without_coupling, costs.on_spikes(n_settlings=1))
    return [StepSequence("Poisson GLM, no coupling", (glm, uncoupled))]


def choice_stages() -> list[Stage]:
    """Structured or free weights, whichever predicts held-out spikes better, or a simpler kind."""
    return [
        StepSequence("choice of the model", ((_choose_weights, Work()), (_choose_kind, Work())))
    ]


def _fit_glm(problem: Problem, state: FitState) -> FitState:
    """An exponential link: the Poisson GLM.

    Of many neurons it is left out where it predicts those no better that say what all share.
    """
    if state.searched is not None:
        of_some = _glm_from(problem, state.searched)
        if nats_of(problem.scored(of_some)) < nats_of(state.searched):
            return state
    return _with_simpler(problem, state, _glm_from(problem, state.current))


def _glm_from(problem: Problem, free: Candidate) -> Candidate:
    candidate = problem.reshaped(free, EXPONENTIAL)
    candidate = problem.with_estimated_prior(problem.stepped(candidate, _STEPS_OF_A_GLM))
    return _climbed(problem, candidate, nats_of(free))


def _climbed(problem: Problem, candidate: Candidate, others: float) -> Candidate:
    """The candidate after steps until they hardly gain anything, or others are out of reach.

    They are where another gain like the last step's, of all training spikes, would not do for
    the held-out ones.
    """
    enough = hardly_any_nats(problem.estimate(candidate).derivatives.n_spikes)
    for _ in range(_MOST_STEPS_OF_A_GLM):
        moved = problem.scored(problem.stepped(candidate))
        gain = problem.estimate(moved).penalised - problem.estimate(candidate).penalised
        candidate = moved
        if gain.sum() < enough or nats_of(moved) + gain.sum() < others:
            break
    return candidate


def _fit_without_coupling(problem: Problem, state: FitState) -> FitState:
    """No coupling: own history, covariates and bias alone.

    Nothing rotates then: a neuron's own column would have the spikes of others.
    """
    parameters, inputs = state.current.parameters, state.current.inputs
    values, history_mean = parameters.values.copy(), parameters.history_mean.copy()
    values[:, : parameters.n_sources] = history_mean[0] = 0.0
    parameters = replace(
        parameters,
        values=values,
        history_mean=history_mean,
        weights_fixed=True,
        has_own_column=False,
    )
    inputs = replace(inputs, rotation=None)
    candidate = replace(state.current, parameters=parameters, inputs=inputs, held_out=None)
    return _with_simpler(problem, state, settled(problem, candidate))


def _with_simpler(problem: Problem, state: FitState, candidate: Candidate) -> FitState:
    return replace(state, simpler=(*state.simpler, problem.scored(candidate)))


def _choose_weights(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    is_structured = clearly_better(nats_of(state.structured), nats_of(state.free))
    chosen = state.structured if is_structured else state.free
    assert chosen is not None
    return replace(state, current=chosen)


def _choose_kind(problem: Problem, state: FitState) -> FitState:
    """A simpler kind where held-out spikes are likelier under it, or as likely without coupling."""
    best = max((problem.scored(state.current), *state.simpler), key=nats_of)
    without_coupling = state.simpler[-1]
    is_shown = nats_of(best) > nats_of(without_coupling) + _STANDARD_ERROR_NATS
    return replace(state, current=best if is_shown else without_coupling)
