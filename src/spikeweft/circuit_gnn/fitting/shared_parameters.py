"""What all neurons share: the link function, the synaptic kernel, and how an input rotates all.

These few numbers are informed by all spikes, so the training spikes themselves determine them: the
link by steps of all neurons and the link together, from several starts, the kernel by the evidence
(Laplace), along one coordinate after the other. As many spikes as it takes lead to the right place;
there all training spikes refine it. Only kinds of kernels are chosen by held-out spikes.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState, nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.stage import (
    Stage,
    Step,
    Steps,
    StepSequence,
    each,
    prior_step,
    scoring_step,
)
from spikeweft.circuit_gnn.fitting.trials import Tried, at_vertex, tried_kernel, tried_link
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.link import LinkShape
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation, ring_layout
from spikeweft.circuit_gnn.spike_prediction.synaptic_kernel import (
    LONGEST_LATENCY_S,
    SynapticKernel,
)

FIRST_TAU_S = 0.01
"""The time constant from which the search starts."""

GAINS = (0.5, 1.0, 2.0, -0.5, -1.0, -2.0)
"""Factors of a rotating input from which held-out spikes choose, beside no rotation at all."""

GAIN_REFINEMENTS = (0.7, 1.4)
"""Factors by which the chosen gain is then refined."""

FURTHER_POWERS = (2.5,)
"""Powers from which the link is sought too, beside the first."""

_CAREFUL = 1e-2
_FAR = 3
_STEPS_WITH_ROTATION = 5
_SHARPER_BENDS, _SOFTER_BENDS = (5.0, 15.0, 50.0), (0.0, -2.0, -4.0)
_WIDTH_OF_BEND = 0.6
_LINK_STEPS, _SETTLED_NATS = 4, 1.0
_FARTHER = 3.0
_COARSE, _FINE = 0.4, 0.12
_LATENCIES_S = (0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, LONGEST_LATENCY_S)
_SECOND_EXPONENTIALS = ((0.25, 0.1), (4.0, 0.1))
"""Time constant, as a multiple of the first one, and share of a second exponential to try."""


def shared_stages(problem: Problem) -> list[Stage]:
    """The first weights, then what all neurons share, on as many spikes as that takes."""
    some = Costs.of(problem, on_all_data=False)
    first = (scoring_step, some.on_spikes(n_passes=2, n_traces=2))
    further = (scoring_step, scoring_step, prior_step, scoring_step, prior_step)
    step = some.on_spikes(n_passes=1)
    stages: list[Stage] = [StepSequence("first weights", (first, *each(step, *further)))]
    if problem.settings.rotated_by is not None:
        gains = (partial(try_gain, gain=gain) for gain in GAINS)
        stages.append(StepSequence("rotation", each(_work_of_gain(some), *gains)))
    if problem.settings.tau_s is None:
        coarse = partial(refine_kernel, width=_COARSE)
        search = (_find_time_constant, some.on_spikes(n_passes=11, n_traces=3))
        stages.append(StepSequence("synaptic kernel", (search, (coarse, _work_of_kernel(some)))))
    if problem.settings.rotated_by is not None:
        stages.append(GainRefinement(_work_of_gain(some)))
    if problem.learns_link:
        stages.append(StepSequence("link", _link_search(some)))
    if problem.settings.tau_s is None:
        stages.append(StepSequence("synaptic kernel", _kernel_search(some)))
    return stages


def _link_search(some: Costs) -> Steps:
    powers = tuple(partial(_try_power, power=power) for power in FURTHER_POWERS)
    return (
        (_climb_bends, some.on_spikes(n_passes=18)),
        *each(some.on_spikes(n_passes=11), *powers, refine_link),
    )


def _kernel_search(some: Costs) -> Steps:
    return (
        (partial(refine_kernel, width=_FINE), _work_of_kernel(some)),
        (_try_latencies, some.on_spikes(n_passes=6, n_traces=3)),
        (_try_second_exponential, some.on_spikes(n_passes=7, n_traces=3)),
    )


def refining_steps(problem: Problem, costs: Costs) -> Steps:
    """The same again from where a fit is: the link, and the kernel where none is given."""
    steps: list[tuple[Step, Work]] = []
    if problem.learns_link:
        steps.append((refine_link, costs.on_spikes(n_passes=11)))
    if problem.settings.tau_s is None:
        steps.append((partial(refine_kernel, width=_FINE), _work_of_kernel(costs)))
    return tuple(steps)


def _work_of_kernel(costs: Costs) -> Work:
    return costs.on_spikes(n_passes=6, n_traces=3)


def _work_of_gain(costs: Costs) -> Work:
    return costs.on_spikes(n_passes=_STEPS_WITH_ROTATION + 1, n_traces=1)


# -- where it starts --


def first_state(problem: Problem) -> FitState:
    """No connection, the first shape of the link, a single exponential, and no rotation."""
    settings, recording = problem.settings, problem.recording
    tau_s = settings.tau_s or max(FIRST_TAU_S, recording.time_resolution_s)
    kernel = SynapticKernel.exponential(tau_s)
    inputs = SynapticInputs(kernel=kernel, rotation=_no_rotation(problem))
    current = problem.scored(_unconnected(problem, inputs))
    assert current.held_out is not None
    return FitState(current=current, held_out_bits=current.held_out.bits_per_spike)


def _unconnected(problem: Problem, inputs: SynapticInputs) -> Candidate:
    traces, decides = problem.training(inputs, on_all_data=False), problem.decides
    rate_hz = traces.n_spikes[decides].sum() / traces.exposure_s / decides.sum()
    link = problem.first_link.link(float(np.log(rate_hz + 1e-3)))
    parameters = without_connections(traces, link, decides)
    return Candidate(parameters=parameters, inputs=inputs, on_all_data=False)


def _no_rotation(problem: Problem) -> Rotation | None:
    """The rotation from which the search for its gain starts, where an input may rotate."""
    if problem.settings.rotated_by is None:
        return None
    places, n_places = ring_layout(problem.recording.preferred_angle_rad)
    covariate = problem.settings.rotated_by
    return Rotation(covariate=covariate, gain=0.0, places=places, n_places=n_places)


# -- the link --


def _climb_bends(problem: Problem, state: FitState) -> FitState:
    """Sharper bends as long as the training spikes become likelier, else softer ones."""
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
    return replace(state, current=problem.scored(_settled_link(problem, best.candidate)))


def _try_power(problem: Problem, state: FitState, power: float) -> FitState:
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


# -- the synaptic kernel --


def _find_time_constant(problem: Problem, state: FitState) -> FitState:
    """Longer time constants as long as the training spikes become likelier, else shorter ones."""
    first = best = tried_kernel(problem, state.current, state.current.inputs.kernel)
    for factor in (_FARTHER, 1.0 / _FARTHER):
        while True:
            kernel = best.candidate.inputs.kernel
            further = kernel.at((kernel.coordinates[0] + np.log(factor),), _shortest_s(problem))
            if further == kernel:
                break
            trial = tried_kernel(problem, best.candidate, further, _FAR)
            if not trial.nats > best.nats:
                break
            best = trial
        if best is not first:
            break
    return replace(state, current=problem.scored(best.candidate))


def refine_kernel(problem: Problem, state: FitState, width: float) -> FitState:
    """Take each of the kernel's coordinates to where the training spikes are likeliest."""
    current = state.current
    for k in range(len(current.inputs.kernel.coordinates)):
        trial = partial(_tried_coordinate, problem, current, k)
        here = Tried(problem.log_evidence(current), current)
        current = at_vertex(here, trial, width).candidate
    return replace(state, current=problem.scored(current))


def _tried_coordinate(problem: Problem, candidate: Candidate, k: int, change: float) -> Tried:
    """The candidate with one coordinate of its kernel changed."""
    kernel = candidate.inputs.kernel
    coordinates = np.array(kernel.coordinates)
    coordinates[k] += change
    return tried_kernel(problem, candidate, kernel.at(coordinates, _shortest_s(problem)))


def _try_latencies(problem: Problem, state: FitState) -> FitState:
    """Longer latencies as long as the training spikes become likelier."""
    best = first = tried_kernel(problem, state.current, state.current.inputs.kernel)
    for latency_s in _LATENCIES_S:
        if latency_s < problem.recording.time_resolution_s:
            continue
        delayed = replace(best.candidate.inputs.kernel, latency_s=latency_s)
        trial = tried_kernel(problem, best.candidate, delayed)
        if not trial.nats > best.nats:
            break
        best = trial
    if best is first:
        return state
    refined = refine_kernel(problem, replace(state, current=best.candidate), _FINE)
    return replace(state, current=_of_kind(problem, refined.current, state.current))


def _try_second_exponential(problem: Problem, state: FitState) -> FitState:
    """A second exponential, shorter or longer than the first."""
    kernel = state.current.inputs.kernel
    best = first = tried_kernel(problem, state.current, kernel)
    for factor, share in _SECOND_EXPONENTIALS:
        taus_s = (*kernel.taus_s, kernel.taus_s[0] * factor)
        mixed = replace(kernel, taus_s=taus_s, shares=(1.0 - share, share))
        mixed = mixed.at(mixed.coordinates, _shortest_s(problem))
        trial = tried_kernel(problem, first.candidate, mixed)
        best = trial if trial.nats > best.nats else best
    if best is first:
        return state
    refined = replace(state, current=best.candidate)
    for width in (_COARSE, _FINE):
        refined = refine_kernel(problem, refined, width)
    return replace(state, current=_of_kind(problem, refined.current, state.current))


def _of_kind(problem: Problem, richer: Candidate, plain: Candidate) -> Candidate:
    """The richer kernel where training and held-out spikes both speak for it (after BIC)."""
    more = richer.inputs.kernel.n_parameters - plain.inputs.kernel.n_parameters
    n_spikes = problem.estimate(plain).derivatives.n_spikes.sum()
    gained = problem.log_evidence(richer) - problem.log_evidence(plain)
    richer, plain = problem.scored(richer), problem.scored(plain)
    agrees = gained > 0.5 * more * np.log(n_spikes) and nats_of(richer) > nats_of(plain)
    return richer if agrees else plain


def _shortest_s(problem: Problem) -> float:
    return problem.recording.time_resolution_s


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

    def work(self, state: FitState, step: int) -> Work:  # noqa: ARG002
        """The same for every factor."""
        return self._work
