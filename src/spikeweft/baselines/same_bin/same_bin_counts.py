"""Snapshots of a circuit: what all neurons do in one bin, each bin a sample without a past.

Models of the neurons' counts in the same bin see a recording so. The bins are read part by part,
so that memory does not grow with the recording beyond the counts themselves.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.errors import InputError
from spikeweft.runtime.parallel import shares, side_by_side

_PART = 8192

_CURVATURE_BINS = 2**16

_ROUNDING = 1e-6

Coefficients = Float[Tensor, "neuron feature"]

OfBins = Callable[[Float[Tensor, "bin feature"], Float[Tensor, "bin neuron"]], tuple[Tensor, ...]]


def whole_bins(recording: Recording, bin_s: float) -> SpikeCounts:
    """Spike counts in the bins that were recorded to their end.

    Raises
    ------
    InputError
        Where the bin width is not positive, or no epoch is as long as a bin.
    """
    if not 0 < bin_s < np.inf:
        raise InputError(f"a bin of {bin_s} s holds no spikes; choose a width above 0 s")
    longest_s = float(np.max(recording.epochs_s[:, 1] - recording.epochs_s[:, 0]))
    if longest_s < bin_s * (1 - _ROUNDING):
        raise InputError(
            f"no epoch is as long as a bin of {bin_s:g} s; use longer epochs or a narrower bin"
        )
    binned = recording.counts(min(bin_s, recording.duration_s))
    whole = binned.exposure_s > bin_s * (1 - _ROUNDING)
    return SpikeCounts(
        counts=binned.counts[whole],
        exposure_s=binned.exposure_s[whole],
        start_s=binned.start_s[whole],
        epoch=binned.epoch[whole],
        bin_s=bin_s,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Counts of some neurons, bin by bin.

    The features of a bin are the neurons' counts, less their means, and a one: so a constant does
    not compete with the weights.
    """

    counts: Int[np.ndarray, "time neuron"]
    mean: Float[Tensor, " neuron"]

    @classmethod
    def of(cls, counts: Int[np.ndarray, "time neuron"]) -> Self:
        """Snapshots of these counts."""
        return cls(counts=counts, mean=torch.from_numpy(counts.mean(axis=0)))

    @property
    def n_bins(self) -> int:
        """How many bins there are."""
        return len(self.counts)

    @property
    def n_neurons(self) -> int:
        """How many neurons there are."""
        return self.counts.shape[1]

    def total(self, of_bins: OfBins) -> tuple[Tensor, ...]:
        """Sum over all bins of what a function makes of the features and counts of some."""

        def of_share(share: list[slice]) -> tuple[Tensor, ...]:
            return reduce(_add, (of_bins(*self._read(part)) for part in share))

        return reduce(_add, side_by_side(of_share, shares(self._parts())))

    def curvature(
        self, weigh: Callable[[Float[Tensor, "bin feature"]], Float[Tensor, "bin neuron"]]
    ) -> Float[Tensor, "neuron feature feature"]:
        """For each neuron, the sum over bins of its weight there times the features' outer product.

        In long recordings it is an estimate from evenly spaced bins, and always of single
        precision: it shapes the steps towards a maximum, and does not move the maximum.
        """
        stride = max(1, self.n_bins // max(_CURVATURE_BINS, 50 * (self.n_neurons + 1)))
        n_features = self.n_neurons + 1
        total = torch.zeros(self.n_neurons, n_features, n_features)
        for part in self._parts(stride):
            features = self._read(part)[0]
            weights, single = weigh(features).float(), features.float()
            side_by_side(
                lambda i, w=weights, f=single: total[i].addmm_(f.T * w[:, i], f),
                range(self.n_neurons),
            )
        return total.double() * self.n_bins / len(range(0, self.n_bins, stride))

    def _parts(self, stride: int = 1) -> list[slice]:
        reach = _PART * stride
        return [slice(first, first + reach, stride) for first in range(0, self.n_bins, reach)]

    def _read(
        self, part: slice
    ) -> tuple[Float[Tensor, "bin feature"], Float[Tensor, "bin neuron"]]:
        counts = torch.from_numpy(self.counts[part]).double()
        ones = torch.ones(len(counts), 1, dtype=torch.float64)
        return torch.cat([counts - self.mean, ones], dim=1), counts


def _add(one: tuple[Tensor, ...], other: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))
