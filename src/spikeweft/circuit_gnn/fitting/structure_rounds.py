"""Rounds of structure learning: pair networks around the current fit, which then settles anew.

First the shape of the network is chosen, by held-out spikes. Each round then learns networks of
this shape around the current fit and takes the mean of the good ones; history, bias and link are
fitted again to the structured weights, and the next round's quadratic likelihood is taken there.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Float

from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    FitState,
    ScoredShape,
    clearly_better,
    hardly_worse,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence, joint_step, scoring_step
from spikeweft.circuit_gnn.spike_prediction.likelihood import likelihood_derivatives
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FreeWeights,
    NetworkShape,
    StructureFit,
    StructureProblem,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
)
from spikeweft.runtime.parallel import one_by_one, side_by_side

_WORTH_THREADS = 40
"""Neurons from which networks gain by threads: steps of smaller ones wait for the interpreter."""

_ENSEMBLE_NATS = 15.0
_EXTRA_DIMENSIONS = (0, -1, 2)
_SLIGHTLY_SHARPER = 1.4
_NEARLY_UNDAMPED = 1e-6


def structure_stages(problem: Problem) -> list[Stage]:
    """Choose a shape of network, then learn its weights, round by round."""
    stages: list[Stage] = []
    if problem.network_shapes(directed=False):
        tries = tuple(partial(_try_shapes, directed=directed) for directed in (False, True))
        choices = tuple(partial(_choose_shape, damping=d) for d in problem.link_dampings)
        stages.append(StepSequence("structure", (*tries, *choices)))
    for k, n_networks in enumerate(problem.networks_per_round):
        steps = (
            partial(_learn, k=k, n_networks=n_networks),
            *(scoring_step, joint_step) * 3,
            *(_sharpen_or_soften, _sharpen_or_soften),
            scoring_step,
            _keep_structured,
        )
        stages.append(StructureRound(f"structure {k + 1}", steps))
    return stages


class StructureRound(StepSequence):
    """A round for structured weights; none where no structure predicts better."""

    def is_done(self, state: FitState) -> bool:
        """Whether its steps are done, or there is no structure."""
        return state.shape is None or super().is_done(state)


# -- learning networks --


def fit_networks(
    problem: Problem, candidate: Candidate, shapes: Sequence[NetworkShape], first_seed: int
) -> list[StructureFit]:
    """Learn networks of several shapes around a candidate's weights, side by side."""
    structure = _structure_problem(problem, candidate)

    def learn(member: tuple[int, NetworkShape]) -> StructureFit:
        seed, shape = member
        rng = torch.Generator().manual_seed(1000 * problem.settings.seed + seed)
        return problem.trainer(structure, shape, rng).train()

    members = enumerate(shapes, first_seed)
    if problem.recording.n_neurons < _WORTH_THREADS:
        return one_by_one(learn, members)
    return side_by_side(learn, members)


def _structure_problem(problem: Problem, candidate: Candidate) -> StructureProblem:
    estimate, hidden = problem.estimate(candidate), candidate.inputs.hidden
    held_out = likelihood_derivatives(
        problem.held_out(candidate.inputs), estimate.values, estimate.link
    )
    return StructureProblem(
        free=FreeWeights(
            weights=torch.from_numpy(estimate.weights),
            determined=torch.from_numpy(estimate.determined),
            precision=estimate.precision,
        ),
        training=QuadraticLikelihood.around(estimate.derivatives),
        held_out=QuadraticLikelihood.around(held_out),
        hidden_mix=np.zeros((0, len(estimate.values))) if hidden is None else hidden.mix,
        n_spikes=int(estimate.derivatives.n_spikes.sum()),
    )


def _adopt(
    problem: Problem,
    candidate: Candidate,
    weights: Float[np.ndarray, "post pre"],
    link_damping: float,
) -> Candidate:
    """Take structured weights; history, bias and link go to their conditional optimum."""
    estimate, hidden = problem.estimate(candidate), candidate.inputs.hidden
    n, derivatives = len(estimate.values), estimate.derivatives
    damping = link_damping * int(derivatives.n_spikes.sum())
    form = QuadraticLikelihood.around(derivatives)
    others = ConditionalOptimum.of(form, estimate.n_sources, damping)
    change = others.given(torch.from_numpy(weights[:n] - estimate.weights)).numpy()
    values = estimate.values + change[:, :-2]
    link = estimate.link.changed(*change[0, -2:])
    inputs = candidate.inputs
    if hidden is not None:
        inputs = replace(inputs, hidden=hidden.driven_by(weights[n:], values, link))
    parameters = replace(estimate.parameters, values=values, link=link, weights_fixed=True)
    return replace(
        candidate,
        parameters=parameters.with_careful_steps(_NEARLY_UNDAMPED),
        inputs=inputs,
        held_out=None,
    )


# -- choosing a shape --


def _try_shapes(problem: Problem, state: FitState, directed: bool) -> FitState:
    """Symmetric networks first; directed ones only where none of those predicts better."""
    if directed and clearly_better(max((s.nats for s in state.shapes), default=0.0), 0.0):
        return state
    shapes = problem.network_shapes(directed)
    found = fit_networks(problem, state.current, shapes, first_seed=100 if directed else 0)
    scored = [
        ScoredShape(shape, -structure.held_out_nats)
        for shape, structure in zip(shapes, found, strict=True)
    ]
    return replace(state, shapes=(*state.shapes, *scored))


def _choose_shape(problem: Problem, state: FitState, damping: float) -> FitState:
    """The smallest embedding that held-out spikes do not clearly tell from the best.

    It is then judged by the likelihood itself, once history, bias and link have settled: the
    quadratic form of a sharp link does not hold far from where it was taken.
    """
    tried = [scored for scored in state.shapes if scored.shape.link_damping == damping]
    best = max((scored.nats for scored in tried), default=0.0)
    if not clearly_better(best, 0.0):
        return state
    shape = min(scored.shape for scored in tried if scored.nats > best - _ENSEMBLE_NATS)
    estimate = problem.estimate(state.current)
    (structure,) = fit_networks(problem, state.current, [shape], first_seed=150)
    trial = _adopt(problem, state.current, structure.weights, damping)
    for _ in range(2):
        trial = problem.jointly_stepped(problem.stepped(trial))
    nats = nats_of(problem.scored(trial))
    problem.remember(state.current, estimate)
    if state.shape is None or nats > state.shape.nats:
        return replace(state, shape=ScoredShape(shape, nats))
    return state


# -- a round --


def _learn(problem: Problem, state: FitState, k: int, n_networks: int) -> FitState:
    """Learn networks around the current weights and take the mean of the good ones."""
    assert state.shape is not None
    shape, largest = state.shape.shape, problem.recording.n_neurons - 1
    shapes = [
        shape._replace(n_dimensions=max(min(shape.n_dimensions + extra, largest), 1))
        for extra in itertools.islice(itertools.cycle(_EXTRA_DIMENSIONS), n_networks)
    ]
    found = fit_networks(problem, state.current, shapes, first_seed=200 + 100 * k)
    best = min(structure.held_out_nats for structure in found)
    good = [f.weights for f in found if f.held_out_nats < best + _ENSEMBLE_NATS]
    weights = np.mean(good, axis=0)
    return replace(state, current=_adopt(problem, state.current, weights, shape.link_damping))


def _sharpen_or_soften(problem: Problem, state: FitState) -> FitState:
    """Change the link's sharpness where the training spikes become likelier by it."""
    estimate = problem.estimate(state.current)
    for factor in (_SLIGHTLY_SHARPER, 1.0 / _SLIGHTLY_SHARPER):
        trial = problem.stepped(problem.sharpened(state.current, factor))
        if problem.estimate(trial).log_likelihood - estimate.log_likelihood > 1.0:
            return replace(state, current=trial)
    problem.remember(state.current, estimate)
    return state


def _keep_structured(problem: Problem, state: FitState) -> FitState:
    """Keep a round's weights unless an earlier round was clearly better."""
    current = problem.scored(state.current)
    keeps = hardly_worse(nats_of(current), nats_of(state.structured))
    return replace(state, current=current, structured=current if keeps else state.structured)
