"""Every circuit of a study beside its controls, in numbers."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_agreement import Pairs, agreement
from spikeweft.head_direction.angular_profile import Evidence, contrast, known_as
from spikeweft.head_direction.controls import evidence, leave_neurons_out, profile_agreement
from spikeweft.head_direction.study import ERRORS_DEG, Findings


class Judged(NamedTuple):
    """A circuit, its name, and its evidence."""

    model: str
    n_hidden: int
    direction_known: bool
    circuit: Connectivity
    uncoupled: list[Connectivity]
    evidence: Evidence


class Repeat(NamedTuple):
    """Agreement of a circuit with another, or with left-out neurons, and that of tuning alone."""

    what: str
    value: float
    tuning_alone: float


REGRESSION = "Poisson regression"

OURS = "CircuitGNN"


def judged(findings: Findings) -> list[Judged]:
    """All circuits that have a control from tuning alone, inferred in the same way."""
    rng = np.random.default_rng([findings.study.seed, 3])
    sound = findings.prepared.sound
    rows = [
        (REGRESSION, 0, direction_known, circuit, findings.quick_uncoupled[direction_known])
        for direction_known, circuit in findings.quick.items()
    ]
    rows += [
        (OURS, n, direction_known, fit.circuit, findings.uncoupled[n, direction_known])
        for (n, direction_known), fit in findings.fits.items()
    ]
    return [Judged(*row, evidence(row[3], row[4], sound, rng)) for row in rows]


class DirectionErrorContrast(NamedTuple):
    """The contrast of surrogates that follow a direction with this error.

    It is no share of a recorded contrast that does not exceed the spread of its controls: NaN.
    """

    model: str
    error_deg: float
    contrast: float
    share_of_recorded: float


def direction_error_contrasts(
    findings: Findings, circuits: Sequence[Judged]
) -> list[DirectionErrorContrast]:
    """The contrasts that an error of the recorded direction alone would explain."""
    rows = []
    for model, followed in (
        (REGRESSION, findings.direction_error.quick),
        (OURS, findings.direction_error.fitted),
    ):
        recorded = fewest_hidden(circuits, model)
        whole, spread = recorded.evidence.observed.value, recorded.evidence.spread
        for error_deg, circuit in zip(ERRORS_DEG, followed, strict=True):
            known = known_as(circuit, recorded.circuit)
            value = contrast(known, findings.prepared.sound).value
            share = value / whole if whole > spread else float("nan")
            rows.append(DirectionErrorContrast(model, error_deg, value, share))
    return rows


def fewest_hidden(circuits: Sequence[Judged], model: str) -> Judged:
    """The circuit of a model that is judged: the direction known, the fewest hidden neurons."""
    known = [row for row in circuits if row.model == model and row.direction_known]
    return min(known, key=lambda row: row.n_hidden)


def repeats(findings: Findings) -> list[Repeat]:
    """Correlations between halves, with neurons left out, with other data, between methods."""
    sound = findings.prepared.sound
    rows = []
    for direction_known in (False, True):
        known = ", direction known" if direction_known else ""
        drawn = findings.quick_uncoupled[direction_known]
        rows.append(
            Repeat(
                f"{REGRESSION}{known}: weights of the two halves",
                _of_halves(findings.quick_halves[direction_known], sound),
                _of_halves(findings.quick_uncoupled_halves[direction_known], sound),
            )
        )
        rows.append(
            Repeat(
                f"{REGRESSION}{known}: weights of neurons left out, from the others' profile",
                leave_neurons_out(findings.quick[direction_known], sound).correlation,
                float(np.mean([leave_neurons_out(c, sound).correlation for c in drawn])),
            )
        )
    rows.append(
        Repeat(
            f"{OURS}: weights of the two halves",
            _of_halves(findings.halves, sound),
            float("nan"),
        )
    )
    return [*rows, *_fits(findings), *_elsewhere(findings)]


def _of_halves(halves: Sequence[Connectivity], sound: Pairs) -> float:
    first, second = halves
    return agreement(first, second, sound)


def _fits(findings: Findings) -> list[Repeat]:
    sound = findings.prepared.sound
    return [
        Repeat(
            f"{OURS}, {n} hidden: weights with and without the direction",
            agreement(findings.fits[n, False].circuit, findings.fits[n, True].circuit, sound),
            float("nan"),
        )
        for n in findings.study.n_hidden
    ]


def _elsewhere(findings: Findings) -> list[Repeat]:
    sound, wake = findings.prepared.sound, findings.quick[False]
    rows = []
    for other in findings.elsewhere:
        rows.append(
            Repeat(
                f"{other.name}: weights of the regression with those of the recording",
                agreement(wake, other.circuit, sound),
                float("nan"),
            )
        )
        rows.append(
            Repeat(
                f"{other.name}: profile of the regression with that of the recording",
                profile_agreement(wake, other.circuit, sound),
                float("nan"),
            )
        )
        rows.append(
            Repeat(
                f"{other.name}: bits per spike of the recording's {OURS} over constant rates",
                float(np.nanmean(other.bits)),
                float("nan"),
            )
        )
    return rows
