"""Hidden neurons join: placed between the observed ones, and rotated with them.

They send along the columns of their observed neighbours, so they bring one parameter: a gain, for
how many neurons each of them stands. The training likelihood estimates it, from zero on; where
held-out spikes are not clearly likelier with them, nobody joins.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    FitState,
    ScoredGain,
    clearly_better,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import refining_steps
from spikeweft.circuit_gnn.fitting.stage import (
    Stage,
    StepSequence,
    each,
    prior_step,
    scoring_step,
    settle_hidden,
    with_settled_hidden,
)
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import HiddenNeurons, Places
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation
from spikeweft.data.directions import ring_places

_NAME = "hidden neurons"
_N_GAINS, _TYPICAL_GAINS = 6, 5
_STEPS_OF_A_TRIAL, _STEPS_SETTLED = 6, 4
_SAME_GAIN = 0.1


def hidden_stages(problem: Problem) -> list[Stage]:
    """Hidden neurons, where asked for."""
    if problem.settings.n_hidden == 0:
        return []
    costs = Costs.of(problem, on_all_data=True, with_hidden=True)
    steps = (scoring_step, scoring_step, scoring_step, prior_step) * 2
    settle = each(costs.on_spikes(n_passes=1), *steps)
    join = (_join, costs.on_spikes(n_passes=1, n_traces=1))
    driven = (settle_hidden, Work())
    return [
        StepSequence(_NAME, (join,)),
        GainSearch(costs.on_spikes(n_passes=_STEPS_OF_A_TRIAL + _STEPS_SETTLED + 2, n_traces=2)),
        Settling(_NAME, (driven, *settle, *refining_steps(problem, costs), *settle)),
        StepSequence(_NAME, ((_keep_if_better, costs.on_spikes(n_traces=1)),)),
    ]


def _join(problem: Problem, state: FitState) -> FitState:
    """Put hidden neurons in their places, silent at first."""
    current = state.current
    parameters = current.parameters
    observed = parameters.values[:, : len(parameters.values)]
    places, rotation = _places(problem, observed, current.inputs.rotation)
    hidden = HiddenNeurons.at(places, parameters.values, parameters.link, gain=0.0)
    joined = replace(
        current,
        parameters=replace(parameters, has_own_column=True),
        inputs=replace(current.inputs, hidden=hidden, rotation=rotation),
        held_out=None,
    )
    nobody = ScoredGain(0.0, _penalised(problem, joined))
    return replace(
        state, current=joined, nats_before_hidden=nats_of(state.free), hidden_gains=(nobody,)
    )


def _places(
    problem: Problem, weights: Float[np.ndarray, "post pre"], rotation: Rotation | None
) -> tuple[Places, Rotation | None]:
    """By preferred directions where every one is known, else by the circuit itself."""
    n_hidden, angle_rad = problem.settings.n_hidden, problem.recording.preferred_angle_rad
    if angle_rad is None or not np.all(np.isfinite(angle_rad)):
        return Places.by_circuit(weights, n_hidden), rotation
    places_rad = ring_places(angle_rad, n_hidden)
    if rotation is not None:
        rotation, places_rad = rotation.with_neurons(places_rad)
    return Places.on_ring(angle_rad, places_rad), rotation


class Settling(StepSequence):
    """Everything settles to hidden neurons, if they send anything."""

    def is_done(self, state: FitState) -> bool:
        """Whether its steps are done, or nobody sends."""
        hidden = state.current.inputs.hidden
        return hidden is None or hidden.gain == 0 or super().is_done(state)


class GainSearch(Stage):
    """The gain of hidden neurons under which training spikes are likeliest, by parabolas.

    Each is judged once weights have settled to it; under a new gain, spikes first become far less
    likely.
    """

    name = _NAME
    n_steps = _N_GAINS

    def __init__(self, work: Work) -> None:
        self._work = work

    def work(self, state: FitState | None, step: int) -> Work:  # noqa: ARG002
        """The same for every gain; the last are seldom tried."""
        return self._work if step < _TYPICAL_GAINS else Work()

    def is_done(self, state: FitState) -> bool:
        """Whether all tries are used up, or the gain is found."""
        return super().is_done(state) or is_found(state.hidden_gains)

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next gain, from the best so far."""
        trial = with_hidden_gain(problem, state.current, next_gain(state.hidden_gains))
        hidden = trial.inputs.hidden
        assert hidden is not None
        scored = ScoredGain(hidden.gain, _penalised(problem, trial))
        best = max(tried.nats for tried in state.hidden_gains)
        return replace(
            state,
            current=trial if scored.nats > best else state.current,
            hidden_gains=(*state.hidden_gains, scored),
        )


def _penalised(problem: Problem, candidate: Candidate) -> float:
    return problem.estimate(candidate).shared_penalised


def is_found(tried: Sequence[ScoredGain]) -> bool:
    """Whether the next gain would be about one that was tried."""
    following = next_gain(tried)
    return min(abs(following - t.gain) for t in tried) < _SAME_GAIN


def next_gain(tried: Sequence[ScoredGain]) -> float:
    """Where a parabola through the best gain and those next to it has its top.

    The first is one; as long as the largest is best, the next is twice as large.
    """
    gains, nats = np.array(sorted(tried)).T
    best = int(np.argmax(nats))
    if best == len(gains) - 1:
        return max(2.0 * float(gains[best]), 1.0)
    if len(gains) == 2:
        return float(gains[1]) / 2
    near = slice(max(best - 1, 0), max(best - 1, 0) + 3)
    curvature, slope, _ = np.polyfit(gains[near], nats[near], 2)
    if curvature >= 0:
        return float(gains[near][0])
    return float(np.clip(-slope / (2 * curvature), gains[near][0], gains[near][2]))


def with_hidden_gain(problem: Problem, candidate: Candidate, gain: float) -> Candidate:
    """The candidate with another gain of hidden neurons, to which all else has settled."""
    hidden = candidate.inputs.hidden
    assert hidden is not None
    parameters = candidate.parameters.with_careful_steps()
    inputs = replace(candidate.inputs, hidden=replace(hidden, gain=gain))
    trial = replace(candidate, parameters=parameters, inputs=inputs, held_out=None)
    return problem.stepped(
        with_settled_hidden(problem.stepped(trial, _STEPS_OF_A_TRIAL)), _STEPS_SETTLED
    )


def _keep_if_better(problem: Problem, state: FitState) -> FitState:
    """Keep hidden neurons where held-out spikes are clearly likelier with them."""
    current, before = problem.scored(state.current), state.free
    assert before is not None
    if not clearly_better(nats_of(current), nats_of(before)):
        return replace(state, current=before)
    return replace(state, current=current, free=current, alone=before)


# -- once structure is known --


def stages_without_hidden(problem: Problem, structure: Sequence[Stage]) -> list[Stage]:
    """Structure without hidden neurons too, where they were kept, and the choice.

    What free weights leave unexplained may look like neurons that are not there, until structure
    explains it.
    """
    if problem.settings.n_hidden == 0:
        return []
    go_back = StepSequence(_NAME, ((_go_back, Work()),))
    choose = StepSequence(_NAME, ((_choose, Work()),))
    return [go_back, *(WithoutHidden(stage) for stage in structure), choose]


def _go_back(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    """Free weights as they were before hidden neurons joined."""
    if state.alone is None:
        return state
    return replace(
        state,
        current=state.alone,
        free=state.alone,
        structured=None,
        shapes=(),
        shape=None,
        networks=(),
        alone=None,
        with_hidden=state,
    )


class WithoutHidden(Stage):
    """A stage that is gone through again without hidden neurons, where they were kept."""

    def __init__(self, stage: Stage) -> None:
        self._stage, self.n_steps = stage, stage.n_steps
        self.name = f"{stage.name}, without hidden neurons"

    def is_done(self, state: FitState) -> bool:
        """Whether its steps are done, or no hidden neurons were kept."""
        return state.with_hidden is None or self._stage.is_done(state)

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """The state after its next step."""
        return self._stage.advance(problem, state)

    def work(self, state: FitState | None, step: int) -> Work:
        """Half of it, until it is known whether hidden neurons are kept."""
        if state is None:
            return self._stage.work(state, step).times(0.5)
        kept = state.alone is not None or state.with_hidden is not None
        is_known = state.nats_before_hidden is not None and state.current.inputs.hidden is None
        share = 1.0 if kept else 0.0 if is_known else 0.5
        return self._stage.work(state, step).times(share)


def _choose(problem: Problem, state: FitState) -> FitState:  # noqa: ARG001
    """Hidden neurons where held-out spikes are clearly likelier with them, structure and all."""
    before = state.with_hidden
    if before is None:
        return state
    if not clearly_better(before.best_nats, state.best_nats):
        return replace(state, with_hidden=None)
    place = {name: getattr(state, name) for name in ("stage", "step", "n_steps_taken")}
    return replace(before, alone=None, **place)
