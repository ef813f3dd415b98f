"""Inverse covariance of spike counts: the naive mean field, the quickest way to explain away."""

from typing import Self

import numpy as np
from jaxtyping import Float, Int

from spikeweft.baselines.same_bin.same_bin_estimator import SameBinEstimator
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.spike_counts import SpikeCounts


class InverseCovariance(SameBinEstimator):
    """Naive mean-field couplings: minus the inverse covariance of counts in the same bin.

    In mean field, the covariance of an Ising model obeys C⁻¹ = P⁻¹ - J, with P the neurons' own
    variances (Roudi, Tyrcha & Hertz 2009, Phys. Rev. E 79:051915). So off the diagonal the
    couplings are -C⁻¹, without further normalisation; dividing by its diagonal would give partial
    correlations. Linear response of a Poisson GLM with the same inputs gives the same, there with
    P the mean counts: hence counts are taken as they are, not as spins. The couplings are
    symmetric and have no direction in time.

    Neurons whose count never varies have no couplings. Where the covariance has no inverse, of
    identical spike trains or fewer bins than neurons, its pseudo-inverse is taken.

    Parameters
    ----------
    bin_s
        Bin width in seconds, about the time that a synapse acts. Bins cut short by the end of an
        epoch are left out.
    """

    def fit_counts(self, binned: SpikeCounts) -> Self:
        """Infer the circuit from counts, where spike times would not fit into memory."""
        self.connectivity_ = Connectivity(
            weights=_mean_field_couplings(binned.counts),
            metadata={"method": "inverse covariance", "bin_s": binned.bin_s},
        )
        return self


def _mean_field_couplings(
    counts: Int[np.ndarray, "time neuron"],
) -> Float[np.ndarray, "neuron neuron"]:
    couplings = np.zeros((counts.shape[1], counts.shape[1]))
    varied = np.flatnonzero(np.ptp(counts, axis=0) > 0)
    if len(varied) > 1:
        covariance = np.cov(counts[:, varied], rowvar=False)
        couplings[np.ix_(varied, varied)] = -np.linalg.pinv(covariance, hermitian=True)
    np.fill_diagonal(couplings, 0.0)
    return couplings
