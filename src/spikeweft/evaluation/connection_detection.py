"""How well connections are told from pairs without one: order, decisions, latencies, certainty."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import check_same_size

SURE = 0.95
"""Probability from which a connection counts as said to be sure."""

_TOLERANCE_S = 0.001

_ROUNDING_S = 1e-6

_NAN = float("nan")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionOrder:
    """How well all ordered pairs of different neurons are put in order, by `evidence`.

    Attributes
    ----------
    average_precision
        Connections of either sign before pairs without one; of a guess, their share of all pairs.
    excitatory_average_precision, inhibitory_average_precision
        Connections of one sign before pairs without one, by evidence for that sign.
    roc_area
        Area under the receiver operating characteristic of connections of either sign; ½ of a
        guess.
    """

    average_precision: float
    excitatory_average_precision: float
    inhibitory_average_precision: float
    roc_area: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Certainty:
    """Pairs said to be connected with a probability of 95 % or more, and how many of them are.

    Attributes
    ----------
    n_sure
        How many pairs.
    sure_correct
        Share of them that are connected; NaN of none.
    sure_per_thousand
        How many of a thousand pairs; NaN of none. Where nothing is connected, all of them are
        wrong.
    """

    n_sure: int
    sure_correct: float
    sure_per_thousand: float


def evidence(circuit: Connectivity) -> Float[np.ndarray, "post pre"]:
    """What a circuit says for a connection of each pair: positive where it would excite.

    The sign is the weight's; the size is the probability where the method states one, else the
    weight in standard errors where it states those (0 where the data do not inform it), else the
    weight. A probability whose weight is exactly 0 has no sign and counts as positive, unless the
    data do not inform the pair.
    """
    if circuit.probability is not None:
        sign = np.where(circuit.weights == 0, circuit.informed, np.sign(circuit.weights))
        return sign * circuit.probability
    if circuit.standard_error is None:
        return circuit.weights
    known = circuit.informed & (circuit.standard_error > 0)
    return np.where(known, circuit.weights / np.where(known, circuit.standard_error, 1.0), 0.0)


def connection_order(inferred: Connectivity, true: Connectivity) -> ConnectionOrder:
    """Scores of the order of pairs; NaN where there is nothing to tell from anything.

    Raises
    ------
    InputError
        Where the two circuits have different sizes, or evidence of a pair is NaN.
    """
    check_same_size(inferred, true)
    pairs = true.off_diagonal
    found, weights = evidence(inferred)[pairs], true.weights[pairs]
    n_unknown = int(np.isnan(found).sum())
    if n_unknown:
        raise InputError(
            f"the inferred circuit says NaN of {n_unknown} of {len(found)} pairs, which have no "
            "place in an order; give a probability of 0 to pairs of which nothing is known"
        )
    connected = weights != 0
    sides = {sign: np.maximum(sign * found, 0.0) for sign in (1, -1)}
    one_sided = {
        sign: _average_precision(sign * weights > 0, side, sign * weights >= 0)
        for sign, side in sides.items()
    }
    return ConnectionOrder(
        average_precision=_average_precision(connected, np.abs(found)),
        excitatory_average_precision=one_sided[1],
        inhibitory_average_precision=one_sided[-1],
        roc_area=(float(roc_auc_score(connected, np.abs(found))) if _is_mixed(connected) else _NAN),
    )


def matthews_correlation(connected: Bool[np.ndarray, "post pre"], true: Connectivity) -> float:
    """Correlation of who is taken for connected with who is; NaN where all pairs are alike."""
    pairs = true.off_diagonal
    truth = true.weights[pairs] != 0
    return float(matthews_corrcoef(truth, connected[pairs])) if _is_mixed(truth) else _NAN


def latency_share(
    inferred: Connectivity, true: Connectivity, connected: Bool[np.ndarray, "post pre"]
) -> float:
    """Share of the connections found whose latency is stated to within 1 ms.

    NaN where the method or the truth has no latencies, or none is found.

    Raises
    ------
    InputError
        Where the two circuits have different sizes.
    """
    check_same_size(inferred, true)
    if inferred.latency_s is None or true.latency_s is None:
        return _NAN
    found = connected & (true.weights != 0) & true.off_diagonal
    error_s = np.abs(inferred.latency_s - true.latency_s)[found]
    return float(np.mean(error_s <= _TOLERANCE_S + _ROUNDING_S)) if found.any() else _NAN


def certainty(inferred: Connectivity, true: Connectivity) -> Certainty | None:
    """What becomes of pairs said to be sure; None where the method states no probabilities.

    Raises
    ------
    InputError
        Where the two circuits have different sizes.
    """
    check_same_size(inferred, true)
    if inferred.probability is None:
        return None
    pairs = true.off_diagonal
    sure = inferred.probability[pairs] >= SURE
    n_pairs, n_sure, right = len(sure), int(sure.sum()), true.weights[pairs][sure] != 0
    return Certainty(
        n_sure=n_sure,
        sure_correct=float(right.mean()) if n_sure else _NAN,
        sure_per_thousand=1000.0 * n_sure / n_pairs if n_pairs else _NAN,
    )


def _average_precision(
    positive: Bool[np.ndarray, " pair"],
    score: Float[np.ndarray, " pair"],
    among: Bool[np.ndarray, " pair"] | None = None,
) -> float:
    """Average precision among some pairs; NaN where they are all alike."""
    kept = np.ones_like(positive) if among is None else among
    if not _is_mixed(positive[kept]):
        return _NAN
    return float(average_precision_score(positive[kept], score[kept]))


def _is_mixed(values: Bool[np.ndarray, " pair"]) -> bool:
    return bool(values.any() and not values.all())
