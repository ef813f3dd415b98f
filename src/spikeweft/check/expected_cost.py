"""Expected time and memory of a fit: its steps' work, at the pace of a quick fit's."""

from spikeweft.check.expected_error import Pilot, plain_settings
from spikeweft.check.findings import Finding, Severity
from spikeweft.circuit_gnn.estimator import neurons_that_fire
from spikeweft.circuit_gnn.fitting.expected_cost import Cost, Measured
from spikeweft.circuit_gnn.fitting.expected_cost import expected_cost as expected_cost_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.data.file_contents.sentences import lasting
from spikeweft.data.holdout import HISTORY_WINDOW_S, TEST_FRACTION, VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.runtime.memory import available_memory_mb, gigabytes, memory_in_use_mb
from spikeweft.runtime.parallel import n_processors

_UNMEASURED = ", and no quick fit has measured how fast this machine is"


def expected_cost(recording: Recording, quick: Pilot | None) -> Cost:
    """Cost of fitting `CircuitGNN` on this machine, as `infer` does.

    Where no quick fit was possible, time is that of the machine on which work was measured.
    """
    training, held_out = split(split(recording, TEST_FRACTION)[0], VALIDATION_FRACTION)
    fires = neurons_that_fire(training, HISTORY_WINDOW_S)
    problem = Problem(training.select(fires), held_out.select(fires), plain_settings())
    measured = None if quick is None else Measured(state=quick.state, pace=quick.pace)
    return expected_cost_of(problem, measured=measured)


def cost(recording: Recording, quick: Pilot | None) -> Finding:
    """Whether there is enough memory and time."""
    expected = expected_cost(recording, quick)
    available_mb = memory_in_use_mb() + available_memory_mb()
    severity = _severity(expected, available_mb)
    return Finding(
        topic="time and memory",
        severity=severity,
        summary=f"A fit of CircuitGNN will take about {lasting(expected.seconds)} and "
        f"{gigabytes(expected.memory_mb)} of memory on this machine, which has "
        f"{gigabytes(available_mb)} for it; both are rough{'' if quick else _UNMEASURED}. "
        "`infer` also fits SynapseModel and a Poisson GLM, of which this is not the time.",
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


def _severity(expected: Cost, available_mb: float) -> Severity:
    if expected.memory_mb > available_mb:
        return Severity.PROBLEM
    if expected.seconds > 12 * 3600:
        return Severity.WARNING
    if expected.memory_mb > 0.7 * available_mb or expected.seconds > 3600:
        return Severity.NOTE
    return Severity.FINE
