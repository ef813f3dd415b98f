"""Expected time and memory of a fit: its steps' work, at the pace of a quick fit's."""

from dataclasses import dataclass

from spikeweft.check.expected_error import Pilot, plain_settings
from spikeweft.check.findings import Finding, Severity, lasting
from spikeweft.circuit_gnn.estimator import neurons_that_fire
from spikeweft.circuit_gnn.fitting.circuit_fit import stages_of
from spikeweft.circuit_gnn.fitting.needed_memory import needed_memory_mb
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.work import Work
from spikeweft.data.holdout import HISTORY_WINDOW_S, TEST_FRACTION, VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.runtime.memory import available_memory_mb, memory_in_use_mb
from spikeweft.runtime.parallel import n_processors


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Time and memory that a fit is expected to take, with what is in memory already."""

    seconds: float
    memory_mb: float


def expected_cost(recording: Recording, quick: Pilot) -> Cost:
    """Cost of fitting `CircuitGNN` on this machine: the forecast with which its progress begins."""
    training, held_out = split(split(recording, TEST_FRACTION)[0], VALIDATION_FRACTION)
    fires = neurons_that_fire(training, HISTORY_WINDOW_S)
    problem = Problem(training.select(fires), held_out.select(fires), plain_settings())
    work = sum((stage.work_left(quick.state) for stage in stages_of(problem)), Work())
    return Cost(
        seconds=quick.pace.seconds(work) or 0.0,
        memory_mb=memory_in_use_mb() + needed_memory_mb(problem),
    )


def cost(recording: Recording, quick: Pilot) -> Finding:
    """Whether there is enough memory and time."""
    expected = expected_cost(recording, quick)
    available_mb = memory_in_use_mb() + available_memory_mb()
    severity = Severity.FINE
    if expected.memory_mb > 0.7 * available_mb or expected.seconds > 3600:
        severity = Severity.NOTE
    if expected.seconds > 12 * 3600:
        severity = Severity.WARNING
    if expected.memory_mb > available_mb:
        severity = Severity.PROBLEM
    return Finding(
        topic="time and memory",
        severity=severity,
        summary=f"A fit will take about {lasting(expected.seconds)} and "
        f"{expected.memory_mb / 1024:.2g} GB of memory on this machine, which has "
        f"{available_mb / 1024:.2g} GB for it; both are rough.",
        remedy="Fit fewer neurons or the first minutes (--minutes), or use a larger machine."
        if severity > Severity.FINE
        else "",
        numbers={
            "seconds": expected.seconds,
            "memory_mb": expected.memory_mb,
            "available_memory_mb": available_mb,
            "processors": n_processors(),
        },
    )
