"""Does the circuit repeat itself? Halves of a recording, and neurons that were left out."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.connectivity import Connectivity
from spikeweft.heading.profile import (
    Contrast,
    Evidence,
    angular_difference,
    certainty,
    contrast,
    known_as,
    permuted_contrasts,
    usable_pairs,
)
from spikeweft.heading.regression import Causes, design_of, fit_regression
from spikeweft.heading.resample import UncoupledNeurons
from spikeweft.recording import Recording

N_RESAMPLED = 39
"""Times that spikes are drawn from tuning alone; the least p value is then 1/40."""

_KERNEL_RAD = np.deg2rad(15.0)

Pairs = Bool[np.ndarray, "post pre"]
Infer = Callable[[Recording], Connectivity]


def coupling(recording: Recording, angle: str | None) -> Connectivity:
    """Quick weights: a plain Poisson regression, with the direction where an angle is named."""
    design = design_of(recording, angle)
    causes = Causes(direction=angle is not None)
    return fit_regression(design, causes).connectivity(design)


def tuning_alone(
    recording: Recording,
    angle: str,
    infer: Infer,
    rng: np.random.Generator,
    n_resampled: int = N_RESAMPLED,
) -> list[Connectivity]:
    """Circuits inferred from spikes of neurons that follow direction and own past, uncoupled."""
    neurons = UncoupledNeurons.of(recording, angle, rng)
    return [infer(neurons.draw(rng)) for _ in range(n_resampled)]


def evidence(
    circuit: Connectivity,
    uncoupled: list[Connectivity],
    sound: Pairs | None,
    rng: np.random.Generator,
) -> Evidence:
    """The circuit's contrast beside that of tuning alone and of shuffled directions."""
    controls: list[Contrast] = [
        contrast(known_as(control, circuit), sound) for control in uncoupled
    ]
    return Evidence(
        observed=contrast(circuit, sound),
        tuning_alone=controls,
        permuted=permuted_contrasts(circuit, sound, rng),
    )


def halves(recording: Recording, infer: Infer) -> tuple[Connectivity, Connectivity]:
    """Circuits of the first and the second half of the recorded time, inferred apart."""
    return infer(recording.between(0.0, 0.5)), infer(recording.between(0.5, 1.0))


def agreement(one: Connectivity, other: Connectivity, sound: Pairs | None = None) -> float:
    """Correlation of every weight of two circuits, over pairs that both know."""
    used = one.informed & other.informed
    if sound is not None:
        used &= sound
    return _correlation(one.weights[used], other.weights[used])


class LeftOut(NamedTuple):
    """Weights of neurons that were left out, and what the others' profile predicts for them."""

    predicted: Float[np.ndarray, " pair"]
    weight: Float[np.ndarray, " pair"]

    @property
    def correlation(self) -> float:
        """Correlation of both."""
        return _correlation(self.predicted, self.weight)


def leave_neurons_out(circuit: Connectivity, sound: Pairs | None = None) -> LeftOut:
    """Predict each neuron's weights from the angular profile of all others.

    The prediction at an angular difference is a mean over pairs without the neuron, near ones
    counting more (von Mises kernel, about 15° wide).
    """
    post, pre = np.nonzero(usable_pairs(circuit, sound))
    difference = angular_difference(circuit)[post, pre]
    weight, known = circuit.weights[post, pre], certainty(circuit)[post, pre]
    near = np.exp((np.cos(difference[:, None] - difference[None, :]) - 1) / _KERNEL_RAD**2) * known
    predicted, actual = [], []
    for neuron in range(circuit.n_neurons):
        of_it = (post == neuron) | (pre == neuron)
        share = near[np.ix_(of_it, ~of_it)]
        predicted.append(share @ weight[~of_it] / share.sum(axis=1))
        actual.append(weight[of_it])
    return LeftOut(np.concatenate(predicted), np.concatenate(actual))


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
