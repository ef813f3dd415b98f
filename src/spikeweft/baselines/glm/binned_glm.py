"""What the Poisson GLMs share: bins, and predictions from their coefficients."""

from abc import abstractmethod

import numpy as np
from jaxtyping import Float

from spikeweft.baselines.glm.batched_lbfgs import Coefficients
from spikeweft.baselines.glm.poisson_regression import Design, expected_counts
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor


class BinnedGLM(SpikePredictor):
    """A Poisson GLM in bins, whose rate is constant within a bin."""

    bin_s: float
    bin_s_: float
    _coefficients: Coefficients

    @abstractmethod
    def _design(self, X: Recording) -> Design:
        """The regression problem of a recording."""

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time.

        A neuron that never fired in the fit has the rate of half a spike in all.

        Raises
        ------
        InputError
            Where the recording has other neurons, lacks a covariate, or nothing can be scored.
        """
        self.check_fitted(X)
        return self._design(X).log_likelihood(self._coefficients)[0].numpy()

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        In the first history window of an epoch, whose past is not known, it is the mean rate.

        Raises
        ------
        InputError
            Where the recording has other neurons or lacks a covariate.
        """
        self.check_fitted(X)
        design = self._design(X)
        return expected_counts(design, self._coefficients, self.null_rate_hz_, X.counts(bin_s))

    def _check_times(self) -> None:
        for name, time_s in (("bin", self.bin_s), ("history window", self.history_window_s)):
            if not 0 < time_s < np.inf:
                raise InputError(f"a {name} of {time_s} s holds no spikes; choose one above 0 s")

    def _whole_bin_s(self, X: Recording) -> float:
        """The bin width, rounded to a multiple of the recording's time resolution."""
        return X.time_resolution_s * max(1, round(self.bin_s / X.time_resolution_s))
