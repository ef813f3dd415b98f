"""What the report's figures and texts are made from: a result, with missing metrics allowed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.reporting.ordering import NeuronOrder, neuron_order
from spikeweft.results.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A result as the report shows it.

    Attributes
    ----------
    result
        The result itself.
    inferred, glm, truth
        Its circuits, with the neurons' positions where any of them knows these. Where the truth
        is known, the others are multiplied by their scale, so all are in the truth's unit.
    order
        The order in which every figure shows the neurons.
    scale, glm_scale
        The α that brings a circuit closest to the truth (Das & Fiete 2020, eq. 4); 1 where the
        truth is not known.
    """

    result: Result
    inferred: Connectivity
    glm: Connectivity | None
    truth: Connectivity | None
    order: NeuronOrder
    scale: float
    glm_scale: float

    @classmethod
    def of(cls, result: Result) -> Self:
        """The view of a result."""
        truth, glm = result.truth, result.glm
        known = (
            result.connectivity.angle_rad,
            None if truth is None else truth.angle_rad,
            result.sample.preferred_angle_rad,
        )
        angle = next((angle for angle in known if angle is not None), None)
        scale, glm_scale = _scale(result.connectivity, truth), _scale(glm, truth)
        inferred = _scaled(result.connectivity, scale, angle)
        return cls(
            result=result,
            inferred=inferred,
            glm=None if glm is None else _scaled(glm, glm_scale, angle),
            truth=None if truth is None else _scaled(truth, 1.0, angle),
            order=neuron_order(inferred),
            scale=scale,
            glm_scale=glm_scale,
        )

    def number(self, name: str) -> float | None:
        """A metric, where it is there and finite."""
        return self.result.number(name)

    def statement(self, name: str) -> str | None:
        """A metric that is a sentence or a part of one."""
        value = self.result.metrics.get(name)
        return value if isinstance(value, str) else None

    def per_neuron(self, name: str) -> Float[np.ndarray, " neuron"] | None:
        """A metric with one number per neuron, NaN where one is missing."""
        return self.result.per_neuron(name)

    @property
    def direction(self) -> Covariate | None:
        """The animal's direction during the sample: the one covariate that is an angle."""
        angles = [c for c in self.result.sample.covariates.values() if c.is_angle]
        return angles[0] if len(angles) == 1 and self.order.angle_rad is not None else None

    @property
    def has_errors(self) -> bool:
        """Whether some weight comes with a standard error above 0."""
        error = self.inferred.standard_error
        return error is not None and bool(np.any(error[self.inferred.informed] > 0))

    @property
    def weight_name(self) -> str:
        """What weights are called: where the truth is known, they are in its unit."""
        return "weight" if self.truth is None else "weight × α"

    @property
    def n_uninformed_pairs(self) -> int:
        """Pairs about whose weight the spikes say less than what is assumed beforehand."""
        return int(self.inferred.off_diagonal.sum() - self.inferred.informed.sum())


def flat(content: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Names and values of nested provenance as text, in reading order."""
    rows: list[tuple[str, str]] = []
    for key, value in content.items():
        name = f"{prefix}{key}".replace("_", " ")
        if isinstance(value, Mapping):
            rows += flat(value, f"{name}: ")
        elif isinstance(value, (list, tuple)):
            rows.append((name, " ".join(str(part) for part in value)))
        else:
            rows.append((name, _text(value)))
    return rows


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _scale(circuit: Connectivity | None, truth: Connectivity | None) -> float:
    """The α of a circuit; 1 where there is no truth, or no connection to be scaled."""
    if circuit is None or truth is None:
        return 1.0
    if not all(np.any(c.weights[c.off_diagonal]) for c in (circuit, truth)):
        return 1.0
    return inference_error(circuit, truth).scale


def _scaled(circuit: Connectivity, scale: float, angle_rad: np.ndarray | None) -> Connectivity:
    error = circuit.standard_error
    return replace(
        circuit,
        weights=scale * circuit.weights,
        standard_error=None if error is None else abs(scale) * error,
        angle_rad=angle_rad,
    )
