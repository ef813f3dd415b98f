"""Does the circuit repeat itself? Halves of a recording, and neurons that were left out."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor
from spikeweft.evaluation.circuit_agreement import Pairs, correlation
from spikeweft.evaluation.prediction import PredictionScore, bits_per_spike
from spikeweft.head_direction.angular_profile import (
    Contrast,
    Evidence,
    angular_difference,
    certainty,
    contrast,
    known_as,
    permuted_contrasts,
    profile,
    usable_pairs,
)
from spikeweft.head_direction.regression import Causes, design_of, fit_regression
from spikeweft.head_direction.tuning.surrogates import UncoupledNeurons

N_RESAMPLED = 39
"""Times that spikes are drawn from tuning alone; the least p value is then 1/40."""

_KERNEL_RAD = np.deg2rad(15.0)

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
    """Circuits inferred from surrogates that follow the direction and their own past, uncoupled."""
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


class LeftOut(NamedTuple):
    """Weights of neurons that were left out, and their prediction from the others' profile."""

    predicted: Float[np.ndarray, " pair"]
    weight: Float[np.ndarray, " pair"]

    @property
    def correlation(self) -> float:
        """Correlation of prediction and weight."""
        return correlation(self.predicted, self.weight)


def leave_neurons_out(circuit: Connectivity, sound: Pairs | None = None) -> LeftOut:
    """Predict each neuron's weights from the angular profile of all others.

    The prediction at an angular difference is a mean over pairs without the neuron, weighted by a
    von Mises kernel about 15° wide.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """How well a fitted model predicts other data once its rates are scaled to them."""

    score: PredictionScore
    rate_ratio: Float[np.ndarray, " neuron"]


def scored_halves(other: Recording, history_window_s: float) -> tuple[Recording, Recording]:
    """The half of other data that sets rates, and the half that is scored.

    Raises
    ------
    InputError
        Where one is too short to be scored.
    """
    first, second = other.between(0.0, 0.5), other.between(0.5, 1.0)
    if any(len(scored_epochs(half, history_window_s)) == 0 for half in (first, second)):
        raise InputError(
            f"the other recording of {other.duration_s:g} s is too short to be scored; give a "
            "longer one"
        )
    return first, second


def score_elsewhere(model: SpikePredictor, other: Recording) -> Calibrated:
    """Bits per spike of the coupling on the second half of other data, over constant rates.

    Rates differ in sleep. The first half of the data sets one factor on each neuron's rate, and the
    mean rate of the null; the couplings are those of the fit.

    Raises
    ------
    InputError
        Where the data have other neurons, or a half is too short to be scored.
    """
    model.check_fitted(other)
    first, second = scored_halves(other, model.history_window_s)
    expected = np.maximum(model.predict(first).sum(axis=0), 1e-12)
    ratio = np.maximum(first.n_spikes, 0.5) / expected
    scored = second.restrict(scored_epochs(second, model.history_window_s))
    # Rates times k: each spike gains log k, and the integral becomes k times what it was.
    unscaled = model.predict(second).sum(axis=0) * scored.duration_s / second.duration_s
    likelihood = model.log_likelihood(second) + scored.n_spikes * np.log(ratio)
    likelihood -= (ratio - 1.0) * unscaled
    null_hz = np.maximum(first.n_spikes, 0.5) / first.duration_s
    return Calibrated(
        score=bits_per_spike(likelihood, scored.n_spikes, scored.duration_s, null_hz),
        rate_ratio=ratio,
    )


def profile_agreement(
    one: Connectivity, other: Connectivity, sound: Bool[np.ndarray, "post pre"] | None = None
) -> float:
    """Correlation of two circuits' mean profiles over the bins that both cover."""
    first, second = profile(one, sound).mean, profile(other, sound).mean
    both = np.isfinite(first) & np.isfinite(second)
    return correlation(first[both], second[both])
