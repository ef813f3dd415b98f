import numpy as np
import pytest

from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.empirical_bayes import PairInference
from spikeweft.synapse_model.connections.indirect_bumps import IndirectBumps
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.smooth_null import covariances

LAGS_S = 0.001 * np.arange(-40, 41)


@pytest.fixture
def seen_once():
    """Two neurons; one connection is excitatory, surely, the other perhaps either."""
    prior = ConnectionPrior.first(
        KernelShapes.of(0.001, 40),
        np.full(2, np.nan),
        np.full(len(covariances(LAGS_S)), 0.003),
        LAGS_S,
    )
    probability = np.zeros((2, 2, 2))
    probability[1, 0], probability[0, 1] = (0.98, 0.0), (0.3, 0.3)
    one = np.ones((2, 2))
    return PairInference(probability, np.ones((2, 2, 40)), one, one, one, one, prior)


def test_a_connection_is_as_likely_as_in_the_view_that_doubts_it(seen_once):
    other = np.zeros((2, 2, 2))
    other[1, 0], other[0, 1] = (0.49, 0.0), (0.9, 0.0)
    both = seen_once.at_most(other)
    np.testing.assert_allclose(both.probability[1, 0], [0.49, 0.0])
    np.testing.assert_allclose(both.probability[0, 1], [0.3, 0.0])
    assert both.area[1, 0] == pytest.approx(0.5)
    np.testing.assert_allclose(both.kernel[0, 1], 0.5)


def test_what_is_as_likely_in_both_views_stays(seen_once):
    both = seen_once.at_most(seen_once.probability)
    for before, after in zip(seen_once[:3], both[:3], strict=True):
        off_diagonal = ~np.eye(2, dtype=bool)
        np.testing.assert_array_equal(before[off_diagonal], after[off_diagonal])


def test_the_chance_of_bumps_is_that_of_the_pairs_which_show_one():
    rng = np.random.default_rng(0)
    first = IndirectBumps.first(LAGS_S)
    found = np.zeros((1000, len(first.log_factor)))
    shown = rng.random(1000) < 0.1
    found[shown, -1] = 1.0  # the highest, farthest, widest
    bumps = first.updated(found)
    assert bumps.chance == pytest.approx(shown.mean(), rel=0.05)
    assert bumps.height[-1] > 0.85
    assert bumps.width[-1] > 0.85
    assert np.exp(bumps.log_bump).sum() == pytest.approx(1.0)
