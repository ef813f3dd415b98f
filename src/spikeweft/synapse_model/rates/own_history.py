"""A neuron's own past spikes: refractoriness, bursts, adaptation."""

from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

EDGES_S = 1e-3 * np.array(
    [0, 1, 2, 3, 4, 6, 8, 11, 15, 20, 28, 40, 56, 80, 112, 160, 220, 300], dtype=float
)
"""Edges of the lags between which a past spike's effect is constant."""


class OwnHistory(NamedTuple):
    """For each lag in steps, from 1 on, the piece of the history filter it belongs to."""

    piece_of_lag: Int[np.ndarray, " lag"]
    n_pieces: int

    @classmethod
    def of(cls, step_s: float) -> Self:
        """The pieces that steps of this length resolve."""
        n_lags = max(1, round(EDGES_S[-1] / step_s))
        lag_s = np.arange(1, n_lags + 1) * step_s
        edge = np.searchsorted(EDGES_S, lag_s - 1e-9) - 1
        _, piece = np.unique(np.minimum(edge, len(EDGES_S) - 2), return_inverse=True)
        return cls(piece.astype(np.int64), int(piece.max()) + 1)

    @property
    def first_lags(self) -> Int[np.ndarray, " edge"]:
        """The lag in steps from which on each piece holds, and the first that none holds."""
        begins = np.flatnonzero(np.diff(self.piece_of_lag, prepend=-1))
        return np.append(begins, len(self.piece_of_lag)) + 1

    def filter(self, weights: Float[np.ndarray, " piece"]) -> Float[np.ndarray, " lag"]:
        """What a spike adds to the log rate at each later step."""
        return weights[self.piece_of_lag]
