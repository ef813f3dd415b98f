import numpy as np
import pytest

from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.pair_inference import PairInference, average
from spikeweft.synapse_model.connections.smooth_null import covariances

LAGS_S = 0.001 * np.arange(-40, 41)


def first_prior(n_neurons):
    return ConnectionPrior.first(
        KernelShapes.of(0.001, 40),
        np.full(n_neurons, np.nan),
        np.full(len(covariances(LAGS_S)), 0.003),
        LAGS_S,
    )


def view_of(probability, rng):
    """Anything else that a view may say of neurons that are connected this probably."""
    n = len(probability)
    area, area_sd, latency_s, latency_sd_s = rng.uniform(0.5, 2.0, (4, n, n))
    kernel = rng.normal(size=(n, n, 40))
    prior = first_prior(n)
    return PairInference(probability, kernel, area, area_sd, latency_s, latency_sd_s, (prior,))


@pytest.fixture
def seen_once():
    """Two neurons; one connection is excitatory, surely, the other perhaps either."""
    probability = np.zeros((2, 2, 2))
    probability[1, 0], probability[0, 1] = (0.98, 0.0), (0.3, 0.3)
    one = np.ones((2, 2))
    return PairInference(probability, np.ones((2, 2, 40)), one, one, one, one, (first_prior(2),))


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


def test_what_several_views_say_is_their_mixture():
    rng = np.random.default_rng(0)
    views = [view_of(rng.uniform(0.1, 0.5, (3, 3, 2)), rng) for _ in range(2)]
    both = average(views)
    assert len(both.priors) == 2
    np.testing.assert_allclose(both.probability, (views[0].probability + views[1].probability) / 2)
    np.testing.assert_allclose(both.kernel, (views[0].kernel + views[1].kernel) / 2)
    n = 100_000
    areas = [rng.normal(view.area[1, 0], view.area_sd[1, 0], n) for view in views]
    assert both.area[1, 0] == pytest.approx(np.mean(areas), abs=0.02)
    assert both.area_sd[1, 0] == pytest.approx(np.std(areas), rel=0.02)
    chances = [view.probability[1, 0].sum() for view in views]
    latencies_s = [
        rng.normal(view.latency_s[1, 0], view.latency_sd_s[1, 0], round(n * chance))
        for view, chance in zip(views, chances, strict=True)
    ]
    assert both.latency_s[1, 0] == pytest.approx(np.mean(np.concatenate(latencies_s)), abs=0.02)
    assert both.latency_sd_s[1, 0] == pytest.approx(np.std(np.concatenate(latencies_s)), rel=0.02)


def test_one_view_is_what_it_was():
    view = view_of(np.zeros((3, 3, 2)), np.random.default_rng(0))
    for before, after in zip(view[:-1], average([view])[:-1], strict=True):
        np.testing.assert_allclose(after, before)
