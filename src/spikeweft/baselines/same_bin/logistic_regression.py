"""Sparse logistic regression of each neuron on the others in the same bin, by scikit-learn."""

from typing import Self

import numpy as np
from jaxtyping import Bool
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from spikeweft.baselines.same_bin.same_bin_counts import whole_bins
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, check_enough_neurons, check_whole_numbers

INVERSE_PENALTIES = (0.01, 0.1, 1.0, 10.0)
"""Values of C tried where none is given, from the sparsest, the quickest to fit, on."""

_N_CHOOSING = 10

_INTERCEPT_SCALING = 1000.0  # liblinear penalises the constant too: so only a thousandth of it

_TOLERANCE = 1e-3

_MAX_ITER = 200

# scikit-learn 1.8 says an L1 penalty in another way than those before.
_L1 = (
    {"l1_ratio": 1.0}
    if LogisticRegression().get_params()["penalty"] == "deprecated"
    else {"penalty": "l1"}
)

Fired = Bool[np.ndarray, "time neuron"]

HeldOut = Bool[np.ndarray, "held_out_time neuron"]


class LogisticRegressionL1(CircuitEstimator):
    """Logistic regression of whether a neuron fires in a bin on who else does (Das & Fiete 2020).

    The log odds that a neuron fires in a bin are a constant plus a weighted sum over the others
    that fire in the same bin. An L1 penalty makes most weights zero. It has no direction in time,
    yet the two weights of a pair differ. Neurons that fire in no bin, or in all, have no weights.

    Parameters
    ----------
    bin_s
        Bin width in seconds; Das & Fiete (2020) took the decay time of the synapses, 10 ms. Bins
        cut short by the end of an epoch are left out.
    C
        Inverse strength of the penalty, scikit-learn's, the same for all neurons. Where none is
        given, the one of `INVERSE_PENALTIES` that predicts the last tenth of the bins best from
        the rest is used: by the log-loss of all neurons, or of 10 where there are more.
    random_state
        Seed of the order in which liblinear visits the weights.

    Attributes
    ----------
    C_
        Inverse strength used.
    n_iter_
        Iterations of each neuron's fit; liblinear stops by itself before 200.
    """

    def __init__(
        self, *, bin_s: float = 0.01, C: float | None = None, random_state: int = 0
    ) -> None:
        self.bin_s = bin_s
        self.C = C
        self.random_state = random_state

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch as long as a bin, or where
            a setting makes no sense.
        """
        check_enough_neurons(X)
        check_whole_numbers(self)
        if self.C is not None and not 0 < self.C < np.inf:
            raise InputError(f"C is {self.C}, which is no penalty; choose one above 0, or None")
        fired = whole_bins(X, self.bin_s).counts > 0
        self.C_ = self._choose_penalty(fired) if self.C is None else float(self.C)
        weights = np.zeros((X.n_neurons, X.n_neurons))
        self.n_iter_ = np.zeros(X.n_neurons, dtype=int)
        for neuron in _varied(fired):
            model = self._regression(fired, neuron, self.C_)
            weights[neuron, np.arange(X.n_neurons) != neuron] = model.coef_[0]
            self.n_iter_[neuron] = model.n_iter_[0]
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "L1 logistic regression", "bin_s": self.bin_s, "C": self.C_},
        )
        return self

    def _choose_penalty(self, fired: Fired) -> float:
        early, late = np.split(fired, [len(fired) - int(BASELINE_VALIDATION_FRACTION * len(fired))])
        able = _varied(early)
        sample = able[:: -(-len(able) // _N_CHOOSING) or 1]
        best_C, best_loss = INVERSE_PENALTIES[0], np.inf
        if len(late) == 0:
            return best_C
        for C in INVERSE_PENALTIES:
            loss = sum(self._held_out_loss(early, late, neuron, C) for neuron in sample)
            if loss >= best_loss:
                break
            best_C, best_loss = C, loss
        return best_C

    def _held_out_loss(self, early: Fired, late: HeldOut, neuron: int, C: float) -> float:
        model = self._regression(early, neuron, C)
        probability = model.predict_proba(_others(late, neuron))[:, 1]
        return float(log_loss(late[:, neuron], probability, labels=[False, True]))

    def _regression(self, fired: Fired, neuron: int, C: float) -> LogisticRegression:
        model = LogisticRegression(
            C=C,
            solver="liblinear",
            intercept_scaling=_INTERCEPT_SCALING,
            tol=_TOLERANCE,
            max_iter=_MAX_ITER,
            random_state=self.random_state,
        ).set_params(**_L1)
        return model.fit(_others(fired, neuron), fired[:, neuron])


def _others(fired: Bool[np.ndarray, "_ neuron"], neuron: int) -> csr_matrix:
    return csr_matrix(np.delete(fired, neuron, axis=1), dtype=float)


def _varied(fired: Bool[np.ndarray, "_ neuron"]) -> list[int]:
    """Neurons that fire in some bins and not in others."""
    return np.flatnonzero(fired.any(axis=0) & ~fired.all(axis=0)).tolist()
