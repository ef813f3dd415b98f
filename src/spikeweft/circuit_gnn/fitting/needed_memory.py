"""How much memory a fit takes, and whether there is enough, before anything is computed."""

import math

from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.settling import MOST_COLLAPSED_BYTES
from spikeweft.circuit_gnn.spike_prediction.collapsed_traces import n_bytes_collapsed
from spikeweft.circuit_gnn.spike_prediction.model_inputs import (
    LARGEST_PART_BYTES,
    MOST_KEPT_BYTES,
    n_bytes_of_traces,
    n_features_of,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.quadrature import (
    SLOWEST_TAU_S,
    dense_enough_for_s,
    n_quadrature_times,
)
from spikeweft.data.recording import Recording
from spikeweft.runtime.memory import MIB, available_memory_mb, check_room
from spikeweft.runtime.workers import HERE, Workers

_MATRICES = 12
"""Matrices of every neuron's curvature that are held at a time, in single precision (counted)."""

_OF_HIDDEN_AT_TIMES = 3
"""Numbers of each hidden neuron at a quadrature time: its rate, a state and its trace."""

_DRIVES = 4
"""Drives held at a time: of the weights, at both ends of a change of the kernel, and one more."""


def needed_memory_mb(problem: Problem) -> float:
    """Memory in MiB that a fit takes beside what is in use already.

    Traces, those of hidden neurons too, and curvatures; and the first once more, collapsed, while
    all else settles to weights.
    """
    n_features = n_features_of(problem.recording, problem.settings)
    traces = sum(_held_bytes(problem, part) for part in (problem.recording, problem.held_out))
    curvatures = 4 * _MATRICES * problem.n_at_a_time * n_features**2
    return (traces + _hidden_bytes(problem) + _collapsed_bytes(problem) + curvatures) / MIB


def check_memory(problem: Problem, workers: Workers = HERE) -> None:
    """Refuse a fit for which there surely is too little memory, here or where workers are.

    Raises
    ------
    InputError
        Where there is.
    """
    what, needed_mb = f"a fit of {problem.recording.n_neurons:,} neurons", needed_memory_mb(problem)
    remedy = "fit fewer neurons, or use a larger machine"
    check_room(what, needed_mb, available_memory_mb(), remedy)
    if problem.is_by_blocks and workers is not HERE:
        n_blocks = math.ceil(problem.recording.n_neurons / problem.n_at_a_time) - 1
        what = f"each of {workers.number()} workers, for a block of {problem.n_at_a_time} neurons,"
        remedy = "use fewer workers on each machine, or larger machines"
        check_room(what, needed_mb, workers.available_memory_mb(n_blocks), remedy)


def _held_bytes(problem: Problem, part: Recording) -> int:
    n_bytes = _trace_bytes(problem, part)
    return n_bytes if n_bytes <= MOST_KEPT_BYTES else LARGEST_PART_BYTES


def _hidden_bytes(problem: Problem) -> float:
    """Of what hidden neurons send and of its states, at spikes and at quadrature times."""
    n_times = n_quadrature_times(problem.recording, evenly=True)
    n_rows = int(problem.recording.n_spikes.sum()) + _OF_HIDDEN_AT_TIMES * n_times
    return 4.0 * problem.settings.n_hidden * n_rows


def _collapsed_bytes(problem: Problem) -> float:
    training = problem.recording
    evenly, tau_s = _quadrature(problem)
    n_times = n_quadrature_times(training, evenly=evenly, tau_s=tau_s)
    n_spikes = training.n_spikes[: problem.n_at_a_time]
    stay = _trace_bytes(problem, training) <= MOST_KEPT_BYTES
    n_bytes = n_bytes_collapsed(n_spikes, n_times, _DRIVES, stay)
    return min(n_bytes, MOST_COLLAPSED_BYTES)


def _trace_bytes(problem: Problem, part: Recording) -> int:
    return n_bytes_of_traces(part, problem.settings, problem.n_at_a_time, *_quadrature(problem))


def _quadrature(problem: Problem) -> tuple[bool, float]:
    """Whether quadrature times lie evenly, and for which time constant they are dense enough."""
    settings = problem.settings
    return settings.n_hidden > 0, dense_enough_for_s(settings.tau_s or SLOWEST_TAU_S)
