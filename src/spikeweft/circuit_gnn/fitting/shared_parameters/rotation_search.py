"""The search for the gain with which an input rotates the circuit.

The gain is one number that all spikes inform, so the training likelihood estimates it: the best of
a grid first, then ever closer around it. Held-out spikes only say whether the input rotates the
circuit at all.
"""

from dataclasses import replace
from functools import partial

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState, ScoredGain
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.trials import Tried, at_vertex
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence, each
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs

_RATIO, _RATIOS_EITHER_WAY = 1.25, 4

GAINS = tuple(
    sign * _RATIO**k
    for sign in (1.0, -1.0)
    for k in range(-_RATIOS_EITHER_WAY, _RATIOS_EITHER_WAY + 1)
)
"""Factors of a rotating input from which the search starts.

Where θ covers a turn, a circuit that is rotated a tenth too far keeps neurons together that were
about as far apart as neighbours excite each other."""

_WIDTHS = (0.1, 0.04, 0.015)
"""By what part a gain is changed up and down, round by round."""

_GAINS_PER_ROUND = 4.0

_CAREFUL = 1e-2
_STEPS_WITH_ROTATION = 5


def work_of_gain(costs: Costs) -> Work:
    """What a trial of a gain costs."""
    return costs.on_spikes(n_passes=_STEPS_WITH_ROTATION + 1, n_traces=1)


def gain_search(costs: Costs) -> Stage:
    """All gains of the grid, then the choice whether any of them rotates the circuit."""
    steps = each(work_of_gain(costs), *(partial(_try_gain, gain=gain) for gain in GAINS))
    return StepSequence("rotation", (*steps, (_decide, costs.on_spikes(n_passes=1))))


def _try_gain(problem: Problem, state: FitState, gain: float) -> FitState:
    """The gain if training spikes are likelier under it than under those tried before."""
    unrotated = state.unrotated or problem.scored(state.current)
    tried = _tried(problem, unrotated, gain)
    is_best = not any(other.nats >= tried.nats for other in state.rotation_gains)
    return replace(
        state,
        current=tried.candidate if is_best else state.current,
        unrotated=unrotated,
        rotation_gains=(*state.rotation_gains, ScoredGain(gain, tried.nats)),
    )


def _decide(problem: Problem, state: FitState) -> FitState:
    """No rotation, unless held-out spikes are clearly likelier with it."""
    assert state.unrotated is not None
    return replace(state, current=problem.better(state.current, state.unrotated), unrotated=None)


def _tried(problem: Problem, candidate: Candidate, gain: float) -> Tried:
    """The candidate rotated with a gain, once its weights have settled to that."""
    parameters = replace(candidate.parameters.with_careful_steps(_CAREFUL), has_own_column=True)
    inputs = with_gain(candidate.inputs, gain)
    moved = replace(candidate, parameters=parameters, inputs=inputs, held_out=None)
    settled = problem.stepped(moved, _STEPS_WITH_ROTATION)
    return Tried(problem.log_evidence(settled), settled)


def with_gain(inputs: SynapticInputs, gain: float) -> SynapticInputs:
    """The same inputs, rotated with another gain."""
    assert inputs.rotation is not None
    return replace(inputs, rotation=replace(inputs.rotation, gain=gain))


def gain_of(candidate: Candidate) -> float:
    """Gain of a candidate's rotation."""
    assert candidate.inputs.rotation is not None
    return candidate.inputs.rotation.gain


class GainRefinement(Stage):
    """Gains ever closer around the likeliest, each round up to the top of a parabola."""

    name = "rotation"
    n_steps = len(_WIDTHS)

    def __init__(self, work: Work) -> None:
        self._work = work.times(_GAINS_PER_ROUND)

    def is_done(self, state: FitState) -> bool:
        """Whether nothing rotates the circuit, or its gain has been refined."""
        return super().is_done(state) or gain_of(state.current) == 0.0

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the gains on either side, and the one at the top."""
        start = state.current

        def tried(change: float) -> Tried:
            return _tried(problem, start, gain_of(start) * (1.0 + change))

        best = at_vertex(tried(0.0), tried, _WIDTHS[state.step])
        return replace(state, current=best.candidate)

    def work(self, state: FitState | None, step: int) -> Work:  # noqa: ARG002
        """The same in each round."""
        return self._work
