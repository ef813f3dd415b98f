"""The lags at which a pair differs most from what is expected of it, and how surely."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammainc, gammaincc, ndtri, xlogy

from spikeweft.baselines.correlograms.lag_counts import Correlograms

FIRST_LAG_S = 0.001
"""Shorter lags are those of synchrony (chosen; English et al. 2017, Neuron 96:505: 0.8 ms)."""

LONGEST_LAG_S = 0.02
"""Longest latency looked for (chosen); English et al. end at 4.8 ms."""

WINDOW_S = 0.003
"""Duration over which an effect is added up (chosen on simulated networks)."""

FALSE_POSITIVES = 0.001
"""Share of unconnected pairs taken for connected (Stark & Abeles 2009), over all lags together."""

_LEAST_TAIL = 1e-290

_LEAST_EXPECTED = 1e-9


class Strongest(NamedTuple):
    """The window of each pair that differs most from what is expected.

    Attributes
    ----------
    z
        Positive where it holds more than expected: the quantile of the standard normal
        distribution with the same tail. Of the most extreme window, not yet corrected for their
        number.
    first_lag_s
        Where the window begins.
    connected
        Pairs whose |z| is above `threshold(number of windows)`.
    """

    z: Float[np.ndarray, "post pre"]
    first_lag_s: Float[np.ndarray, "post pre"]
    connected: Bool[np.ndarray, "post pre"]


def strongest_window(
    observed: Correlograms, expected: Correlograms, variance: Correlograms, step_s: float
) -> Strongest:
    """Add up lags from 0 on over short windows, and take that of the largest |z|.

    Lags are taken as independent, so variances add up.
    """
    first = max(1, round(FIRST_LAG_S / step_s))
    width = min(max(1, round(WINDOW_S / step_s)), observed.shape[2] - first)
    z = z_score(*(_added_up(part, first, width) for part in (observed, expected, variance)))
    at = np.abs(z).argmax(2)
    largest = np.take_along_axis(z, at[:, :, None], axis=2)[:, :, 0]
    np.fill_diagonal(largest, 0.0)
    return Strongest(
        z=largest,
        first_lag_s=(first + at) * step_s,
        connected=np.abs(largest) > threshold(z.shape[2]),
    )


def threshold(n_lags: int) -> float:
    """|z| that as few pairs reach as are to be taken for connected by mistake.

    Two-sided, corrected for the number of lags (Bonferroni).
    """
    return float(-ndtri(FALSE_POSITIVES / (2 * n_lags)))


def z_score(
    observed: Float[np.ndarray, "..."],
    expected: Float[np.ndarray, "..."],
    variance: Float[np.ndarray, "..."],
) -> Float[np.ndarray, "..."]:
    r"""Quantile of the standard normal distribution with the tail of a count.

    A count is Poisson, its tail corrected for continuity (Stark & Abeles 2009),
    :math:`P(N > n) + P(N = n) / 2`; where the variance differs from the expectation, this is that
    of a Poisson count in units of variance / expectation. Tails too thin for a number are those of
    the deviance.
    """
    mean = np.maximum(expected, _LEAST_EXPECTED)
    unit = np.where(variance > 0, np.maximum(variance, _LEAST_EXPECTED) / mean, 1.0)
    n, mean = observed / unit, mean / unit
    tail_of = (gammainc, gammaincc)
    above, below = (tail(n, mean) + tail(n + 1, mean) for tail in tail_of)
    tail = np.where(n > mean, above, below) / 2
    deviance = 2 * (xlogy(n, n / mean) - (n - mean))
    z = np.where(tail > _LEAST_TAIL, -ndtri(tail), np.sqrt(np.maximum(deviance, 0.0)))
    return np.where(expected > 0, np.where(n > mean, z, -z), 0.0)


def _added_up(values: Correlograms, first: int, width: int) -> Float[np.ndarray, "post pre window"]:
    """Sums over `width` lags each, the first of which begins at lag `first`."""
    total = np.cumsum(values[:, :, first:], axis=2)
    before = np.concatenate([np.zeros_like(total[:, :, :1]), total[:, :, :-width]], axis=2)
    return total[:, :, width - 1 :] - before
