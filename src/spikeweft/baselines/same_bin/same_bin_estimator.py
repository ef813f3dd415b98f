"""What the methods share that read the counts of all neurons in one bin at a time."""

from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Self

from spikeweft.baselines.same_bin.same_bin_counts import whole_bins
from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.estimator import CircuitEstimator, check_enough_neurons


class SameBinEstimator(CircuitEstimator, ABC):
    """An estimator of connectivity from counts in the same bin.

    Parameters
    ----------
    bin_s
        Bin width in seconds. Bins cut short by the end of an epoch are left out.
    """

    def __init__(self, *, bin_s: float = 0.01) -> None:
        self.bin_s = bin_s

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch as long as a bin, or the
            bin is not positive.
        """
        check_enough_neurons(X)
        self.fit_counts(whole_bins(X, self.bin_s))
        self.connectivity_ = replace(
            self.connectivity_, neuron_ids=X.neuron_ids, angle_rad=X.preferred_angle_rad
        )
        return self

    @abstractmethod
    def fit_counts(self, binned: SpikeCounts) -> Self:
        """Infer the circuit from counts, where spike times would not fit into memory."""
