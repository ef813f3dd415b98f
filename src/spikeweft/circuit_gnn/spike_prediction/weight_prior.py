"""The prior of the weights that each neuron receives, estimated from the weights themselves.

Neuron i's weights are Gaussian with precision τ_i around their mean, and the precisions of all
neurons are gamma distributed with ν degrees of freedom around a typical one: as if ν further
weights of each neuron were known to be typical (Smyth 2004, who moderates variances in this way).
Where neurons differ no more than by chance, ν is infinite and all have the same precision. Where
they differ, as those do that seldom fire from those that always do, a neuron's few strong weights
are not shrunk to what is typical of all others.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import gammaln

_HIGHEST_PRECISION = 1e9
_DEGREES_OF_FREEDOM = (np.inf, *(2.0 ** np.arange(9)))
_ROUNDS = 50


class PrecisionPrior(NamedTuple):
    """What precisions are likely to be, and how likely the weights of all neurons are then."""

    typical: float
    degrees_of_freedom: float
    log_likelihood: float

    def precision(
        self, known: Float[np.ndarray, " neuron"], squared: Float[np.ndarray, " neuron"]
    ) -> Float[np.ndarray, " neuron"]:
        """Expected precision of each neuron's weights."""
        if np.isinf(self.degrees_of_freedom):
            return np.full(len(known), self.typical)
        freedom = self.degrees_of_freedom
        return (freedom + known) / (freedom / self.typical + squared)


def estimated_precision(
    known: Float[np.ndarray, " neuron"],
    squared: Float[np.ndarray, " neuron"],
    decides: Bool[np.ndarray, " neuron"],
) -> Float[np.ndarray, " neuron"]:
    """Precision of each neuron's weights, given those that it has (MacKay 1992).

    Parameters
    ----------
    known
        How many of its weights spikes determine.
    squared
        Sum of squares of its weights around their mean.
    decides
        Neurons that decide what is typical; for any other that is worth one weight.
    """
    squared = np.maximum(squared, known / _HIGHEST_PRECISION)
    prior = precision_prior(known[decides], squared[decides])
    others = prior._replace(degrees_of_freedom=1.0)
    return np.where(decides, prior.precision(known, squared), others.precision(known, squared))


def precision_prior(
    known: Float[np.ndarray, " neuron"], squared: Float[np.ndarray, " neuron"]
) -> PrecisionPrior:
    """The prior of precisions under which weights are likeliest; among equals, the same for all."""
    priors = [_with_freedom(known, squared, freedom) for freedom in _DEGREES_OF_FREEDOM]
    return max(priors, key=lambda prior: prior.log_likelihood)


def _with_freedom(
    known: Float[np.ndarray, " neuron"], squared: Float[np.ndarray, " neuron"], freedom: float
) -> PrecisionPrior:
    """The best typical precision for some degrees of freedom, by EM."""
    typical = float(known.sum() / squared.sum())
    if np.isinf(freedom):
        each = 0.5 * (known * np.log(typical) - typical * squared)
        return PrecisionPrior(typical, freedom, float(each.sum()))
    for _ in range(_ROUNDS):
        typical = float(np.mean((freedom + known) / (freedom / typical + squared)))
    shape, rate = freedom / 2, freedom / (2 * typical)
    posterior = shape + known / 2
    each = shape * np.log(rate) - gammaln(shape) + gammaln(posterior)
    each -= posterior * np.log(rate + squared / 2)
    return PrecisionPrior(typical, freedom, float(each.sum()))
