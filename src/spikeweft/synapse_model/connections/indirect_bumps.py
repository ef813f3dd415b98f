r"""What hidden neurons pass on: a pair that is not connected may show a smooth peak of its own.

Where one neuron reaches another through neurons that were not recorded, or both hear of a third
with different delays, more coincidences are seen around some lag, spread over a few milliseconds
since each stage adds its own. In the log of the counts that is a Gaussian bump, :math:`a\,
e^{-(l - c)^2/2s^2}`, or one that is skewed, as a slow connection is. The smooth null knows only
what pairs have in common; without these bumps such peaks would be taken for connections, and
connections would be expected everywhere.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.connections.estimated_chances import chance_of, distribution_of
from spikeweft.synapse_model.connections.kernel_shapes import (
    RISE_AND_DECAY_S,
    STRENGTHS,
    kernel_after,
    peak_time,
)

WIDTHS_S = (0.0015, 0.0025, 0.004, 0.007)

SKEWED_RISE_S, SKEWED_DECAY_S = RISE_AND_DECAY_S[0][-1]
"""As the slowest connection that excites; quicker ones would take in connections."""

FARTHEST_S, _APART_S = 0.03, 0.001

_FIRST_CHANCE = 0.15
"""Peaks are taken for indirect at first, and for connections where these explain them better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndirectBumps:
    """All indirect bumps, and how often pairs that are not connected show one.

    Attributes
    ----------
    log_factor
        Each bump in the log of the counts; bumps in order of height, centre, profile.
    excess
        The factor on the counts that it is, less 1.
    chance
        That a pair without connections shows a bump.
    height, profile
        Distribution of each; all centres are as likely.
    """

    log_factor: Float[np.ndarray, "bump lag"]
    excess: Float[np.ndarray, "bump lag"]
    chance: float
    height: Float[np.ndarray, " height"]
    profile: Float[np.ndarray, " profile"]

    @classmethod
    def first(cls, lags_s: Float[np.ndarray, " lag"], skewed: bool) -> Self:
        """All bumps equally likely; with skewed ones or not."""
        n_centres = round(2 * FARTHEST_S / _APART_S) + 1
        away_s = lags_s - np.linspace(-FARTHEST_S, FARTHEST_S, n_centres)[:, None]
        profiles = [np.exp(-0.5 * (away_s / width_s) ** 2) for width_s in WIDTHS_S]
        if skewed:
            profiles += [_skewed(away_s), _skewed(-away_s)]
        heights = np.array(STRENGTHS)[:, None, None, None]
        log_factor = (heights * np.stack(profiles, axis=1)).reshape(-1, len(lags_s))
        return cls(
            log_factor=log_factor.astype(np.float32),
            excess=np.expm1(log_factor).astype(np.float32),
            chance=_FIRST_CHANCE,
            height=np.full(len(STRENGTHS), 1 / len(STRENGTHS)),
            profile=np.full(len(profiles), 1 / len(profiles)),
        )

    @property
    def log_bump(self) -> Float[np.ndarray, " bump"]:
        """Log probability of each bump, where there is one."""
        n_centres = len(self.log_factor) // (len(self.height) * len(self.profile))
        joint = np.log(self.height)[:, None, None] + np.log(self.profile)
        return np.broadcast_to(
            joint - np.log(n_centres), (len(self.height), n_centres, len(self.profile))
        ).ravel()

    def updated(self, found: Float[np.ndarray, "pair bump"]) -> Self:
        """What pairs have in common, from the probability of each bump in each of them."""
        number = found.sum(0).reshape(len(self.height), -1, len(self.profile))
        return replace(
            self,
            chance=float(chance_of(number.sum(keepdims=True), len(found)).item()),
            height=distribution_of(number.sum((1, 2))),
            profile=distribution_of(number.sum((0, 1))),
        )


def _skewed(away_s: Float[np.ndarray, "centre lag"]) -> Float[np.ndarray, "centre lag"]:
    """A bump that rises quickly to its peak and decays slowly, of height 1."""
    step_s = float(np.abs(away_s[0, 1] - away_s[0, 0]))
    onset_s = peak_time(SKEWED_RISE_S, SKEWED_DECAY_S) - step_s / 2
    return kernel_after(away_s + onset_s, SKEWED_RISE_S, SKEWED_DECAY_S, step_s)
