"""Model neurons: how a drive becomes spikes, and their exact conditional rate."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import ndtr

from spikeweft.errors import InputError
from spikeweft.simulation.settings import check_finite, check_positive, store_plainly
from spikeweft.simulation.spike_kernels import Spikes, lnp_spikes, threshold_spikes

SPARSE_NOISE = float(ndtr(-1.5))
"""Noise is present where an independent standard normal exceeds 1.5 (Das & Fiete 2020)."""

DENSE_NOISE = 1.0
"""Noise is present at every neuron and step, as Yoon (2025) words it."""

_SPARSEST_NOISE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Neuron(ABC):
    """What turns a synaptic drive r·W·s into spikes."""

    def __post_init__(self) -> None:
        store_plainly(self)

    @abstractmethod
    def spikes(
        self,
        weights: Float[np.ndarray, "post pre"],
        trace: Float[np.ndarray, " pre"],
        n_steps: int,
        decay: float,
        rng: np.random.Generator,
    ) -> Spikes:
        """Spikes of a network of these neurons; `trace` is left as it is after the last step."""

    @abstractmethod
    def spikes_per_step(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Expected spikes in a step, given the synaptic drive at its start."""

    @abstractmethod
    def spikes_per_step_slope(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Derivative of `spikes_per_step` with respect to the drive, where it exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdNeuron(Neuron):
    """Fires at most once a step, wherever drive + bias·(1 + ξ) exceeds the threshold.

    No reset and no refractory time (Das & Fiete 2020). ξ is Gaussian, and present only on a
    fraction of neurons and steps: `SPARSE_NOISE`, for which the published thresholds were tuned,
    or `DENSE_NOISE`. As the noise is in units of the bias, the bias is positive.
    """

    threshold: float
    bias: float = 1e-3
    noise_sd: float = 0.3
    noise_fraction: float = SPARSE_NOISE

    def __post_init__(self) -> None:
        Neuron.__post_init__(self)
        check_finite(self, "threshold")
        check_positive(self, "bias")
        if not (_SPARSEST_NOISE <= self.noise_fraction <= 1 and 0 < self.noise_sd < np.inf):
            raise InputError(
                f"noise of sd {self.noise_sd:g} on a fraction {self.noise_fraction:g} of steps "
                f"cannot be simulated; choose a finite sd above 0 and a fraction from "
                f"{_SPARSEST_NOISE:g} to 1"
            )

    def spikes(
        self,
        weights: Float[np.ndarray, "post pre"],
        trace: Float[np.ndarray, " pre"],
        n_steps: int,
        decay: float,
        rng: np.random.Generator,
    ) -> Spikes:
        """Spikes of a network of these neurons; `trace` is left as it is after the last step."""
        noise_sd = self.bias * self.noise_sd
        critical = self.threshold - self.bias
        return threshold_spikes(
            weights, trace, n_steps, decay, critical, noise_sd, self.noise_fraction, rng
        )

    def spikes_per_step(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Probability of a spike: 0 or 1 in noise-free steps, else the noise's tail."""
        above = synaptic_drive + self.bias - self.threshold
        noisy = ndtr(above / (self.bias * self.noise_sd))
        return (1.0 - self.noise_fraction) * (above > 0) + self.noise_fraction * noisy

    def spikes_per_step_slope(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Slope of the noise's tail; the jump of noise-free steps at the threshold is left out."""
        sd = self.bias * self.noise_sd
        above = (synaptic_drive + self.bias - self.threshold) / sd
        return self.noise_fraction * np.exp(-0.5 * above**2) / (np.sqrt(2 * np.pi) * sd)


@dataclass(frozen=True, slots=True, kw_only=True)
class LNPNeuron(Neuron):
    """Linear-nonlinear-Poisson: Poisson(gain·max(drive + bias - threshold, 0)) spikes a step."""

    threshold: float
    bias: float = 1e-3
    gain: float = 32.0

    def __post_init__(self) -> None:
        Neuron.__post_init__(self)
        check_finite(self, "threshold", "bias")
        check_positive(self, "gain")

    def spikes(
        self,
        weights: Float[np.ndarray, "post pre"],
        trace: Float[np.ndarray, " pre"],
        n_steps: int,
        decay: float,
        rng: np.random.Generator,
    ) -> Spikes:
        """Spikes of a network of these neurons; `trace` is left as it is after the last step."""
        critical = self.threshold - self.bias
        return lnp_spikes(weights, trace, n_steps, decay, critical, self.gain, rng)

    def spikes_per_step(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """Mean of the Poisson distribution."""
        return self.gain * np.maximum(synaptic_drive + self.bias - self.threshold, 0.0)

    def spikes_per_step_slope(
        self, synaptic_drive: Float[np.ndarray, "step neuron"]
    ) -> Float[np.ndarray, "step neuron"]:
        """The gain above threshold, zero below."""
        return self.gain * (synaptic_drive + self.bias > self.threshold)
