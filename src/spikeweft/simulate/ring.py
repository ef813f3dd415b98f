"""Ring networks with bumps of activity (Das & Fiete 2020; Yoon 2025): wiring that looks like its activity."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from typing import ClassVar, Self

import numpy as np
from jaxtyping import Float

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.recording import Covariate
from spikeweft.simulate.network import Network, Stretch
from spikeweft.simulate.neuron import LNPNeuron, Neuron, ThresholdNeuron, neuron_from_metadata

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


class Profile(ABC):
    """Weight from one neuron to another as a function of their distance on the ring."""

    __slots__ = ()
    name: ClassVar[str]

    @abstractmethod
    def weight(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Weight at a distance in neurons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MexicanHat(Profile):
    """A narrow minus a slightly broader and larger Gaussian: inhibition strongest at distance 9.

    With the published parameters (Das & Fiete 2020) 100 neurons show four bumps of activity.
    """

    name: ClassVar[str] = "mexican hat"

    narrow_sd: float = 6.98
    broad_sd: float = 7.00
    inhibition: float = 1.0005

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

    name: ClassVar[str] = "profile ii"

    strength: float = 2.3e-3
    excitation_sd: float = 8.0

    def weight(self, distance: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Weight at a distance in neurons."""
        return self.strength * (np.exp(-0.5 * (distance / self.excitation_sd) ** 2) - 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class RingNetwork(Network):
    """Neurons on a ring, each connected to the others by the same profile.

    Attributes
    ----------
    neuron
        Neuron model with its threshold; `threshold_ring` and `lnp_ring` fill in published ones.
    profile
        Weight by distance.
    recurrent_strength
        Factor r of all weights.
    tau_s, tick_s
        Decay time of the synaptic traces, and the time step.
    drive_amplitude_neurons, drive_period_s
        External drive θ(t), a sinusoid of this amplitude (in neurons of 2π/N) and period: the
        columns of the weights are shifted by floor(N·θ(t)/2π) neurons (Yoon 2025). The true
        circuit is the unshifted one.
    """

    neuron: Neuron
    profile: Profile = MexicanHat()
    n_neurons: int = 100
    recurrent_strength: float = 0.025
    tau_s: float = 0.01
    tick_s: float = 1e-4
    drive_amplitude_neurons: float = 0.0
    drive_period_s: float = 10.0

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit, its metadata enough to build the network again."""
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

    def stretches(self, start: int, stop: int) -> Iterator[Stretch]:
        """Parts of these ticks in which the weights are shifted by the same number of neurons."""
        if self.drive_amplitude_neurons == 0:
            yield Stretch(start, stop, 0)
            return
        theta = self.drive_rad(np.arange(start, stop) * self.tick_s)
        shift = np.floor(self.n_neurons * theta / (2 * np.pi)).astype(np.int64)
        change = np.flatnonzero(np.diff(shift)) + 1
        for first, last in zip([0, *change], [*change, len(shift)], strict=True):
            yield Stretch(start + int(first), start + int(last), int(shift[first]))

    def covariates(self, duration_s: float) -> dict[str, Covariate]:
        """The external drive "drive": θ(t) in radians, sampled every millisecond."""
        if self.drive_amplitude_neurons == 0:
            return {}
        times_s = np.arange(0.0, duration_s, 1e-3)
        return {"drive": Covariate(times_s=times_s, values=self.drive_rad(times_s), is_angle=True)}

    def to_metadata(self) -> dict[str, str | int | float]:
        """Strings and numbers from which `from_metadata` builds the same network."""
        own = {
            f.name: getattr(self, f.name)
            for f in fields(self)
            if f.name not in ("neuron", "profile")
        }
        return {
            "network": "ring",
            "neuron": self.neuron.name,
            "profile": self.profile.name,
            **own,
            **asdict(self.neuron),
            **asdict(self.profile),
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str | int | float]) -> Self:
        """The network that `to_metadata` described.

        Raises
        ------
        InputError
            Where the metadata do not describe a ring network.
        """
        if metadata.get("network") != "ring":
            raise InputError(
                f"the metadata describe no ring network but {metadata.get('network')!r}; "
                "read them from a circuit that spikeweft simulated"
            )
        own = {f.name: metadata[f.name] for f in fields(cls) if f.name not in ("neuron", "profile")}
        return cls(
            neuron=neuron_from_metadata(metadata), profile=_profile_from_metadata(metadata), **own
        )


def threshold_ring(recurrent_strength: float = 0.025) -> RingNetwork:
    """Mexican-hat ring of threshold neurons with the published threshold for 62.5 Hz."""
    threshold = _published_threshold(ThresholdNeuron, recurrent_strength)
    return RingNetwork(
        neuron=ThresholdNeuron(threshold=threshold), recurrent_strength=recurrent_strength
    )


def lnp_ring(recurrent_strength: float = 0.025) -> RingNetwork:
    """Mexican-hat ring of LNP neurons with the published threshold for 62.5 Hz."""
    threshold = _published_threshold(LNPNeuron, recurrent_strength)
    return RingNetwork(neuron=LNPNeuron(threshold=threshold), recurrent_strength=recurrent_strength)


def _published_threshold(neuron: type[Neuron], recurrent_strength: float) -> float:
    if recurrent_strength not in PUBLISHED_THRESHOLDS:
        raise InputError(
            f"no threshold is published for a recurrent strength of {recurrent_strength:g}; choose "
            f"one of {', '.join(f'{r:g}' for r in PUBLISHED_THRESHOLDS)}, or build a RingNetwork "
            "with a threshold of your own"
        )
    return PUBLISHED_THRESHOLDS[recurrent_strength][neuron]


def _profile_from_metadata(metadata: Mapping[str, str | int | float]) -> Profile:
    for kind in (MexicanHat, FlatInhibition):
        if metadata.get("profile") == kind.name:
            return kind(**{f.name: float(metadata[f.name]) for f in fields(kind)})
    raise InputError(
        f"the profile {metadata.get('profile')!r} is not one of 'mexican hat' and 'profile ii'"
    )
