"""GLMCC: a slow wave and two synaptic effects, fitted to each correlogram."""

from typing import Self

import numpy as np
from jaxtyping import Bool, Float
from scipy.special import ndtri

from spikeweft.baselines.correlograms.glmcc_posterior import SMOOTHNESS, PairFits, fit_pairs
from spikeweft.baselines.correlograms.lag_counts import cross_correlograms, whole_step_s
from spikeweft.baselines.correlograms.monosynaptic_window import LONGEST_LAG_S
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.estimator import CircuitEstimator, check_enough_neurons

_STEP_S = 0.001

_WINDOW_S = 0.05

_DECAY_S = 0.004

_ERROR = 1.57

_FALSE_POSITIVES = 0.001

_FEWEST_PAIRS = 10.0


class GLMCC(CircuitEstimator):
    r"""Connections from a generalised linear model of each cross-correlogram.

    Kobayashi et al. (2019, Nat. Commun. 10:4468): the correlogram of two neurons up to lags of
    50 ms is a slow wave and an effect of each neuron on the other,

    .. math:: c(t) = \exp\left(a(t) + J_{12} f(t) + J_{21} f(-t)\right), \qquad
              f(t) = e^{-(t - d) / τ}, \; t ≥ d,

    with the prior :math:`\exp(-γ^{-1} \int \dot a^2 dt)`, γ = 5·10⁻⁴ per ms and τ = 4 ms, at the
    maximum of the posterior. Both directions have the same delay d, the one of the highest
    posterior. A connection is taken for one where :math:`|J| > 1.57 z_α / \sqrt{τ c}`, with
    α = .001 and :math:`c` the slow wave while the effect lasts. As in the authors' program, nothing
    is said where :math:`τ c` is ten pairs of spikes or less, and J stays between -3 and 5.

    The authors try delays of 1 to 4 ms. Here they go on to `longest_delay_s`, and α is divided by
    a quarter of their number (chosen). Bins are centred on whole milliseconds, as spike times on a
    grid of milliseconds need it (chosen).

    Parameters
    ----------
    longest_delay_s
        Longest delay tried in seconds (chosen); delays are 1 ms apart.

    Attributes
    ----------
    connectivity_
        Weights are J: how much higher the log rate is when the effect begins; `standard_error` is
        that of the authors' threshold, infinite where nothing is said; `latency_s` is the delay of
        pairs taken for connected.
    connected_
        Pairs taken for connected.
    """

    connected_: Bool[np.ndarray, "post pre"]

    def __init__(self, *, longest_delay_s: float = LONGEST_LAG_S) -> None:
        self.longest_delay_s = longest_delay_s

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the longest
            delay, or where a setting makes no sense.
        """
        check_enough_neurons(X)
        step_s = whole_step_s(X, _STEP_S, self.longest_delay_s)
        n_lags = max(round(_WINDOW_S / step_s), round(self.longest_delay_s / step_s) + 2)
        counts = cross_correlograms(X, step_s, n_lags)
        post, pre = np.tril_indices(X.n_neurons, -1)
        filled = counts[post, pre].any(1)
        post, pre = post[filled], pre[filled]
        effects, delays_s = self._effects(step_s, n_lags)
        # γ is per ms: with longer bins neighbours differ more.
        smoothness = SMOOTHNESS * _STEP_S / step_s
        fits = fit_pairs(counts[post, pre], effects, smoothness)
        self._keep(X, fits, post, pre, delays_s, step_s)
        return self

    def _effects(
        self, step_s: float, n_lags: int
    ) -> tuple[Float[np.ndarray, "delay lag"], Float[np.ndarray, " delay"]]:
        """F at each lag by delay, and the delays."""
        delays_s = step_s * np.arange(1, round(self.longest_delay_s / step_s) + 1)
        since_s = step_s * np.arange(-n_lags, n_lags + 1) - delays_s[:, None]
        acts = since_s > -step_s / 2
        return np.exp(-np.where(acts, since_s, np.inf) / _DECAY_S), delays_s

    def _keep(
        self,
        X: Recording,
        fits: PairFits,
        post: np.ndarray,
        pre: np.ndarray,
        delays_s: Float[np.ndarray, " delay"],
        step_s: float,
    ) -> None:
        n_pairs = _DECAY_S / step_s * fits.baseline
        error = np.where(n_pairs > _FEWEST_PAIRS, _ERROR / np.sqrt(np.maximum(n_pairs, 1)), np.inf)
        strength = np.where(np.isfinite(error), fits.strength, 0.0)
        z = -ndtri(_FALSE_POSITIVES / 2 / max(1.0, len(delays_s) / 4))
        connected = np.abs(strength) > z * error
        latency_s = np.where(connected, delays_s[fits.delay][:, None], np.nan)
        self.connected_ = _both(X.n_neurons, post, pre, connected, False)
        self.connectivity_ = Connectivity(
            weights=_both(X.n_neurons, post, pre, strength, 0.0),
            standard_error=_both(X.n_neurons, post, pre, error, np.inf),
            latency_s=_both(X.n_neurons, post, pre, latency_s, np.nan),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "GLMCC", "longest_delay_s": self.longest_delay_s},
        )


def _both(
    n_neurons: int, post: np.ndarray, pre: np.ndarray, values: np.ndarray, otherwise: float | bool
) -> np.ndarray:
    """A matrix from the values of pairs: those at positive lags, then those at negative ones."""
    matrix = np.full((n_neurons, n_neurons), otherwise, dtype=values.dtype)
    matrix[post, pre], matrix[pre, post] = values.T
    return matrix
