"""Does a circuit hold where its input is gone: a model of the waking animal on its sleep."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimators.base import SpikePredictor
from spikeweft.heading.profile import profile
from spikeweft.metrics import PredictionScore, bits_per_spike
from spikeweft.recording import Recording
from spikeweft.windows import scored_epochs


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrated:
    """How a fitted model predicts other data once its rates are brought to theirs."""

    score: PredictionScore
    rate_ratio: Float[np.ndarray, " neuron"]


def score_elsewhere(model: SpikePredictor, other: Recording) -> Calibrated:
    """Bits per spike of the coupling on the second half of other data, over constant rates.

    Neurons fire more or less in sleep. The first half of the data gives every neuron one factor
    of its rate, and the null its mean rate; the couplings are those of the fit.

    Raises
    ------
    InputError
        Where the data have other neurons, or a half is too short to be scored.
    """
    model.check_fitted(other)
    first, second = other.between(0.0, 0.5), other.between(0.5, 1.0)
    if any(len(scored_epochs(half, model.history_window_s)) == 0 for half in (first, second)):
        raise InputError(
            f"the other recording of {other.duration_s:g} s is too short to be scored; give a "
            "longer one"
        )
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
    """Correlation of two circuits' mean profiles over the bins that both have."""
    first, second = profile(one, sound).mean, profile(other, sound).mean
    both = np.isfinite(first) & np.isfinite(second)
    if both.sum() < 3:
        return float("nan")
    return float(np.corrcoef(first[both], second[both])[0, 1])
