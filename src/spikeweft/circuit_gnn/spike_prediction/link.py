"""The link function from synaptic drive to firing rate."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

POWER_RANGE = (1.0, 4.0)
"""Powers the link may have; from 1 on, the likelihood of every neuron has one maximum."""

_LOWEST_DRIVE = -60.0


class Link(NamedTuple):
    """The decoder from drive to rate, log λ = p · log softplus(u) + c, shared by all neurons."""

    power: float
    log_gain: float

    def log_rate(self, drive: Tensor) -> Tensor:
        """Logarithm of the rate in Hz at each drive."""
        return self.power * softplus_of(drive).log() + self.log_gain

    def rate_hz(self, drive: Tensor) -> Tensor:
        """Rate at each drive."""
        return self.from_softplus(softplus_of(drive))

    def from_softplus(self, softplus: Tensor) -> Tensor:
        """Rate in Hz at each softplus of the drive."""
        rectified = softplus if self.power == 1.0 else softplus**self.power
        return rectified * float(np.exp(self.log_gain))

    def slope(self, drive: Tensor, softplus: Tensor) -> Tensor:
        """Change of the log rate with the drive, d log λ / du; never negative."""
        return self.power * drive.clamp(min=_LOWEST_DRIVE).sigmoid_().div_(softplus)

    def changed(self, power: float, log_gain: float) -> "Link":
        """The link after a change of power and log gain, its power within `POWER_RANGE`."""
        new_power = float(np.clip(self.power + power, *POWER_RANGE))
        return Link(new_power, self.log_gain + float(log_gain))


def softplus_of(drive: Tensor) -> Tensor:
    """log(1 + eᵘ) of each drive."""
    return functional.softplus(drive.clamp(min=_LOWEST_DRIVE))


def inverse_link(rate_hz: Float[np.ndarray, " neuron"], link: Link) -> Float[np.ndarray, " neuron"]:
    """The drive at which the link gives a rate."""
    softplus = np.exp((np.log(rate_hz) - link.log_gain) / link.power)
    return softplus + np.log(-np.expm1(-softplus))
