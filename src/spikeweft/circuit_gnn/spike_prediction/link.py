"""The link function from synaptic drive to firing rate."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from spikeweft.circuit_gnn.spike_prediction.rate_kernels import LOWEST_DRIVE

POWER_RANGE = (1.0, 4.0)
"""Powers the link may have; from 1 on, the likelihood of every neuron has one maximum."""

BEND_RANGE = (-16.0, 100.0)
"""Bends the link may have: below, its rate is exponential in the drive, above, rectified."""


class LinkShape(NamedTuple):
    """The shape of a link, whatever the units of its drive.

    Attributes
    ----------
    power
        The exponent p.
    bend
        The drive at which the link gives a reference rate. Far below zero the rate is exponential
        in the drive around there; the further above, the sharper the softplus bends relative to
        the drives that matter, up to a rectified power law.
    """

    power: float
    bend: float

    def within_range(self) -> "LinkShape":
        """The nearest shape that a link may have."""
        power, bend = np.clip(self.power, *POWER_RANGE), np.clip(self.bend, *BEND_RANGE)
        return LinkShape(float(power), float(bend))

    def link(self, log_rate: float) -> "Link":
        """The link of this shape that gives the reference rate (log Hz) at the bend."""
        return Link(self.power, log_rate - self.power * float(np.log(np.logaddexp(0.0, self.bend))))

    @property
    def slope(self) -> float:
        """Change of the log rate with the drive, at the bend."""
        return self.power / ((1.0 + np.exp(-self.bend)) * np.logaddexp(0.0, self.bend))


EXPONENTIAL = LinkShape(1.0, BEND_RANGE[0])
"""The link of a Poisson GLM."""


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
        return self.power * drive.clamp(min=LOWEST_DRIVE).sigmoid_().div_(softplus)

    def shape(self, log_rate: float) -> LinkShape:
        """Its shape around a reference rate (log Hz)."""
        (bend,) = inverse_link(np.array([np.exp(log_rate)]), self)
        return LinkShape(self.power, float(bend))


def softplus_of(drive: Tensor) -> Tensor:
    """log(1 + eᵘ) of each drive."""
    return functional.softplus(drive.clamp(min=LOWEST_DRIVE))


def inverse_link(rate_hz: Float[np.ndarray, " neuron"], link: Link) -> Float[np.ndarray, " neuron"]:
    """The drive at which the link gives a rate."""
    softplus = np.exp((np.log(rate_hz) - link.log_gain) / link.power)
    return softplus + np.log(-np.expm1(-softplus))
