"""Cross-correlograms: who fires just after whom, more often than slow changes of rate explain."""

from typing import Self

import numpy as np

from spikeweft.baselines.correlograms.hollow_gaussian import SMOOTHING_S, reach, smooth
from spikeweft.baselines.correlograms.lag_counts import ROUNDING, cross_correlograms
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, check_enough_neurons

_LAG_BIN_S = 1e-3


class CrossCorrelogram(CircuitEstimator):
    """Excess of spikes shortly after another neuron's, from cross-correlograms of spike pairs.

    What slow changes of rate would give is the cross-correlogram itself, smoothed by a Gaussian
    that is partially hollow, so that a fast peak does not explain itself (Stark & Abeles 2009,
    J. Neurosci. Methods 179:90; 60 % of the middle bin taken out). A weight is what the correlogram
    holds above that, summed over the lags at which a synapse acts: the spikes of the postsynaptic
    neuron that one presynaptic spike adds, or takes away. Lags are those of the postsynaptic after
    the presynaptic spike, so that weights have a direction. Every pair is looked at for itself:
    nothing that a third neuron does to both is explained away.

    Parameters
    ----------
    window_s
        Longest lag that counts, short against the smoothing (chosen). Lags are counted in bins of
        1 ms, or as long as the time resolution where that is coarser; the one around zero is left
        out.
    smoothing_s
        Standard deviation of the Gaussian; 10 ms are the authors'.
    """

    def __init__(self, *, window_s: float = 0.005, smoothing_s: float = SMOOTHING_S) -> None:
        self.window_s = window_s
        self.smoothing_s = smoothing_s

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the window, or
            where a setting makes no sense.
        """
        check_enough_neurons(X)
        lag_bin_s = max(_LAG_BIN_S, X.time_resolution_s)
        self._check_settings(X, lag_bin_s)
        n_window = round(self.window_s / lag_bin_s)
        spread = self.smoothing_s / lag_bin_s
        zero = n_window + reach(spread)
        correlogram = cross_correlograms(X, lag_bin_s, zero)
        excess = correlogram - smooth(correlogram, spread)
        synaptic = slice(zero + 1, zero + n_window + 1)
        weights = excess[:, :, synaptic].sum(2) / np.maximum(X.n_spikes, 1)
        np.fill_diagonal(weights, 0.0)
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "cross-correlogram", "window_s": self.window_s},
        )
        return self

    def _check_settings(self, X: Recording, lag_bin_s: float) -> None:
        if not lag_bin_s * (1 - ROUNDING) <= self.window_s < np.inf:
            raise InputError(
                f"a window of {self.window_s} s holds no lag of {lag_bin_s:g} s; choose a longer"
            )
        if not lag_bin_s * (1 - ROUNDING) <= self.smoothing_s < np.inf:
            raise InputError(
                f"a smoothing of {self.smoothing_s} s is finer than the lags, {lag_bin_s:g} s "
                "apart; choose a longer one"
            )
        if len(scored_epochs(X, self.window_s)) == 0:
            raise InputError(
                f"no epoch is longer than the window of {self.window_s:g} s; use longer epochs "
                "or a shorter window"
            )
