r"""What hidden neurons pass on: a pair that is not connected may show a smooth peak of its own.

Where one neuron reaches another through neurons that were not recorded, or both hear of a third
with different delays, more coincidences are seen around some lag, spread over a few milliseconds
since each stage adds its own. In the log of the counts that is a Gaussian bump, :math:`a\,
e^{-(l - c)^2/2s^2}`. The smooth null knows only what pairs have in common; without these bumps such
peaks would be taken for connections, and connections would be expected everywhere.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.connections.estimated_chances import chance_of, distribution_of
from spikeweft.synapse_model.connections.kernel_shapes import STRENGTHS

WIDTHS_S = (0.0015, 0.0025, 0.004, 0.007)

FARTHEST_S, _APART_S = 0.03, 0.001

_FIRST_CHANCE = 0.15
"""Peaks are taken for indirect at first, and for connections where these explain them better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndirectBumps:
    """All indirect bumps, and how often pairs that are not connected show one.

    Attributes
    ----------
    log_factor
        Each bump in the log of the counts; bumps in order of height, centre, width.
    excess
        The factor on the counts that it is, less 1.
    chance
        That a pair without connections shows a bump.
    height, width
        Distribution of each; all centres are as likely.
    """

    log_factor: Float[np.ndarray, "bump lag"]
    excess: Float[np.ndarray, "bump lag"]
    chance: float
    height: Float[np.ndarray, " height"]
    width: Float[np.ndarray, " width"]

    @classmethod
    def first(cls, lags_s: Float[np.ndarray, " lag"]) -> Self:
        """All bumps equally likely."""
        n_centres = round(2 * FARTHEST_S / _APART_S) + 1
        centres_s = np.linspace(-FARTHEST_S, FARTHEST_S, n_centres)
        away = (lags_s - centres_s[:, None, None]) / np.array(WIDTHS_S)[:, None]
        heights = np.array(STRENGTHS)[:, None, None, None]
        log_factor = (heights * np.exp(-0.5 * away**2)).reshape(-1, len(lags_s))
        return cls(
            log_factor=log_factor.astype(np.float32),
            excess=np.expm1(log_factor).astype(np.float32),
            chance=_FIRST_CHANCE,
            height=np.full(len(STRENGTHS), 1 / len(STRENGTHS)),
            width=np.full(len(WIDTHS_S), 1 / len(WIDTHS_S)),
        )

    @property
    def log_bump(self) -> Float[np.ndarray, " bump"]:
        """Log probability of each bump, where there is one."""
        n_centres = len(self.log_factor) // (len(self.height) * len(self.width))
        joint = np.log(self.height)[:, None, None] + np.log(self.width)
        return np.broadcast_to(
            joint - np.log(n_centres), (len(self.height), n_centres, len(self.width))
        ).ravel()

    def updated(self, found: Float[np.ndarray, "pair bump"]) -> Self:
        """What pairs have in common, from the probability of each bump in each of them."""
        number = found.sum(0).reshape(len(self.height), -1, len(self.width))
        return replace(
            self,
            chance=float(chance_of(number.sum(keepdims=True), len(found)).item()),
            height=distribution_of(number.sum((1, 2))),
            width=distribution_of(number.sum((0, 1))),
        )
