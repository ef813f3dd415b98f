"""Ring networks with bumps of activity (Das & Fiete 2020; Yoon 2025)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.simulation.networks import Network
from spikeweft.simulation.neurons import LNPNeuron, Neuron, ThresholdNeuron
from spikeweft.simulation.settings import check_finite, check_positive, store_plainly

PUBLISHED_THRESHOLDS: dict[float, dict[type[Neuron], float]] = {
    strength: {ThresholdNeuron: threshold, LNPNeuron: lnp}
    for strength, threshold, lnp in (
        (0.0005, 1.378e-3, 7.86e-4),
        (0.0025, 1.304e-3, 7.13e-4),
        (0.005, 1.213e-3, 6.21e-4),
        (0.0075, 1.123e-3, 5.29e-4),
        (0.01, 1.033e-3, 4.37e-4),
        (0.0125, 9.50e-4, 3.45e-4),
        (0.015, 8.86e-4, 2.55e-4),
        (0.0175, 8.47e-4, 1.80e-4),
        (0.02, 8.08e-4, 1.17e-4),
        (0.0225, 7.70e-4, 5.8e-5),
        (0.025, 7.35e-4, 0.0),
    )
}
"""Thresholds for 62.5 Hz at each recurrent strength (Das & Fiete 2020), of the Mexican hat."""

_LARGEST_DRIVE_NEURONS = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(ABC):
    """Weight from one neuron to another as a function of their distance on the ring."""

    def __post_init__(self) -> None:
        store_plainly(self)

    @abstractmethod
    def weight(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Weight at a distance in neurons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MexicanHat(Profile):
    """A narrow minus a slightly broader and larger Gaussian: inhibition strongest at distance 9.

    With the published parameters (Das & Fiete 2020) 100 neurons show four bumps of activity.
    """

    narrow_sd: float = 6.98
    broad_sd: float = 7.00
    inhibition: float = 1.0005

    def __post_init__(self) -> None:
        Profile.__post_init__(self)
        check_positive(self, "narrow_sd", "broad_sd")
        check_finite(self, "inhibition")

    def weight(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Weight at a distance in neurons."""
        narrow = np.exp(-0.5 * (distance / self.narrow_sd) ** 2)
        broad = np.exp(-0.5 * (distance / self.broad_sd) ** 2)
        return narrow - self.inhibition * broad


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatInhibition(Profile):
    """Inhibition that is flat but for a dip near the neuron itself: one bump of activity.

    A stand-in for "Profile II" of Yoon (2025), whose formula is not published.
    """

    strength: float = 2.3e-3
    excitation_sd: float = 8.0

    def __post_init__(self) -> None:
        Profile.__post_init__(self)
        check_positive(self, "excitation_sd")
        check_finite(self, "strength")

    def weight(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Weight at a distance in neurons."""
        return self.strength * (np.exp(-0.5 * (distance / self.excitation_sd) ** 2) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingNetwork(Network):
    """Neurons on a ring, each connected to the others by the same profile.

    Neuron i prefers the angle 2πi/N. `threshold_ring` and `lnp_ring` make the published networks.

    Attributes
    ----------
    profile
        Weight by distance.
    drive_amplitude_neurons, drive_period_s
        The external drive θ(t) is a sinusoid of this amplitude, in neurons of 2π/N each, and this
        period (Yoon 2025, without numbers). The true circuit is the one without drive.
    """

    profile: Profile
    drive_amplitude_neurons: float = 0.0
    drive_period_s: float = 10.0

    def __post_init__(self) -> None:
        Network.__post_init__(self)
        if not self.drive_period_s > 0:
            raise InputError(
                f"a drive period of {self.drive_period_s:g} s is not a time; choose a positive one"
            )
        if not abs(self.drive_amplitude_neurons) <= _LARGEST_DRIVE_NEURONS:
            raise InputError(
                f"a drive amplitude of {self.drive_amplitude_neurons:g} neurons cannot be "
                "simulated; choose a finite one, of a few neurons"
            )

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit; its metadata are enough to build the network again."""
        neuron = np.arange(self.n_neurons)
        apart = np.abs(neuron[:, None] - neuron[None, :])
        return Connectivity(
            weights=self.profile.weight(np.minimum(apart, self.n_neurons - apart).astype(float)),
            angle_rad=2 * np.pi * neuron / self.n_neurons,
            metadata=self.to_metadata(),
        )

    def drive_rad(self, times_s: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """External drive θ(t) in radians."""
        amplitude = 2 * np.pi * self.drive_amplitude_neurons / self.n_neurons
        return amplitude * np.sin(2 * np.pi * times_s / self.drive_period_s)


def threshold_ring(recurrent_strength: float = 0.025) -> RingNetwork:
    """Mexican-hat ring of threshold neurons with the published threshold for 62.5 Hz."""
    threshold = _published_threshold(ThresholdNeuron, recurrent_strength)
    neuron = ThresholdNeuron(threshold=threshold)
    return RingNetwork(neuron=neuron, profile=MexicanHat(), recurrent_strength=recurrent_strength)


def lnp_ring(recurrent_strength: float = 0.025) -> RingNetwork:
    """Mexican-hat ring of LNP neurons with the published threshold for 62.5 Hz."""
    threshold = _published_threshold(LNPNeuron, recurrent_strength)
    neuron = LNPNeuron(threshold=threshold)
    return RingNetwork(neuron=neuron, profile=MexicanHat(), recurrent_strength=recurrent_strength)


def profile_ii_threshold_ring() -> RingNetwork:
    """Ring of threshold neurons with one bump of activity, moved about by an external drive.

    They fire at 22 Hz. Neither their threshold nor the drive is published: at this threshold a
    neuron without inhibition fires on noise alone.
    """
    return _profile_ii_ring(ThresholdNeuron(threshold=1e-3))


def profile_ii_lnp_ring() -> RingNetwork:
    """Ring of LNP neurons with one bump of activity at 32 Hz, moved about by an external drive."""
    return _profile_ii_ring(LNPNeuron(threshold=0.0))


def _profile_ii_ring(neuron: Neuron) -> RingNetwork:
    return RingNetwork(neuron=neuron, profile=FlatInhibition(), drive_amplitude_neurons=2.0)


def _published_threshold(neuron: type[Neuron], recurrent_strength: float) -> float:
    if recurrent_strength not in PUBLISHED_THRESHOLDS:
        raise InputError(
            f"no threshold is published for a recurrent strength of {recurrent_strength:g}; choose "
            f"one of {', '.join(f'{r:g}' for r in PUBLISHED_THRESHOLDS)}, or build a RingNetwork "
            "with a threshold of your own"
        )
    return PUBLISHED_THRESHOLDS[recurrent_strength][neuron]
