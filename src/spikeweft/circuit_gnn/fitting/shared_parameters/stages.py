"""What all neurons share: the link function, the synaptic kernel, and how an input rotates all.

These few numbers are informed by all spikes, so the training spikes themselves determine them
(`link_search`, `kernel_search`): as many as it takes lead to the right place, and there all of them
refine it. Held-out spikes choose only between kinds of kernels, and whether and how far an input
rotates (`rotation_search`).
"""

from dataclasses import replace
from functools import partial

import numpy as np

from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.kernel_search import (
    COARSE,
    FINE,
    find_time_constant,
    refine_kernel,
    try_latencies,
    try_second_exponential,
)
from spikeweft.circuit_gnn.fitting.shared_parameters.link_search import (
    FURTHER_POWERS,
    climb_bends,
    refine_link,
    try_power,
)
from spikeweft.circuit_gnn.fitting.shared_parameters.rotation_search import (
    GAINS,
    GainRefinement,
    try_gain,
    work_of_gain,
)
from spikeweft.circuit_gnn.fitting.stage import (
    Stage,
    Step,
    Steps,
    StepSequence,
    each,
    prior_step,
    scoring_step,
)
from spikeweft.circuit_gnn.fitting.work import Costs, Work
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import without_connections
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation, ring_layout
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel

FIRST_TAU_S = 0.01
"""The time constant from which the search starts."""


def shared_stages(problem: Problem) -> list[Stage]:
    """The first weights, then what all neurons share, on as many spikes as that takes."""
    some = Costs.of(problem, on_all_data=False, n_neurons=problem.n_searched)
    first = (scoring_step, some.on_spikes(n_passes=2, n_traces=2))
    further = (scoring_step, scoring_step, prior_step, scoring_step, prior_step)
    step = some.on_spikes(n_passes=1)
    stages: list[Stage] = [StepSequence("first weights", (first, *each(step, *further)))]
    if problem.settings.rotated_by is not None:
        gains = (partial(try_gain, gain=gain) for gain in GAINS)
        stages.append(StepSequence("rotation", each(work_of_gain(some), *gains)))
    if problem.settings.tau_s is None:
        coarse = partial(refine_kernel, width=COARSE)
        search = (find_time_constant, some.on_spikes(n_passes=22, n_traces=3))
        stages.append(StepSequence("synaptic kernel", (search, (coarse, _work_of_kernel(some)))))
    if problem.settings.rotated_by is not None:
        stages.append(GainRefinement(work_of_gain(some)))
    if problem.learns_link:
        stages.append(StepSequence("link function", _link_search(some)))
    if problem.settings.tau_s is None:
        stages.append(StepSequence("synaptic kernel, refined", _kernel_search(some)))
    return stages


def _link_search(some: Costs) -> Steps:
    powers = tuple(partial(try_power, power=power) for power in FURTHER_POWERS)
    return (
        (climb_bends, some.on_spikes(n_passes=18)),
        *each(some.on_spikes(n_passes=11), *powers, refine_link),
    )


def _kernel_search(some: Costs) -> Steps:
    return (
        (partial(refine_kernel, width=FINE), _work_of_kernel(some)),
        (try_latencies, some.on_spikes(n_passes=9, n_traces=3)),
        (try_second_exponential, some.on_spikes(n_passes=10, n_traces=3)),
    )


def refining_steps(problem: Problem, costs: Costs) -> Steps:
    """The same again from where a fit is: the link, and the kernel where none is given."""
    steps: list[tuple[Step, Work]] = []
    if problem.learns_link:
        steps.append((refine_link, costs.on_spikes(n_passes=11)))
    if problem.settings.tau_s is None:
        steps.append((partial(refine_kernel, width=FINE), _work_of_kernel(costs)))
    return tuple(steps)


def _work_of_kernel(costs: Costs) -> Work:
    return costs.on_spikes(n_passes=6, n_traces=3)


# -- where it starts --


def first_state(problem: Problem) -> FitState:
    """No connection, the first shape of the link, a single exponential, and no rotation."""
    settings, recording = problem.settings, problem.recording
    tau_s = settings.tau_s or max(FIRST_TAU_S, recording.time_resolution_s)
    kernel = SynapticKernel.exponential(tau_s)
    rotation = _no_rotation(problem)
    inputs = SynapticInputs(
        kernel=kernel,
        mean_rate_hz=problem.mean_rate_hz,
        refractoriness=problem.refractoriness,
        rotation=rotation,
    )
    current = problem.scored(_unconnected(problem, inputs))
    assert current.held_out is not None
    return FitState(current=current, held_out_bits=current.held_out.bits_per_spike)


def _unconnected(problem: Problem, inputs: SynapticInputs) -> Candidate:
    traces = problem.training(inputs, on_all_data=False, n_neurons=problem.n_searched)
    decides = problem.decides_of_searched
    rate_hz = traces.n_spikes[decides].sum() / traces.exposure_s / decides.sum()
    link = problem.first_link.link(float(np.log(rate_hz + 1e-3)))
    parameters = without_connections(traces, link, decides)
    parameters = replace(parameters, has_own_column=False)
    return Candidate(parameters=parameters, inputs=inputs, on_all_data=False)


def _no_rotation(problem: Problem) -> Rotation | None:
    """The rotation from which the search for its gain starts, where an input may rotate."""
    if problem.settings.rotated_by is None:
        return None
    places, n_places = ring_layout(problem.recording.preferred_angle_rad)
    covariate = problem.settings.rotated_by
    return Rotation(covariate=covariate, gain=0.0, places=places, n_places=n_places)
