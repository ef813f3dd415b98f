"""Chances and distributions from how much of each kind there is; none becomes impossible."""

import numpy as np
from jaxtyping import Float

_PRIOR_PAIRS, _PRIOR_CONNECTIONS = 30.0, 0.5

_LEAST_CHANCE, _LARGEST_CHANCE = 1e-5, 0.3

_FLAT = 0.1
"""Share of each distribution that stays as likely for all kernels."""


def chance_of(
    n_connections: Float[np.ndarray, "*kind"], n_pairs: Float[np.ndarray, "*kind"] | int
) -> Float[np.ndarray, "*kind"]:
    """Chance of a connection, from how many of how many pairs there are of each kind."""
    chance = (n_connections + _PRIOR_CONNECTIONS) / (n_pairs + _PRIOR_PAIRS)
    return np.clip(chance, _LEAST_CHANCE, _LARGEST_CHANCE)


def distribution_of(number: Float[np.ndarray, "*type kind"]) -> Float[np.ndarray, "*type kind"]:
    """A distribution from numbers of connections of each kind; no kind is impossible."""
    n_kinds = number.shape[-1]
    counted = number + 1 / n_kinds
    return (1 - _FLAT) * counted / counted.sum(-1, keepdims=True) + _FLAT / n_kinds
