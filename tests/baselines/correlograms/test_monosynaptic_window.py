import numpy as np
import pytest
from scipy.stats import norm, poisson

from spikeweft.baselines.correlograms.monosynaptic_window import strongest_window, z_score


@pytest.mark.parametrize("mean", [0.3, 4.0, 200.0])
def test_a_score_has_the_tail_of_a_poisson_count_corrected_for_continuity(mean):
    counts = np.arange(60.0)
    above = poisson.sf(counts, mean) + poisson.pmf(counts, mean) / 2
    below = poisson.cdf(counts - 1, mean) + poisson.pmf(counts, mean) / 2
    expected = np.where(counts > mean, norm.isf(above), norm.ppf(below))
    usual = np.minimum(above, below) > 1e-280
    scores = z_score(counts, np.full(60, mean), np.full(60, mean))
    np.testing.assert_allclose(scores[usual], expected[usual], rtol=1e-6)
    assert np.all(np.diff(scores) > 0)


def test_less_variance_than_a_poisson_count_makes_an_excess_more_surprising():
    count, mean = np.array([20.0]), np.array([10.0])
    assert z_score(count, mean, 0.8 * mean) > z_score(count, mean, mean)


def test_the_most_extreme_three_milliseconds_decide():
    expected = np.full((2, 2, 21), 50.0)
    observed = expected.copy()
    observed[1, 0, 7:10] = 80.0
    observed[0, 1, 4:7] = 20.0
    observed[0, 1, 0] = 500.0  # synchrony
    found = strongest_window(observed, expected, expected, 0.001)
    assert found.first_lag_s[1, 0] == pytest.approx(0.007)
    assert found.first_lag_s[0, 1] == pytest.approx(0.004)
    mean = np.full(2, 150.0)
    scores = z_score(np.array([240.0, 60.0]), mean, mean)
    np.testing.assert_allclose([found.z[1, 0], found.z[0, 1]], scores)
    assert found.connected.tolist() == [[False, True], [True, False]]
