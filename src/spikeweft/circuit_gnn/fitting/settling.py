"""Settling: all else is fitted to weights that stay as they are, because a network gave them.

That is own history, covariates, bias, the link, a scale of all weights and, where asked for, the
synaptic kernel. Fixed weights are one drive, so no trace of any other neuron is needed; and as few
parameters are found near enough by a part of the spikes, all of them, or as many as there is memory
for, only take the last steps.
"""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from spikeweft.circuit_gnn.fitting.fit_state import Candidate
from spikeweft.circuit_gnn.fitting.problem import SPIKES_TO_EXPLORE, Problem
from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import (
    CollapsedTraces,
    Drives,
    collapsed,
    drives,
    expanded,
    kernel_change,
    n_bytes_collapsed,
)
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import LARGEST_LINK_STEP
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    NeuronParameters,
    evaluate,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import n_quadrature_times

_MOST_STEPS, _MOST_FAILED_STEPS = 16, 2
_HARDLY_GAINED = 2
"""Steps in a row that gain hardly anything before a fit has settled: one may be held short."""

_SETTLED_NATS, _SETTLED_PER_SPIKE = 0.5, 2e-6
_NEARLY_UNDAMPED = 1e-6

_KERNEL_CHANGE = 0.05
"""How far a drive is taken to be linear in a coordinate of the synaptic kernel."""

_MOST_KERNELS = 2

_MOST_DRIVES = 1 + 4
"""The drive that weights give, and its changes with each coordinate of the richest kernel."""

MOST_COLLAPSED_BYTES = 2_000_000_000
"""Of recordings whose collapsed traces would take more, every n-th spike and time is enough."""


Climb = Callable[[Problem, CollapsedTraces, NeuronParameters], NeuronParameters]
"""A way up the penalised likelihood, until nothing is gained."""


def settled(problem: Problem, candidate: Candidate, with_kernel: bool = False) -> Candidate:
    """The candidate with its weights as they are, and all else fitted to them."""
    if with_kernel:
        for _ in range(_MOST_KERNELS):
            candidate, change = _settled(
                problem, candidate, _kernel_drives(problem, candidate), _climbed
            )
            candidate = _with_moved_kernel(problem, candidate, change)
            if np.abs(change).max() < _KERNEL_CHANGE:
                return candidate
    return _settled(problem, candidate, [], _climbed)[0]


def settled_at_link(problem: Problem, candidate: Candidate) -> Candidate:
    """The same where what all share stays, too."""
    return _settled(problem, candidate, [], _climbed_at_link)[0]


def _settled(
    problem: Problem,
    candidate: Candidate,
    changes: list[list[Drives]],
    climbed: Climb,
) -> tuple[Candidate, Float[np.ndarray, " coordinate"]]:
    """The settled candidate, and how far the coordinates of its kernel would then go."""
    parameters, training = candidate.parameters, problem.training_of(candidate)
    thinned = _thinned_to(problem, candidate)
    given = drives(training, parameters.weights, thinned)
    traces = CollapsedTraces.of(training, parameters.n_sources, [given, *changes], thinned)
    found = collapsed(parameters, len(changes))
    every = int(traces.n_spikes.mean()) // SPIKES_TO_EXPLORE
    if every > 1:
        found = climbed(problem, traces.thinned(every), found)
    found = climbed(problem, traces, found)
    reached = expanded(found, parameters).with_careful_steps()
    return replace(candidate, parameters=reached, held_out=None), kernel_change(found)


def _thinned_to(problem: Problem, candidate: Candidate) -> int:
    """Of how many spikes and quadrature times there is room for one, collapsed."""
    recording = problem.recording_of(candidate.on_all_data)
    evenly, tau_s = problem.settings.n_hidden > 0, candidate.inputs.quadrature_tau_s
    n_times = n_quadrature_times(recording, evenly=evenly, tau_s=tau_s)
    n_spikes = recording.n_spikes[: candidate.n_neurons]
    stay = problem.training_of(candidate).are_kept
    n_bytes = n_bytes_collapsed(n_spikes, n_times, _MOST_DRIVES, stay)
    return max(1, math.ceil(n_bytes / MOST_COLLAPSED_BYTES))


def _climbed(
    problem: Problem, traces: CollapsedTraces, start: NeuronParameters
) -> NeuronParameters:
    """Parameters after steps of all neurons, and of these and the link, until nothing is gained."""
    scoring, enough = problem.scoring, hardly_any_nats(traces.n_spikes)
    estimate = evaluate(traces, start.with_careful_steps(_NEARLY_UNDAMPED))
    estimate = scoring.step(traces, estimate)
    n_failed = n_hardly = 0
    for _ in range(_MOST_STEPS):
        before, radius = estimate.shared_penalised, estimate.link_radius
        estimate = scoring.joint_step(traces, estimate)
        n_failed = n_failed + 1 if estimate.link_radius < radius else 0
        if n_failed:
            estimate = scoring.step(traces, estimate)
        went_far = n_failed == 0 and estimate.link_radius >= LARGEST_LINK_STEP
        n_hardly = n_hardly + 1 if estimate.shared_penalised - before < enough else 0
        estimate = estimate.with_estimated_history()
        if n_hardly >= _HARDLY_GAINED and (went_far or n_failed >= _MOST_FAILED_STEPS):
            break
    return estimate.parameters


def _climbed_at_link(
    problem: Problem, traces: CollapsedTraces, start: NeuronParameters
) -> NeuronParameters:
    """Parameters after steps of all neurons, with what they share as it is."""
    scoring, enough = problem.scoring, hardly_any_nats(traces.n_spikes)
    estimate, n_hardly = evaluate(traces, start.with_careful_steps(_NEARLY_UNDAMPED)), 0
    for _ in range(_MOST_STEPS):
        before = estimate.penalised
        estimate = scoring.step(traces, estimate)
        gain = np.sum(estimate.penalised - before)
        n_hardly = n_hardly + 1 if gain < enough else 0
        if n_hardly >= _HARDLY_GAINED:
            break
    return estimate.parameters


def hardly_any_nats(n_spikes: Int[np.ndarray, " neuron"]) -> float:
    """A gain of so little for so many spikes is the end of a fit's steps."""
    return _SETTLED_NATS + _SETTLED_PER_SPIKE * float(n_spikes.sum())


# -- the synaptic kernel --


def _kernel_drives(problem: Problem, candidate: Candidate) -> list[list[Drives]]:
    """How the drive that fixed weights give changes with each coordinate of the kernel."""
    kernel, changes = candidate.inputs.kernel, []
    thinned = _thinned_to(problem, candidate)
    for k in range(len(kernel.coordinates)):
        both = []
        for change in (-_KERNEL_CHANGE, _KERNEL_CHANGE):
            moved = problem.with_kernel(candidate, kernel.moved(k, change))
            training = problem.training_of(moved)
            both.append(drives(training, moved.parameters.weights, thinned))
        changes.append([_slope(*ends) for ends in zip(*both, strict=True)])
    return changes


def _slope(low: Drives, high: Drives) -> Drives:
    """Change of a drive with a coordinate of the kernel, in the memory of the higher one."""
    width = np.float32(2.0 * _KERNEL_CHANGE)
    for above, below in zip(high, low, strict=True):
        np.subtract(above, below, out=above)
        above /= width
    return high


def _with_moved_kernel(
    problem: Problem, candidate: Candidate, change: Float[np.ndarray, " coordinate"]
) -> Candidate:
    kernel, shortest_s = candidate.inputs.kernel, problem.recording.time_resolution_s
    moved = kernel.at(np.array(kernel.coordinates) + change, shortest_s)
    return problem.with_kernel(candidate, moved)
