"""A recording in bins, for models that predict each bin from the bins before."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int, Int16
from torch import Tensor

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import ScoredCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class BinnedHistory:
    """Spikes in bins; the history of those that are scored is a view by index arithmetic.

    Attributes
    ----------
    counts
        All spikes.
    spikes, exposure_s
        Spikes and time within scored epochs only.
    start_s, width_s
        Start and length of each bin, scored or not.
    scored
        BinnedHistory that hold scored time; the history of each lies in the same epoch.
    """

    counts: Int16[Tensor, "time neuron"]
    spikes: Int16[Tensor, "time neuron"]
    exposure_s: Float[np.ndarray, " time"]
    start_s: Float[np.ndarray, " time"]
    width_s: Float[np.ndarray, " time"]
    scored: Int[np.ndarray, " sample"]
    history_bins: int
    bin_s: float
    drive_rad: Float32[Tensor, " time"] | None = None

    @classmethod
    def of(cls, X: Recording, bin_s: float, history_window_s: float) -> Self:
        """Bin a recording; scored time is that of `scored_epochs`."""
        binned = ScoredCounts.of(X, bin_s, history_window_s)
        return cls(
            counts=torch.from_numpy(binned.counts.astype(np.int16)),
            spikes=torch.from_numpy(binned.scored_spikes.astype(np.int16)),
            exposure_s=binned.scored_s,
            start_s=binned.start_s,
            width_s=binned.exposure_s,
            scored=np.flatnonzero(binned.scored_s),
            history_bins=math.floor(history_window_s / bin_s + 1e-6),
            bin_s=bin_s,
        )

    def __len__(self) -> int:
        return len(self.scored)

    def history(self, chosen: Int[np.ndarray, " batch"]) -> Float32[Tensor, "batch lag neuron"]:
        """Counts in the bins before each of the chosen scored ones, the latest last."""
        time = self.scored[chosen][:, None] + np.arange(-self.history_bins, 0)
        return self.counts[torch.from_numpy(time)].float()

    def observed(
        self, chosen: Int[np.ndarray, " batch"]
    ) -> tuple[Float32[Tensor, "batch neuron"], Float32[Tensor, "batch 1"]]:
        """Spikes in the chosen scored bins, and the part of each bin that is scored."""
        time = self.scored[chosen]
        part = torch.from_numpy(self.exposure_s[time, None] / self.bin_s)
        return self.spikes[torch.from_numpy(time)].float(), part.float()

    def drive(self, chosen: Int[np.ndarray, " batch"]) -> Float32[Tensor, " batch"] | None:
        """The external drive in the chosen scored bins."""
        return None if self.drive_rad is None else self.drive_rad[self.scored[chosen]]

    def evenly(self, n: int) -> Int[np.ndarray, " sample"]:
        """Scored bins spread over the recording; some repeat where there are fewer than n."""
        return np.linspace(0, len(self) - 1, n).round().astype(np.int64)


def rebin(
    expected: Float32[np.ndarray, "time neuron"],
    width_s: Float[np.ndarray, " time"],
    new_width_s: Float[np.ndarray, " new"],
) -> Float[np.ndarray, "new neuron"]:
    """Expected counts in other bins of the same recorded time; rates are constant within a bin."""
    edge_s = np.concatenate([[0.0], np.cumsum(width_s)])
    new_edge_s = np.concatenate([[0.0], np.cumsum(new_width_s)])
    rebinned = np.empty((len(new_width_s), expected.shape[1]))
    for neuron in range(expected.shape[1]):
        total = np.concatenate([[0.0], np.cumsum(expected[:, neuron], dtype=float)])
        rebinned[:, neuron] = np.diff(np.interp(new_edge_s, edge_s, total))
    return rebinned
