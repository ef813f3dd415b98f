"""Rounds of structure learning: pair networks around the current fit, which then settles anew.

First the shape of the network is chosen, by held-out spikes. Each round then learns networks of
this shape around the current fit and takes the mean of the good ones; history, bias and link are
fitted again to the structured weights, and the next round's quadratic likelihood is taken there.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.fitting.fit_state import (
    WORTH_NATS,
    Candidate,
    FitState,
    ScoredShape,
    clearly_better,
    hardly_worse,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import settled
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence, with_settled_hidden
from spikeweft.circuit_gnn.fitting.work import WORTH_THREADS, Costs, Work
from spikeweft.circuit_gnn.spike_prediction.likelihood import likelihood_derivatives
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FreeWeights,
    LearnedNetwork,
    NetworkShape,
    StructureFit,
    StructureProblem,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import QuadraticLikelihood
from spikeweft.runtime.parallel import one_by_one, side_by_side

INFORMED = 0.5
"""Pairs whose weight spikes determine further than this are informed by them."""

_ENSEMBLE_NATS = 15.0
_STEPS_SOFTENED, _SHAPES_AT_A_TIME = 2, 2
_TRACES_TO_ADOPT = 8
"""Those made to see how drives change with the synaptic kernel, twice, and those in between."""


def structure_stages(problem: Problem, with_hidden: bool) -> list[Stage]:
    """Choose a shape of network, then learn its weights, round by round.

    It takes longer `with_hidden` neurons.
    """
    stages: list[Stage] = []
    if not problem.network_shapes(directed=False):
        return stages
    costs = Costs.of(problem, on_all_data=True, with_hidden=with_hidden)
    settling = _work_of_adopting(problem, costs)
    stages.append(ShapeSearch(problem, with_hidden))
    for k, n_networks in enumerate(problem.networks_per_round):
        learning = costs.on_networks(n_networks, again=k > 0) + settling
        learn = (partial(_learn, k=k, n_networks=n_networks), learning)
        hidden = costs.on_spikes(n_passes=2, n_traces=1) if costs.n_hidden else Work()
        round_ = StepSequence(f"structure, round {k + 2}", ((_settle_hidden, hidden), learn))
        stages.append(WithStructure(round_))
    return stages


def _work_of_adopting(problem: Problem, costs: Costs) -> Work:
    """Settling to structured weights; the kernel changes too, where none is given."""
    if problem.settings.tau_s is not None:
        return costs.on_spikes(n_settlings=1)
    return costs.on_spikes(n_settlings=1, n_traces=_TRACES_TO_ADOPT)


class ShapeSearch(StepSequence):
    """Symmetric networks, directed ones where no symmetric one predicts better, and the choice."""

    def __init__(self, problem: Problem, with_hidden: bool) -> None:
        whole, some = (
            Costs.of(problem, on_all_data=on_all_data, with_hidden=with_hidden)
            for on_all_data in (True, False)
        )
        tries = tuple(
            (
                partial(_try_shapes, directed=directed),
                _work_of_shapes(len(problem.network_shapes(directed)), whole, some, directed),
            )
            for directed in (False, True)
        )
        choice = (_choose_shape, _work_of_adopting(problem, whole))
        super().__init__("structure, size of the network", (*tries, choice))

    def work(self, state: FitState | None, step: int) -> Work:
        """Half of what depends on whether symmetric networks predict better, until it is known."""
        found = _share_with_structure(state)
        return super().work(state, step).times((1.0, 1.0 - found, found)[step])


def _work_of_shapes(n_shapes: int, whole: Costs, some: Costs, directed: bool) -> Work:
    """Of as many shapes as are tried where a larger embedding does not help."""
    n_shapes = min(n_shapes, _SHAPES_AT_A_TIME)
    settled = some.on_spikes(n_settlings=n_shapes, n_traces=1) + whole.on_spikes(
        n_passes=5, n_traces=1
    )
    return whole.on_networks(n_shapes, directed=directed) + settled


def _share_with_structure(state: FitState | None) -> float:
    """How likely there is structure: one or zero once shapes of networks were tried."""
    if state is None or not state.shapes:
        return 0.5
    return float(any(clearly_better(s.nats, nats_of(state.free)) for s in state.shapes))


class WithStructure(Stage):
    """A stage that is left out where no structure predicts better."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.name, self.n_steps = stage, stage.name, stage.n_steps

    def is_done(self, state: FitState) -> bool:
        """Whether its steps are done, or there is no structure."""
        return state.shape is None or self._stage.is_done(state)

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state after its next step."""
        return self._stage.advance(problem, state)

    def work(self, state: FitState | None, step: int) -> Work:
        """Half of it, until it is known whether there is structure."""
        return self._stage.work(state, step).times(_share_with_structure(state))


# -- learning networks --


def fit_networks(
    problem: Problem,
    candidate: Candidate,
    shapes: Sequence[NetworkShape],
    first_seed: int,
    starts: Sequence[LearnedNetwork] = (),
) -> list[StructureFit]:
    """Learn networks of several shapes around a candidate's weights, side by side.

    As many go on with networks that have learned before as there are `starts`.
    """
    structure = structure_problem(problem, candidate)

    def learn(member: tuple[int, NetworkShape]) -> StructureFit:
        k, shape = member
        rng = torch.Generator().manual_seed(1000 * problem.settings.seed + first_seed + k)
        start = starts[k] if k < len(starts) else None
        return problem.trainer(structure, shape, rng).train(start)

    members = enumerate(shapes)
    if problem.recording.n_neurons < WORTH_THREADS:
        return one_by_one(learn, members)
    return side_by_side(learn, members)


def structure_problem(problem: Problem, candidate: Candidate) -> StructureProblem:
    """What networks learn from: the quadratic likelihood around a candidate.

    Free weights are far from what a network makes of them, farther than the form of the link holds,
    so the link stays. Structured ones are near, and a soft link follows them as in a joint fit:
    taking turns, weights and link would creep.
    """
    estimate = problem.estimate(candidate)
    derivatives = likelihood_derivatives(
        problem.held_out_of(candidate), estimate.values, estimate.link
    )
    with_link = estimate.weights_fixed and problem.learns_link and problem.is_soft(candidate)
    return StructureProblem(
        free=FreeWeights(
            weights=torch.from_numpy(estimate.weights),
            determined=torch.from_numpy(estimate.determined * estimate.decides[:, None]),
            precision=torch.from_numpy(estimate.precision[:, None]),
        ),
        training=QuadraticLikelihood.around(estimate, with_link).with_prior_of_others(estimate),
        held_out=QuadraticLikelihood.around(replace(estimate, derivatives=derivatives), with_link),
    )


def _adopted(
    problem: Problem, candidate: Candidate, weights: Float[np.ndarray, "post pre"], kernel: bool
) -> Candidate:
    """The candidate with structured weights, and all else fitted to them; the kernel if asked."""
    adopted = problem.with_weights(candidate, weights)
    return problem.scored(settled(problem, adopted, with_kernel=kernel))


def adopted_as_informed(
    problem: Problem, candidate: Candidate, weights: Float[np.ndarray, "post pre"], directed: bool
) -> Candidate:
    """The candidate with structured weights, none stronger than spikes show any to be.

    An inhibition so strong that the postsynaptic neuron never fires after it may be stronger still:
    spikes do not say, and a network takes it as far as it likes. Weights that are not informed, or
    no longer, lie within the range of those that are.
    """
    with_kernel = problem.settings.tau_s is None
    adopted = _adopted(problem, candidate, weights, with_kernel)
    estimate = problem.estimate(adopted)
    given = estimate.is_weight[:, : estimate.n_sources] & estimate.decides[:, None]
    shown = is_informed(estimate.determined, directed) & given
    if not shown.any():
        return adopted
    bounded = np.clip(weights, weights[shown].min(), weights[shown].max())
    within = np.where(given & ~shown, bounded, weights)
    if np.array_equal(within, weights):
        return adopted
    return _adopted(problem, candidate, within, with_kernel)


# -- choosing a shape --


def _try_shapes(problem: Problem, state: FitState, directed: bool) -> FitState:
    """Symmetric networks first; directed ones only where none of those predicts better.

    Larger embeddings are tried as long as the largest so far predicts clearly better than smaller
    ones. Each is judged by the likelihood itself, once all else has settled: the quadratic form of
    a sharp link does not hold far from where it was taken. Some of the spikes are enough for that.
    """
    assert state.free is not None
    if directed and any(clearly_better(s.nats, nats_of(state.free)) for s in state.shapes):
        return state
    shapes = problem.network_shapes(directed)
    around = state.current
    if not state.shapes:  # else it is soft already
        around = problem.stepped(problem.softened(around), _STEPS_SOFTENED)
    some = replace(around, on_all_data=False)
    scored: tuple[ScoredShape, ...] = ()
    for k in range(0, len(shapes), _SHAPES_AT_A_TIME):
        tried = shapes[k : k + _SHAPES_AT_A_TIME]
        found = fit_networks(problem, around, tried, first_seed=k + (100 if directed else 0))
        scored += tuple(
            ScoredShape(
                shape, nats_of(_adopted(problem, some, structure.weights, False)), structure.weights
            )
            for shape, structure in zip(tried, found, strict=True)
        )
        *smaller, largest = (s.nats for s in scored)
        if smaller and not clearly_better(largest, max(smaller)):
            break
    return replace(state, current=around, shapes=(*state.shapes, *scored))


def _choose_shape(problem: Problem, state: FitState) -> FitState:
    """The smallest embedding that held-out spikes do not clearly tell from the best."""
    assert state.free is not None
    best = max(scored.nats for scored in state.shapes)
    if not clearly_better(best, nats_of(state.free)):
        return state
    shape = min((s for s in state.shapes if s.nats > best - WORTH_NATS), key=lambda s: s.shape)
    structured = adopted_as_informed(problem, state.current, shape.weights, shape.shape.directed)
    if not is_fitted(problem, structured, state):
        return state
    return replace(state, current=structured, structured=structured, shape=shape)


def is_fitted(problem: Problem, structured: Candidate, state: FitState) -> bool:
    """Whether structured weights make the spikes they were fitted to no less likely than none do.

    Where spikes are very few, a step may leave the range in which the likelihood can be followed,
    and the one or two that are held out do not show it.
    """
    of_training = problem.estimate(structured).log_rate_at_spikes
    without_coupling = problem.estimate(state.simpler[-1]).log_rate_at_spikes
    return of_training > without_coupling


# -- a further round --


def _settle_hidden(problem: Problem, state: FitState) -> FitState:
    """Let hidden neurons fire as the circuit drives them that the last round found.

    Before networks learn, so that they learn the weights that go with it.
    """
    if state.current.inputs.hidden is None or not state.current.parameters.weights_fixed:
        return state
    return replace(state, current=problem.stepped(with_settled_hidden(state.current)))


def _learn(problem: Problem, state: FitState, k: int, n_networks: int) -> FitState:
    """Learn networks around the current weights and take the mean of the good ones.

    They go on from those of the round before. Their weights are kept unless an earlier round was
    clearly better.
    """
    assert state.shape is not None
    shape, seed = state.shape.shape, 200 + 100 * k
    found = fit_networks(problem, state.current, [shape] * n_networks, seed, state.networks)
    best = min(structure.held_out_nats for structure in found)
    good = [f.weights for f in found if f.held_out_nats < best + _ENSEMBLE_NATS]
    estimate = problem.estimate(state.current)
    weights = where_informed(
        np.mean(good, axis=0), estimate.weights, estimate.determined, shape.directed
    )
    current = adopted_as_informed(problem, state.current, weights, shape.directed)
    keeps = hardly_worse(nats_of(current), nats_of(state.structured))
    return replace(
        state,
        current=current,
        structured=current if keeps else state.structured,
        networks=tuple(fit.network for fit in found),
    )


def where_informed(
    new: Float[np.ndarray, "post pre"],
    old: Float[np.ndarray, "post pre"],
    determined: Float[np.ndarray, "post pre"],
    directed: bool,
) -> Float[np.ndarray, "post pre"]:
    """New weights of pairs that spikes inform; all others stay as they are.

    Of those the first round has made what it could, and every further one would move them at will.
    """
    return np.where(is_informed(determined, directed), new, old)


def is_informed(
    determined: Float[np.ndarray, "post pre"], directed: bool
) -> Bool[np.ndarray, "post pre"]:
    """Pairs that spikes inform, in either direction where both have the same weight."""
    known = determined if directed else np.maximum(determined, determined.T)
    return known > INFORMED
