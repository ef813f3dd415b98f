"""The prior of the weights of each neuron, from weights whose spread is known."""

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.weight_prior import estimated_precision, precision_prior

N_WEIGHTS = 40


def squares(precision, rng):
    """Sums of squares of the weights of neurons whose weights have some precision."""
    return rng.chisquare(N_WEIGHTS, len(precision)) / precision


def drawn(freedom, rng, n_neurons=400):
    """How many weights are known, and their squares, where precisions differ around 4."""
    precision = rng.gamma(freedom / 2, 8.0 / freedom, n_neurons)
    return np.full(n_neurons, float(N_WEIGHTS)), squares(precision, rng)


def test_neurons_that_are_alike_share_one_precision():
    rng = np.random.default_rng(0)
    for _ in range(20):
        known, squared = np.full(100, 99.0), rng.chisquare(99, 100) / 4.0
        prior = precision_prior(known, squared)
        assert prior.typical == pytest.approx(4.0, rel=0.1)
        assert prior.degrees_of_freedom > 99


def test_rows_that_repeat_each_other_have_exactly_one_precision():
    found = estimated_precision(np.full(5, 9.0), np.full(5, 3.0), np.ones(5, dtype=bool))
    np.testing.assert_array_equal(found, np.full(5, 3.0))


@pytest.mark.parametrize("freedom", [2.0, 8.0, 32.0])
def test_the_spread_of_precisions_is_found(freedom):
    prior = precision_prior(*drawn(freedom, np.random.default_rng(1)))
    assert prior.typical == pytest.approx(4.0, rel=0.15)
    assert 0.5 <= prior.degrees_of_freedom / freedom <= 2.0


def test_expected_precisions_are_nearer_the_truth_than_their_own_or_a_shared_one():
    rng = np.random.default_rng(2)
    precision = rng.gamma(2.0, 2.0, 300)
    known = np.where(np.arange(300) < 150, 4.0, 40.0)
    squared = rng.chisquare(known) / precision
    found = estimated_precision(known, squared, np.ones(300, dtype=bool))
    shared = known.sum() / squared.sum()
    missed = [np.mean((guess - precision) ** 2) for guess in (found, known / squared, shared)]
    assert missed[0] < 0.9 * min(missed[1:])


def test_one_strong_weight_raises_the_spread_of_its_own_neuron_alone():
    squared = np.array([1.0, 1.2, 0.9, 1.1, 50.0])
    found = estimated_precision(np.full(5, 10.0), squared, np.ones(5, dtype=bool))
    shared = 50.0 / squared.sum()
    assert found[-1] < shared / 2
    assert np.all(found[:-1] > 3 * shared)


def test_neurons_that_do_not_decide_follow_the_others():
    decides = np.array([True, True, True, False])
    found = estimated_precision(
        np.array([9.0, 9.0, 9.0, 0.0]), np.array([3.0, 3.0, 3.0, 0.0]), decides
    )
    np.testing.assert_allclose(found, 3.0)


def test_weights_that_are_all_zero_have_the_highest_precision():
    found = estimated_precision(np.full(3, 1e-5), np.zeros(3), np.ones(3, dtype=bool))
    np.testing.assert_allclose(found, 1e9)
