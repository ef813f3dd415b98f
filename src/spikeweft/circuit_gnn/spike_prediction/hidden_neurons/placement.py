"""The shape that a circuit itself gives to its neurons: who is alike, and what lies between them.

Nothing here assumes a ring, a line or a sheet: two neurons are close where they receive alike and
send alike.
"""

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.distance import cdist

_NOISE = 2.858
"""Singular values of pure noise stay below so many medians (Gavish & Donoho 2014, square)."""

_FENCE = 6.0
"""A pair this many interquartile ranges further apart than most is a gap between groups (Tukey)."""

_ROUNDS = 19


def positions(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, "neuron dimension"]:
    """Where a circuit's weights place its neurons: what each receives, then what it sends.

    Distances are those of the rows and of the columns of W, as far as it stands out of noise: by
    the singular values above 2.858 times their median, and at least the first two. The diagonal,
    which is not known, is that of the same approximation (as in principal factor analysis).
    """
    filled = np.array(weights, dtype=float)
    np.fill_diagonal(filled, 0.0)
    for _ in range(_ROUNDS):
        receiving, size, sending = _out_of_noise(filled)
        np.fill_diagonal(filled, np.diag((receiving * size) @ sending))
    receiving, size, sending = _out_of_noise(filled)
    return np.concatenate([receiving * size, sending.T * size], axis=1)


def _out_of_noise(
    matrix: Float[np.ndarray, "post pre"],
) -> tuple[
    Float[np.ndarray, "post kept"], Float[np.ndarray, " kept"], Float[np.ndarray, "kept pre"]
]:
    """Singular vectors and values that stand out of noise, at least the first two."""
    receiving, size, sending = np.linalg.svd(matrix)
    n_kept = max(int(np.sum(size > _NOISE * np.median(size))), min(2, len(size)))
    return receiving[:, :n_kept], size[:n_kept], sending[:n_kept]


def neighbours(
    place: Float[np.ndarray, "neuron dimension"],
) -> Bool[np.ndarray, "neuron neuron"]:
    """Pairs with no third neuron closer to both (relative neighbourhood graph, Toussaint 1980).

    On a ring these are the neurons next to each other; in any shape everyone has a neighbour and
    all are connected through neighbours.
    """
    distance = cdist(place, place)
    detour = np.stack([np.maximum(own, distance).min(axis=1) for own in distance])
    linked = distance <= detour
    np.fill_diagonal(linked, False)
    return linked


def mixtures_between(
    place: Float[np.ndarray, "observed dimension"], n_hidden: int
) -> Float[np.ndarray, "hidden observed"]:
    """Shares of observed neurons in hidden ones, each in turn half-way between two neighbours.

    Always between the neighbours that are furthest apart, hidden neurons placed before among them,
    but not across a gap between groups. Where a circuit tells no neuron from another, a hidden
    neuron is the mean of all.
    """
    n = len(place)
    apart = np.where(neighbours(place), cdist(place, place), 0.0)
    if not apart.any():
        return np.full((n_hidden, n), 1.0 / n)
    apart[apart > _gap(apart[apart > 0])] = 0.0
    shares = np.eye(n)
    for _ in range(n_hidden):
        one, other = np.unravel_index(np.argmax(apart), apart.shape)
        half_way = apart[one, other] / 2
        shares = np.vstack([shares, (shares[one] + shares[other]) / 2])
        apart = np.pad(apart, ((0, 1), (0, 1)))
        apart[one, other] = apart[other, one] = 0.0
        apart[-1, [one, other]] = apart[[one, other], -1] = half_way
    return shares[n:]


def _gap(distance: Float[np.ndarray, " pair"]) -> float:
    """Tukey's outer fence: neighbours further apart belong to different groups."""
    lower, middle, upper = np.quantile(distance, [0.25, 0.5, 0.75])
    return max(upper + _FENCE * (upper - lower), 2.0 * middle)
