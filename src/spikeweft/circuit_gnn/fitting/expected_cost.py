"""Time and memory that a fit is expected to take, before anything is computed."""

from dataclasses import dataclass

from spikeweft.circuit_gnn.fitting.circuit_fit import stages_of
from spikeweft.circuit_gnn.fitting.fit_state import FitState
from spikeweft.circuit_gnn.fitting.needed_memory import needed_memory_mb
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.work import Pace, Work
from spikeweft.runtime.memory import memory_in_use_mb
from spikeweft.runtime.workers import HERE, Workers


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and memory of this process that a fit is expected to take, with what it has already."""

    seconds: float
    memory_mb: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A quick fit that was made: where it ended, and how fast this machine is."""

    state: FitState
    pace: Pace


def expected_cost(
    problem: Problem, workers: Workers = HERE, measured: Measured | None = None
) -> Cost:
    """Cost of a fit: the forecast with which its progress begins.

    Without a quick fit, time is that of the machine on which the seconds of each kind of work were
    measured.
    """
    state = None if measured is None else measured.state
    work = sum((stage.work_left(state) for stage in stages_of(problem, workers)), Work())
    known_s = None if measured is None else measured.pace.seconds(work)
    return Cost(
        seconds=work.on_spikes_s + work.on_networks_s if known_s is None else known_s,
        memory_mb=memory_in_use_mb() + needed_memory_mb(problem),
    )
