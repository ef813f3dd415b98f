"""Filters over spike history: the raised-cosine basis, and spike counts seen through it."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

_LINEAR_UNTIL_S = 0.005  # also the area of each function

_BLOCK = 64


def raised_cosine_basis(n_basis: int, n_lags: int, bin_s: float) -> Float[np.ndarray, "lag basis"]:
    """Raised cosines over the lags before a bin, equally spaced in the logarithm of the lag.

    Fine where synapses act, just after a spike, and coarse later (Pillow et al. 2008). The first
    peaks at the first lag and the last has decayed at the end of the window. The logarithm is
    stretched so that it is about linear within the first 5 ms. All have the same area, 5 ms, so
    that a prior on their coefficients treats equally what each adds to a filter's sum.
    """
    since_first_lag_s = np.arange(n_lags) * bin_s
    position = np.log1p(since_first_lag_s / _LINEAR_UNTIL_S)
    spacing = np.log1p(n_lags * bin_s / _LINEAR_UNTIL_S) / n_basis
    distance = position[:, None] / spacing - np.arange(n_basis)
    cosines = 0.5 * (1 + np.cos(np.pi * np.clip(distance, -1, 1)))
    return cosines * _LINEAR_UNTIL_S / (cosines.sum(axis=0) * bin_s)


class SpikeHistory:
    """Spike counts convolved with each function of a basis, strictly before each bin.

    The convolution is a product with a banded matrix, block by block: as fast as the matrix
    products that use its result, so that it is made anew each time rather than stored.
    """

    def __init__(self, basis: Float[np.ndarray, "lag basis"]) -> None:
        self.basis = basis
        self.n_lags, self.n_basis = basis.shape
        band = np.zeros((_BLOCK, self.n_basis, self.n_lags + _BLOCK))
        for row in range(_BLOCK):
            band[row, :, row : row + self.n_lags] = basis[::-1].T
        self._band = torch.from_numpy(band).float().flatten(0, 1)

    def __call__(
        self, counts: Int[np.ndarray, "time neuron"], start: int, stop: int
    ) -> Float[Tensor, "bin feature"]:
        """Features of the bins from `start` to `stop`, neuron by neuron for each function.

        Bins before the first hold no spikes.
        """
        n_blocks = -(-(stop - start) // _BLOCK)
        first = max(start - self.n_lags, 0)
        known = torch.zeros(n_blocks * _BLOCK + self.n_lags, counts.shape[1])
        offset = first - (start - self.n_lags)
        known[offset : offset + stop - first] = torch.from_numpy(counts[first:stop])
        blocks = known.unfold(0, _BLOCK + self.n_lags, _BLOCK).transpose(1, 2)
        filtered = torch.matmul(self._band, blocks)
        return filtered.reshape(n_blocks * _BLOCK, -1)[: stop - start]
