"""How well spikes are predicted: bits per spike."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionScore:
    """Bits per spike that a model gains over a neuron's constant rate (Yoon 2025, L_bps).

    The likelihood is that of the spike times themselves, Σ log λ(t_spike) - ∫λ dt, at the
    recording's own resolution. A model with bins predicts a rate that is constant within a bin,
    so all models are scored by the same rule. The null is the neuron's mean rate in the data
    that the model was trained on.
    """

    per_neuron: Float[np.ndarray, " neuron"]
    """Gain of each neuron; NaN where it fired no spike, here or in what was trained on, or where
    its likelihood is NaN.
    """

    pooled: float
    """Gain of all neurons with a score together over all their spikes.

    Neurons that are silent here are left out: what a model expected of them is held neither for
    nor against it. NaN where a likelihood is.
    """

    @property
    def mean(self) -> float:
        """Mean over the neurons that fired; the paper's figure.

        Minus infinity where a model says that what came cannot be, and NaN where `pooled` is: where
        none fired, or the likelihood of one that did is NaN.
        """
        if np.isnan(self.pooled):
            return float("nan")
        fired = ~np.isnan(self.per_neuron)
        return float(self.per_neuron[fired].mean()) if fired.any() else float("nan")


def bits_per_spike(
    log_likelihood: Float[np.ndarray, " neuron"],
    n_spikes: Int[np.ndarray, " neuron"],
    exposure_s: float,
    null_rate_hz: Float[np.ndarray, " neuron"],
) -> PredictionScore:
    """Score of a model from its log-likelihood in nats (rates in Hz) on `n_spikes` spikes.

    Neurons without a spike here, or in what gave the null its rate, count in neither mean nor
    pooled bits.
    """
    scored = (n_spikes > 0) & (null_rate_hz > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        spike_term = np.where(n_spikes > 0, n_spikes * np.log(null_rate_hz), 0.0)
        gain = (log_likelihood - (spike_term - null_rate_hz * exposure_s)) / np.log(2)
        per_neuron = np.where(scored, gain / n_spikes, np.nan)
    total = int(n_spikes[scored].sum())
    pooled = float(gain[scored].sum() / total) if total else float("nan")
    return PredictionScore(per_neuron=per_neuron, pooled=pooled)
