"""Excitatory or inhibitory: what all connections that a neuron sends say together (Dale)."""

import numpy as np
from jaxtyping import Float, Int

_TEMPER = 0.5
"""Power of each connection's evidence: connections that one neuron only seems to send have the
same cause, so they count for less than independent ones."""

_LARGEST_LOG = 30.0


def probability_excitatory(
    log_bayes_factor: Float[np.ndarray, "pair 2"],
    pre: Int[np.ndarray, " pair"],
    n_neurons: int,
    sent: Float[np.ndarray, " 2"],
    excitatory_share: float,
) -> Float[np.ndarray, " neuron"]:
    """Probability of each neuron that it excites.

    Parameters
    ----------
    log_bayes_factor
        Of an excitatory and an inhibitory connection of each ordered pair, against none.
    pre
        The presynaptic neuron of each.
    n_neurons
        How many there are.
    sent
        Chance that a neuron of each type sends to another.
    excitatory_share
        Of all neurons.
    """
    factor = np.exp(np.clip(_TEMPER * log_bayes_factor, -_LARGEST_LOG, _LARGEST_LOG))
    of_pair = np.log1p(sent * (factor - 1))
    of_type = np.stack([np.bincount(pre, column, n_neurons) for column in of_pair.T], axis=1)
    log_odds = of_type[:, 0] - of_type[:, 1] + np.log(excitatory_share / (1 - excitatory_share))
    return 1 / (1 + np.exp(-np.clip(log_odds, -_LARGEST_LOG, _LARGEST_LOG)))
