"""What correlogram methods share that test each pair for a monosynaptic connection."""

from abc import ABC, abstractmethod
from typing import NamedTuple, Self

import numpy as np
from jaxtyping import Bool

from spikeweft.baselines.correlograms.lag_counts import Correlograms, whole_step_s
from spikeweft.baselines.correlograms.monosynaptic_window import (
    FIRST_LAG_S,
    LONGEST_LAG_S,
    strongest_window,
)
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, check_enough_neurons


class Expectation(NamedTuple):
    """Counts at each lag from 0 on, and what they would be without a connection."""

    observed: Correlograms
    expected: Correlograms
    variance: Correlograms


class MonosynapticEstimator(CircuitEstimator, ABC):
    """An estimator that tests the lags of each pair for a sharp peak or trough.

    Attributes
    ----------
    connectivity_
        A weight is the z score of the 3 ms that differ most from what is expected, among lags from
        1 ms on: positive for a peak, negative for a trough. `latency_s` is where they begin, NaN
        where a pair is not taken for connected.
    connected_
        Pairs taken for connected.
    step_s_
        Step between lags used.
    """

    connected_: Bool[np.ndarray, "post pre"]

    def __init__(self, *, step_s: float = 0.0005, longest_lag_s: float = LONGEST_LAG_S) -> None:
        self.step_s = step_s
        self.longest_lag_s = longest_lag_s

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the longest lag,
            or where a setting makes no sense.
        """
        check_enough_neurons(X)
        self.step_s_ = whole_step_s(X, self.step_s, self.longest_lag_s)
        n_lags = round(self.longest_lag_s / self.step_s_)
        if n_lags < round(FIRST_LAG_S / self.step_s_):
            raise InputError(
                f"lags of up to {1000 * self.longest_lag_s:g} ms end before that of "
                f"{1000 * FIRST_LAG_S:g} ms from which on connections are looked for; choose a "
                "longer lag"
            )
        strongest = strongest_window(*self._expect(X, self.step_s_, n_lags), self.step_s_)
        self.connected_ = strongest.connected
        self.connectivity_ = Connectivity(
            weights=strongest.z,
            latency_s=np.where(strongest.connected, strongest.first_lag_s, np.nan),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "step_s": self.step_s_},
        )
        return self

    @abstractmethod
    def _expect(self, recording: Recording, step_s: float, n_lags: int) -> Expectation:
        """What correlograms hold at lags from 0 to `n_lags`, and what is expected there."""
