"""Cross-correlograms of the most probable connections, to look at."""

import numpy as np
from jaxtyping import Float, Int

from spikeweft.results.correlograms import Correlograms
from spikeweft.synapse_model.connections.pair_counts import Kernels, PairCounts
from spikeweft.synapse_model.connections.pair_inference import PairInference
from spikeweft.synapse_model.connections.smooth_null import (
    MULTIPLES,
    USUAL,
    SmoothNull,
    covariances,
)

_MOST_PAIRS = 60

_PROBABLE = 0.5

_N_STEPS = 20


def correlograms_of(counts: PairCounts, found: PairInference) -> Correlograms:
    """Correlograms of the pairs that are more probably connected than not, at most 60 of them.

    The null is the most probable one of the usual variances where the connections of both
    directions are as strong as in the mean over their posterior.

    Parameters
    ----------
    counts
        Pairs to choose from, counted as if no neuron knew of another.
    found
        What is inferred of all pairs.
    """
    probable = most_probable(counts, found)[:_MOST_PAIRS]
    chosen = counts.of(probable[pair_probability(counts, found)[probable] > _PROBABLE])
    effect = np.exp(_log_factor(chosen, found.kernel))
    components = covariances(counts.lags_s)
    smooth = SmoothNull.of(components, MULTIPLES[USUAL] * found.null_variances)
    at_rest = np.zeros((chosen.n_pairs, len(smooth.basis)))
    v = smooth.climb(at_rest, chosen.observed, chosen.expected * effect, _N_STEPS)
    null = chosen.expected * smooth.factor(v)
    return Correlograms(
        first=chosen.first,
        second=chosen.second,
        lags_s=chosen.lags_s,
        observed=chosen.observed,
        expected=chosen.expected,
        null=null,
        connected=null * effect,
    )


def most_probable(counts: PairCounts, found: PairInference) -> Int[np.ndarray, " pair"]:
    """All pairs, those first whose more probable connection is the most probable."""
    return np.argsort(-pair_probability(counts, found), kind="stable")


def pair_probability(counts: PairCounts, found: PairInference) -> Float[np.ndarray, " pair"]:
    """Probability of the more probable connection of each pair."""
    probability = found.probability.sum(2)
    return np.maximum(
        probability[counts.first, counts.second], probability[counts.second, counts.first]
    )


def _log_factor(counts: PairCounts, kernel: Kernels) -> Float[np.ndarray, "pair count"]:
    """Change of the log rate at each lag by the connections of both directions."""
    ahead, back = kernel[counts.first, counts.second], kernel[counts.second, counts.first]
    return np.concatenate([back[:, ::-1], np.zeros((counts.n_pairs, 1)), ahead], axis=1)
