"""Sharp peaks and troughs above a correlogram smoothed by a hollow Gaussian."""

from spikeweft.baselines.correlograms.hollow_gaussian import SMOOTHING_S, reach, smooth
from spikeweft.baselines.correlograms.lag_counts import cross_correlograms
from spikeweft.baselines.correlograms.monosynaptic_estimator import (
    Expectation,
    MonosynapticEstimator,
)
from spikeweft.data.recording import Recording


class HollowCorrelogram(MonosynapticEstimator):
    """Which correlograms have a monosynaptic peak or trough that a hollow Gaussian does not have.

    What slow changes of rate would give is the correlogram itself, smoothed by a Gaussian of 10 ms
    of whose middle lag 60 % are taken out; counts are Poisson around it, and tails are corrected
    for continuity (Stark & Abeles 2009, J. Neurosci. Methods 179:90; for connections to
    interneurons English et al. 2017, Neuron 96:505). Those authors look at lags up to a few
    milliseconds; here the strongest 3 ms up to `longest_lag_s` count, and the threshold is theirs,
    a false positive in 1,000 pairs, corrected for the number of lags (chosen).

    Parameters
    ----------
    step_s
        Step between lags in seconds (chosen), rounded to a multiple of the time resolution.
    longest_lag_s
        Longest lag at which a connection may act (chosen).
    """

    def _expect(self, recording: Recording, step_s: float, n_lags: int) -> Expectation:
        spread = SMOOTHING_S / step_s
        zero = n_lags + reach(spread)
        counts = cross_correlograms(recording, step_s, zero)
        lags = slice(zero, zero + n_lags + 1)
        observed, expected = counts[:, :, lags], smooth(counts, spread)[:, :, lags]
        return Expectation(observed, expected, expected)
