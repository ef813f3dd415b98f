"""Hidden neurons join: placed between the observed ones, and rotated with them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from spikeweft.circuit_gnn.fitting.fit_state import FitState, nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters import (
    GAINS,
    gain_of,
    refining_steps,
    with_gain,
)
from spikeweft.circuit_gnn.fitting.stage import (
    Stage,
    StepSequence,
    keep_free,
    prior_step,
    scoring_step,
)
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons import HiddenNeurons, Places
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation
from spikeweft.data.directions import ring_places

_NAME = "hidden neurons"
_CAREFUL = 1e-2
_STEPS_ROTATED = 4


def hidden_stages(problem: Problem) -> list[Stage]:
    """Hidden neurons, where asked for, and the rotation that they may let be found."""
    if problem.settings.n_hidden == 0:
        return []
    steps = (scoring_step, scoring_step, scoring_step, prior_step) * 3
    settle = [StepSequence(_NAME, (*steps, *refining_steps(problem)))]
    stages: list[Stage] = [StepSequence(_NAME, (_join,)), *settle]
    if problem.settings.rotated_by is not None:
        stages += [RotationWithHidden(), *settle]
    return [*stages, StepSequence(_NAME, (keep_free,))]


def _join(problem: Problem, state: FitState) -> FitState:
    current = state.current
    parameters, n_observed = current.parameters, len(current.parameters.values)
    observed = parameters.values[:, :n_observed]
    places, rotation = _places(problem, observed, current.inputs.rotation)
    hidden = HiddenNeurons.at(places, parameters.values, parameters.link)
    joined = replace(
        current,
        parameters=parameters.with_careful_steps(),
        inputs=replace(current.inputs, hidden=hidden, rotation=rotation),
        held_out=None,
    )
    return replace(state, current=joined, nats_before_hidden=nats_of(state.free))


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


class RotationWithHidden(Stage):
    """Rotate the circuit, hidden neurons included, if held-out spikes gain by it.

    Only where no rotation was found without them: the fewer neurons are observed, the more places
    the input rotates to where no neuron is, and the worse a rotation looks.
    """

    name = _NAME
    n_steps = len(GAINS)

    def is_done(self, state: FitState) -> bool:
        """Whether all gains were tried, or one was found without hidden neurons."""
        found_before = state.step == 0 and gain_of(state) != 0.0
        return found_before or super().is_done(state)

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next gain; hidden neurons settle twice under it."""
        current = problem.scored(state.current)
        inputs = with_gain(current.inputs, GAINS[state.step])
        trial = replace(current, inputs=inputs, held_out=None)
        for _ in range(2):
            careful = trial.parameters.with_careful_steps(_CAREFUL)
            trial = problem.stepped(replace(trial, parameters=careful), _STEPS_ROTATED)
            hidden = trial.inputs.hidden
            assert hidden is not None
            settled = hidden.settled(trial.parameters.values, trial.parameters.link)
            trial = replace(trial, inputs=replace(trial.inputs, hidden=settled))
        trial = replace(trial, parameters=trial.parameters.with_careful_steps())
        return replace(state, current=problem.better(trial, current))
