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
        Bins that hold scored time; the history of each lies in the same epoch.
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
        binned = ScoredCounts.of(X, bin_s, history_window_s, dtype=np.int16)
        return cls(
            counts=torch.from_numpy(binned.counts),
            spikes=torch.from_numpy(binned.scored_spikes),
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

    def stretches(self, longest: int) -> Int[np.ndarray, " stretch"]:
        """First bins of stretches of consecutive bins, `longest` each, which hold all scored ones.

        Each run of scored bins is cut from its start on. What is left at its end, where it is no
        whole stretch, is filled up with the bins that follow.
        """
        run_starts = np.flatnonzero(np.diff(self.scored, prepend=-2) != 1)
        run_bins = np.diff(run_starts, append=len(self))
        starts = [
            self.scored[start] + np.arange(0, n, longest)
            for start, n in zip(run_starts, run_bins, strict=True)
        ]
        return np.minimum(np.concatenate(starts), len(self.counts) - longest)

    def stretch_history(
        self, starts: Int[np.ndarray, " stretch"], n_bins: int
    ) -> Float32[Tensor, "stretch lag neuron"]:
        """Counts from a history window before the first bin of stretches to before their last."""
        lags = np.arange(-self.history_bins, n_bins - 1)
        time = np.minimum(starts[:, None] + lags, len(self.counts) - 1)
        return self.counts[torch.from_numpy(time)].float()

    def stretch_observed(
        self, starts: Int[np.ndarray, " stretch"], n_bins: int
    ) -> tuple[Float32[Tensor, "stretch bin neuron"], Float32[Tensor, "stretch bin 1"]]:
        """Spikes in the bins of stretches, and the part of each bin that is scored."""
        time = starts[:, None] + np.arange(n_bins)
        part = torch.from_numpy(self.exposure_s[time, None] / self.bin_s)
        return self.spikes[torch.from_numpy(time)].float(), part.float()

    def stretch_drive(
        self, starts: Int[np.ndarray, " stretch"], n_bins: int
    ) -> Float32[Tensor, "stretch bin"] | None:
        """The external drive in the bins of stretches."""
        if self.drive_rad is None:
            return None
        time = np.minimum(starts[:, None] + np.arange(n_bins), len(self.counts) - 1)
        return self.drive_rad[torch.from_numpy(time)]

    def evenly(self, n: int, n_consecutive: int = 1) -> Int[np.ndarray, " sample"]:
        """Scored bins spread over the recording, some in a row; some repeat where they are few."""
        first = np.linspace(0, max(0, len(self) - n_consecutive), max(1, n // n_consecutive))
        chosen = first.round().astype(np.int64)[:, None] + np.arange(n_consecutive)
        return chosen.ravel()


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
