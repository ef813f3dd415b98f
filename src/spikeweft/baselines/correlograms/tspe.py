"""TSPE: edges in cross-correlograms, added up over filters of many widths."""

from functools import cache
from itertools import product
from typing import Self

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.baselines.correlograms.lag_counts import cross_correlograms, whole_step_s
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.data.spike_counts import epoch_of
from spikeweft.estimator import CircuitEstimator, check_enough_neurons

_STEP_S = 0.001

_SURROUNDING, _OBSERVED = range(3, 9), range(2, 7)

_N_DELAYS = 25

_FURTHEST = max(_SURROUNDING)

_FAR_FROM_MEAN = 3.0


class TSPE(CircuitEstimator):
    r"""Total spiking probability edges: the steepest change of the correlogram, as a connection.

    De Blasi et al. (2019, J. Neurosci. Methods 312:169): the cross-correlogram of counts per
    millisecond, normalised by their standard deviations and the number N of bins,

    .. math:: NCC(d) = \frac{1}{N σ_i σ_j} \sum_t y_i(t) y_j(t - d),

    is filtered by :math:`-1/a` on a bins, :math:`2/b` on b bins and :math:`-1/a` on a bins, then by
    a running total of b bins, for a = 3 ... 8 and b = 2 ... 6; the sum over all these filters is
    read at the delay from 0 to 24 ms at which it is farthest from 0. As in the authors' program,
    means are not subtracted from the counts: the filters do that.

    Attributes
    ----------
    connectivity_
        Weights are that sum, which has no unit; `latency_s` is the delay of pairs taken for
        connected.
    connected_
        Pairs whose weight is more than three standard deviations of all weights from their mean
        (chosen; the paper has no threshold).
    """

    connected_: Bool[np.ndarray, "post pre"]

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons, or no epoch longer than the delays.
        """
        check_enough_neurons(X)
        step_s = whole_step_s(X, _STEP_S, _N_DELAYS * max(_STEP_S, X.time_resolution_s))
        reach = _N_DELAYS + _FURTHEST
        counts = cross_correlograms(X, step_s, reach)[:, :, reach - _FURTHEST : -1]
        edges = counts / _normalisation(X, step_s)[:, :, None] @ edge_filters().T
        delay = np.abs(edges).argmax(2)
        weights = np.take_along_axis(edges, delay[:, :, None], axis=2)[:, :, 0]
        np.fill_diagonal(weights, 0.0)
        pairs = ~np.eye(X.n_neurons, dtype=bool)
        far = _FAR_FROM_MEAN * np.std(weights[pairs])
        self.connected_ = pairs & (np.abs(weights - np.mean(weights[pairs])) > far)
        self.connectivity_ = Connectivity(
            weights=weights,
            latency_s=np.where(self.connected_, delay * step_s, np.nan),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "TSPE"},
        )
        return self


@cache
def edge_filters() -> Float[np.ndarray, "delay lag"]:
    """What each lag from -8 on contributes to each delay from 0 on, by all filters together."""
    n_lags = _N_DELAYS + 2 * _FURTHEST
    total = np.zeros((_N_DELAYS, n_lags))
    for n_around, n_inside in product(_SURROUNDING, _OBSERVED):
        around = np.full(n_around, -1 / n_around)
        edge = np.concatenate([around, np.full(n_inside, 2 / n_inside), around])
        used = np.eye(n_lags)[:, _FURTHEST - n_around : n_lags - _FURTHEST + n_around]
        for lag, impulse in enumerate(used):
            filtered = np.convolve(impulse, edge, mode="valid")
            total[:, lag] += np.convolve(filtered, np.ones(n_inside), mode="full")
    return total


def _normalisation(recording: Recording, step_s: float) -> Float[np.ndarray, "post pre"]:
    """Number of bins times the standard deviations of both neurons' counts; 1 for a silent one."""
    n_bins = recording.duration_s / step_s
    epoch = epoch_of(recording.spike_times_s, recording.epochs_s)
    since_s = recording.spike_times_s - recording.epochs_s[epoch, 0]
    bins = np.stack([recording.spike_neurons, epoch, np.floor(since_s / step_s + 1e-6)])
    filled, counts = np.unique(bins, axis=1, return_counts=True)
    squares = np.bincount(
        filled[0].astype(np.int64), weights=counts**2, minlength=recording.n_neurons
    )
    variance = (squares - recording.n_spikes**2 / n_bins) / (n_bins - 1)
    sd = np.sqrt(np.where(variance > 0, variance, 1.0))
    return n_bins * np.outer(sd, sd)
