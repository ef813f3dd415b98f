"""How well two circuits agree: correlation of their weights, and who is connected."""

import numpy as np
from jaxtyping import Bool
from sklearn.metrics import average_precision_score

from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_error import check_same_size


def precision_recall_area(inferred: Connectivity, true: Connectivity) -> float:
    """Area under the precision-recall curve of |weight| as a sign of a connection.

    The average precision over all ordered pairs of different neurons; NaN where all or none are
    connected.

    Raises
    ------
    InputError
        Where the two circuits have different sizes.
    """
    check_same_size(inferred, true)
    pairs = true.off_diagonal
    connected = true.weights[pairs] != 0
    if connected.all() or not connected.any():
        return float("nan")
    return float(average_precision_score(connected, np.abs(inferred.weights[pairs])))


Pairs = Bool[np.ndarray, "post pre"]


def agreement(one: Connectivity, other: Connectivity, sound: Pairs | None = None) -> float:
    """Correlation of the weights of two circuits over the pairs that the data of both inform."""
    used = one.informed & other.informed
    if sound is not None:
        used &= sound
    return correlation(one.weights[used], other.weights[used])


def correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson correlation; NaN of fewer than three values, or of constants."""
    if len(one) < 3 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(np.corrcoef(one, other)[0, 1])
