"""The search for what all neurons share: synaptic time constant, rotation, and the link function.

It uses as much of the training spikes as it needs, starts from no connection at all, and leaves
every choice to held-out spikes.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import (
    Candidate,
    FitState,
    SharpnessSearch,
    TimeConstantSearch,
    nats_of,
)
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.stage import Stage, StepSequence, prior_step, scoring_step
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation, ring_layout

TAUS_S = (0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
"""Synaptic time constants among which held-out spikes choose where none is given."""

FIRST_TAU_S = 0.01
"""The time constant from which the search starts."""

GAINS = (0.5, 1.0, 2.0, -0.5, -1.0, -2.0)
"""Factors of a rotating input from which held-out spikes choose, beside no rotation at all."""

GAIN_REFINEMENTS = (0.7, 1.4)
"""Factors by which the chosen gain is then refined."""

_NAME = "hyperparameter search"
_CAREFUL = 1e-2
_STEPS_OF_A_TRIAL, _STEPS_AFTER_SHARPENING = 5, 2
_SHARPENINGS = 6
_SHARPER = 1.5


def search_stages(problem: Problem) -> list[Stage]:
    """From each power of the link, free weights and its sharpness; from the first, all else too."""
    _, *further = problem.link_starts
    stages: list[Stage] = [
        StepSequence(_NAME, (scoring_step, scoring_step, scoring_step, prior_step) * 3)
    ]
    stages += [*_shared_input_stages(problem), SharpnessStage()]
    for power in further:
        start = StepSequence(_NAME, (partial(_start_again, power=power),))
        steps = StepSequence(_NAME, (prior_step, scoring_step, scoring_step, scoring_step) * 3)
        stages += [start, steps, SharpnessStage()]
    return [*stages, StepSequence(_NAME, (_choose_power,))]


def _shared_input_stages(problem: Problem) -> list[Stage]:
    """How an input rotates the circuit, and the time constant; both where asked for."""
    stages: list[Stage] = []
    if problem.settings.rotated_by is not None:
        stages.append(
            StepSequence("rotation", tuple(partial(try_gain, gain=gain) for gain in GAINS))
        )
    if problem.settings.tau_s is None:
        stages.append(TimeConstantStage(problem.recording.time_resolution_s))
    if problem.settings.rotated_by is not None:
        stages.append(GainRefinement())
    return stages


# -- where it starts --


def first_state(problem: Problem) -> FitState:
    """No connection, the first power of the link, and no rotation."""
    settings, recording = problem.settings, problem.recording
    tau_s = settings.tau_s or max(FIRST_TAU_S, recording.time_resolution_s)
    inputs = SynapticInputs(tau_s=tau_s, rotation=_no_rotation(problem))
    power = next(iter(problem.link_starts))
    current = problem.scored(_unconnected(problem, inputs, power))
    assert current.held_out is not None
    return FitState(
        current=current,
        held_out_bits=current.held_out.bits_per_spike,
        sharpness=SharpnessSearch(factor=_SHARPER),
    )


def _start_again(problem: Problem, state: FitState, power: float) -> FitState:
    """No connection, another power of the link, and the inputs that were found."""
    by_power = (*state.by_power, problem.scored(state.current))
    current = _unconnected(problem, state.current.inputs, power)
    return replace(
        state, current=current, sharpness=SharpnessSearch(factor=_SHARPER), by_power=by_power
    )


def _unconnected(problem: Problem, inputs: SynapticInputs, power: float) -> Candidate:
    traces = problem.training(inputs, on_all_data=False)
    rate_hz = traces.n_spikes.sum() / traces.exposure_s / traces.n_neurons
    link = Link(power, float(np.log(rate_hz + 1e-3)) - problem.link_starts[power])
    parameters = without_connections(traces, link, problem.settings.n_hidden)
    return Candidate(parameters=parameters, inputs=inputs, on_all_data=False)


def _no_rotation(problem: Problem) -> Rotation | None:
    """The rotation from which the search for its gain starts, where an input may rotate."""
    if problem.settings.rotated_by is None:
        return None
    places, n_places = ring_layout(problem.recording.preferred_angle_rad)
    covariate = problem.settings.rotated_by
    return Rotation(covariate=covariate, gain=0.0, places=places, n_places=n_places)


# -- the time constant --


class TimeConstantStage(Stage):
    """Try the next longer or shorter time constant, as long as held-out spikes gain by it."""

    name = "time constant"
    n_steps = len(TAUS_S)

    def __init__(self, shortest_s: float) -> None:
        self._shortest_s = shortest_s

    def is_done(self, state: FitState) -> bool:
        """Whether neither direction leads any further."""
        return self._next(state) is None

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next time constant; turn round, or stop, where it is not clearly better."""
        following = self._next(state)
        assert following is not None
        tau_s, search = following
        current = problem.scored(state.current)
        trial = problem.stepped(_with_tau(current, tau_s), _STEPS_OF_A_TRIAL)
        best = problem.better(trial, current)
        has_moved = best is not current
        search = replace(search, has_moved=True) if has_moved else _turned(search)
        return replace(state, current=best, time_constant=search)

    def _next(self, state: FitState) -> tuple[float, TimeConstantSearch] | None:
        """The next time constant, and the search that leads there."""
        search = state.time_constant
        here = int(np.argmin(np.abs(np.array(TAUS_S) - state.current.inputs.tau_s)))
        while search.direction != 0:
            place = here + search.direction
            if 0 <= place < len(TAUS_S) and TAUS_S[place] >= self._shortest_s:
                return TAUS_S[place], search
            search = _turned(search)
        return None


def _turned(search: TimeConstantSearch) -> TimeConstantSearch:
    """From longer to shorter time constants if none of the longer was better, else stop."""
    turns = search.direction > 0 and not search.has_moved
    return replace(search, direction=-1 if turns else 0)


def _with_tau(candidate: Candidate, tau_s: float) -> Candidate:
    """Change the time constant, keeping the area under each neuron's effect on others."""
    parameters, inputs = candidate.parameters, candidate.inputs
    values = parameters.values.copy()
    values[:, : parameters.n_sources] *= inputs.tau_s / tau_s
    return replace(
        candidate,
        parameters=replace(parameters, values=values).with_careful_steps(_CAREFUL),
        inputs=replace(inputs, tau_s=tau_s),
        held_out=None,
    )


# -- the rotation --


def try_gain(problem: Problem, state: FitState, gain: float) -> FitState:
    """Rotate the circuit with this gain if held-out spikes gain by it."""
    current = problem.scored(state.current)
    rotated = replace(
        current,
        parameters=current.parameters.with_careful_steps(_CAREFUL),
        inputs=with_gain(current.inputs, gain),
        held_out=None,
    )
    trial = problem.stepped(rotated, _STEPS_OF_A_TRIAL)
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

    def is_done(self, state: FitState) -> bool:
        """Whether no rotation was found, or it has been refined."""
        return super().is_done(state) or gain_of(state) == 0.0

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next factor."""
        return try_gain(problem, state, gain_of(state) * GAIN_REFINEMENTS[state.step])


# -- the link --


class SharpnessStage(Stage):
    """Sharpen the link as long as held-out spikes become likelier, else soften it."""

    name = _NAME
    n_steps = _SHARPENINGS

    def is_done(self, state: FitState) -> bool:
        """Whether neither a sharper nor a softer link was better."""
        return super().is_done(state) or self._search(state).factor == 1.0

    def advance(self, problem: Problem, state: FitState) -> FitState:
        """Try the next sharpness; turn round, or stop, where it is not clearly better."""
        search, current = self._search(state), problem.scored(state.current)
        trial = problem.sharpened(current, search.factor)
        trial = problem.with_estimated_prior(problem.stepped(trial, _STEPS_AFTER_SHARPENING))
        best = problem.better(trial, current)
        if best is not current:
            search = replace(search, has_moved=True)
        else:
            turns = search.factor > 1.0 and not search.has_moved
            search = replace(search, factor=1.0 / search.factor if turns else 1.0)
        return replace(state, current=best, sharpness=search)

    @staticmethod
    def _search(state: FitState) -> SharpnessSearch:
        assert state.sharpness is not None
        return state.sharpness


def _choose_power(problem: Problem, state: FitState) -> FitState:
    """Go on from the power under which held-out spikes are likeliest."""
    candidates = [problem.scored(c) for c in (*state.by_power, state.current)]
    return replace(state, current=max(candidates, key=nats_of), by_power=())
