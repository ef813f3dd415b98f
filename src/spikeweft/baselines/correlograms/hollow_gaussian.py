"""What slow changes of rate alone would show: a correlogram smoothed by a hollow Gaussian."""

import numpy as np
from jaxtyping import Float
from scipy.ndimage import convolve1d

from spikeweft.baselines.correlograms.lag_counts import Correlograms

SMOOTHING_S = 0.01
"""Standard deviation of the Gaussian; the authors'."""

_REACH = 3  # standard deviations of the Gaussian

_HOLLOW = 0.6


def reach(spread: float) -> int:
    """Lags to each side that a Gaussian of this standard deviation, in lags, reads."""
    return int(np.ceil(_REACH * spread))


def smooth(correlograms: Correlograms, spread: float) -> Correlograms:
    """Correlograms smoothed by a Gaussian of this standard deviation, in lags.

    The Gaussian is partially hollow, so that a fast peak does not explain itself (Stark & Abeles
    2009, J. Neurosci. Methods 179:90; 60 % of the middle bin taken out). The outermost
    `reach(spread)` lags are smoothed over what lies mirrored beyond them.
    """
    return convolve1d(correlograms, _kernel(spread), axis=2)


def _kernel(spread: float) -> Float[np.ndarray, " lag"]:
    furthest = reach(spread)
    kernel = np.exp(-0.5 * (np.arange(-furthest, furthest + 1) / spread) ** 2)
    kernel[furthest] *= 1 - _HOLLOW
    return kernel / kernel.sum()
