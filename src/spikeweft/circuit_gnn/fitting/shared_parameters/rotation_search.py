"""The search for the gain with which an input rotates the circuit."""

from dataclasses import replace

from spikeweft.circuit_gnn.fitting.fit_state import FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.stage import Stage
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs

GAINS = (0.5, 1.0, 2.0, -0.5, -1.0, -2.0)
"""Factors of a rotating input from which held-out spikes choose, beside no rotation at all."""

GAIN_REFINEMENTS = (0.7, 1.4)
"""Factors by which the chosen gain is then refined."""

_CAREFUL = 1e-2
_STEPS_WITH_ROTATION = 5


def work_of_gain(costs: Costs) -> Work:
    """What a trial of a gain costs."""
    return costs.on_spikes(n_passes=_STEPS_WITH_ROTATION + 1, n_traces=1)


def try_gain(problem: Problem, state: FitState, gain: float) -> FitState:
    """Rotate the circuit with this gain if held-out spikes gain by it."""
    current = problem.scored(state.current)
    parameters = replace(current.parameters.with_careful_steps(_CAREFUL), has_own_column=True)
    rotated = replace(
        current,
        parameters=parameters,
        inputs=with_gain(current.inputs, gain),
        held_out=None,
    )
    trial = problem.stepped(rotated, _STEPS_WITH_ROTATION)
    return replace(state, current=problem.better(trial, current))


def with_gain(inputs: SynapticInputs, gain: float) -> SynapticInputs:
    """The same inputs, rotated with another gain."""
    assert inputs.rotation is not None
    return replace(inputs, rotation=replace(inputs.rotation, gain=gain))


def gain_of(state: FitState) -> float:
    """Gain of the current rotation."""
    assert state.current.inputs.rotation is not None
    return state.current.inputs.rotation.gain


class GainRefinement(Stage):
    """Try gains near the one that was found, if any was."""

    name = "rotation"
    n_steps = len(GAIN_REFINEMENTS)

    def __init__(self, work: Work) -> None:
        self._work = work

    def is_done(self, state: FitState) -> bool:
        """Whether no rotation was found, or it has been refined."""
        return super().is_done(state) or gain_of(state) == 0.0

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next factor."""
        return try_gain(problem, state, gain_of(state) * GAIN_REFINEMENTS[state.step])

    def work(self, state: FitState | None, step: int) -> Work:  # noqa: ARG002
        """The same for every factor."""
        return self._work
