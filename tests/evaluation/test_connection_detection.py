import numpy as np
import pytest
from sklearn.metrics import average_precision_score, matthews_corrcoef, roc_auc_score

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.connection_detection import (
    certainty,
    connection_order,
    evidence,
    latency_share,
    matthews_correlation,
)

N = 20
PAIRS = ~np.eye(N, dtype=bool)


def truth(seed=0):
    rng = np.random.default_rng(seed)
    connected = (rng.random((N, N)) < 0.15) & PAIRS
    weights = np.where(connected, np.where(np.arange(N) < 15, 1.0, -1.5), 0.0)
    latency_s = np.where(connected, 1e-3 * rng.integers(1, 15, (N, N)), np.nan)
    return Connectivity(weights=weights, latency_s=latency_s)


def guess(noise, seed=1):
    """The true weights in noise."""
    return truth().weights + noise * np.random.default_rng(seed).standard_normal((N, N))


def test_scores_are_those_of_scikit_learn():
    true, found = truth(), Connectivity(weights=guess(0.8))
    order = connection_order(found, true)
    weights, score = true.weights[PAIRS], found.weights[PAIRS]
    assert order.average_precision == average_precision_score(weights != 0, np.abs(score))
    assert order.roc_area == roc_auc_score(weights != 0, np.abs(score))
    excitatory = weights >= 0
    assert order.excitatory_average_precision == average_precision_score(
        weights[excitatory] > 0, np.maximum(score[excitatory], 0.0)
    )
    inhibitory = weights <= 0
    assert order.inhibitory_average_precision == average_precision_score(
        weights[inhibitory] < 0, np.maximum(-score[inhibitory], 0.0)
    )
    connected = np.abs(found.weights) > 0.9
    expected = matthews_corrcoef(weights != 0, connected[PAIRS])
    assert matthews_correlation(connected, true) == expected


def test_the_truth_is_in_order_and_the_wrong_sign_is_not():
    true = truth()
    assert connection_order(true, true).average_precision == 1.0
    assert connection_order(true, true).inhibitory_average_precision == 1.0
    turned = connection_order(Connectivity(weights=-true.weights), true)
    assert turned.average_precision == 1.0
    assert turned.excitatory_average_precision < 0.3


def test_where_nothing_is_connected_there_is_no_order():
    nothing = Connectivity(weights=np.zeros((N, N)))
    order = connection_order(Connectivity(weights=guess(1.0)), nothing)
    assert np.isnan(order.average_precision)
    assert np.isnan(order.roc_area)
    assert np.isnan(matthews_correlation(PAIRS, nothing))


def test_evidence_is_a_probability_before_a_standard_error_before_a_weight():
    weights, error = guess(1.0), np.full((N, N), 0.5)
    error[3, 4] = np.inf
    probability = np.random.default_rng(2).random((N, N))
    bare = Connectivity(weights=weights)
    np.testing.assert_array_equal(evidence(bare), weights)
    in_errors = evidence(Connectivity(weights=weights, standard_error=error))
    assert in_errors[3, 4] == 0.0
    np.testing.assert_allclose(in_errors[5], np.where(PAIRS[5], weights[5] / 0.5, 0.0))
    stated = Connectivity(weights=weights, standard_error=error, probability=probability)
    np.testing.assert_array_equal(evidence(stated), np.sign(weights) * probability)


def test_latencies_count_within_a_millisecond_among_the_connections_found():
    true = truth()
    assert true.latency_s is not None
    found = true.weights != 0
    post, pre = np.nonzero(found)
    latency_s = true.latency_s + 1e-3
    latency_s[post[0], pre[0]] += 1e-3
    stated = Connectivity(weights=true.weights, latency_s=latency_s)
    assert latency_share(stated, true, found) == pytest.approx(1 - 1 / found.sum())
    found[post[0], pre[0]] = False
    assert latency_share(stated, true, found) == 1.0
    assert np.isnan(latency_share(stated, true, np.zeros_like(found)))
    assert np.isnan(latency_share(Connectivity(weights=true.weights), true, found))


def test_certainty_says_how_many_sure_pairs_are_connected():
    true = truth()
    probability = np.where(true.weights != 0, 0.99, 0.1)
    np.fill_diagonal(probability, 1.0)
    post, pre = np.argwhere((true.weights == 0) & PAIRS)[0]
    probability[post, pre] = 0.95
    n = int(np.sum(true.weights != 0))
    sure = certainty(Connectivity(weights=true.weights, probability=probability), true)
    assert sure is not None
    assert sure.n_sure == n + 1
    assert sure.sure_correct == pytest.approx(n / (n + 1))
    assert sure.sure_per_thousand == pytest.approx(1000 * (n + 1) / (N * (N - 1)))
    assert certainty(true, true) is None


def test_a_probability_without_a_sign_counts_unless_the_data_do_not_inform_the_pair():
    true = truth()
    probability = np.where(true.weights != 0, 0.99, 0.01)
    nothing = np.zeros((N, N))
    unsigned = Connectivity(weights=nothing, probability=probability)
    assert connection_order(unsigned, true).average_precision == 1.0
    error = np.full((N, N), 0.5)
    error[3] = np.inf
    silent = Connectivity(weights=nothing, probability=probability, standard_error=error)
    assert not evidence(silent)[3].any()


def test_a_pair_of_unknown_probability_has_no_place_in_the_order():
    probability = np.full((N, N), 0.5)
    probability[2, 4] = probability[7, 1] = np.nan
    found = Connectivity(weights=guess(1.0), probability=probability)
    with pytest.raises(InputError, match="NaN of 2 of 380 pairs"):
        connection_order(found, truth())


def test_one_neuron_has_no_pairs_to_be_sure_of():
    alone = Connectivity(weights=np.zeros((1, 1)), probability=np.zeros((1, 1)))
    sure = certainty(alone, alone)
    assert sure is not None
    assert sure.n_sure == 0
    assert np.isnan(sure.sure_per_thousand)


@pytest.mark.parametrize(
    "score",
    [connection_order, certainty, lambda found, true: latency_share(found, true, PAIRS)],
)
def test_circuits_of_different_sizes_are_not_compared(score):
    found = Connectivity(weights=np.zeros((4, 4)), probability=np.zeros((4, 4)))
    with pytest.raises(InputError, match="truth has 20 neurons but the inferred circuit has 4"):
        score(found, truth())
