import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.routes import Routes


def test_observed_neurons_have_columns_of_their_own_and_hidden_ones_share_them():
    mix = np.array([[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]])
    columns, hidden = np.array([[1.0, 2.0, 3.0]], np.float32), np.array([[10.0, 100.0]])
    Routes.unrotated(mix, 1).route(columns, hidden)
    np.testing.assert_allclose(columns, [[1.0 + 2.5, 2.0 + 7.5 + 50.0, 3.0 + 50.0]])


def test_without_hidden_neurons_and_rotation_every_column_is_as_it_was():
    columns = np.random.default_rng(0).random((20, 4)).astype(np.float32)
    routed = columns.copy()
    Routes.unrotated(np.zeros((0, 4)), 20).route(routed)
    np.testing.assert_array_equal(routed, columns)


@pytest.mark.parametrize("seed", [0, 1])
def test_routing_is_what_a_loop_over_places_adds_up(seed):
    rng = np.random.default_rng(seed)
    n, n_hidden, n_places, n_times = 4, 3, 9, 25
    sources = np.stack([rng.permutation(n_places) for _ in range(5)])
    sources[sources >= n + n_hidden] = -1
    shares = rng.random((n_places, n)) * (rng.random((n_places, n)) < 0.5)
    routes = Routes(sources, shares, rng.integers(-10, 10, n_times))
    observed, hidden = rng.random((n_times, n)), rng.random((n_times, n_hidden))
    expected = np.zeros((n_times, n))
    for t in range(n_times):
        neurons = np.append(observed[t], hidden[t])
        for place, source in enumerate(sources[routes.shift[t] % 5]):
            if source >= 0:
                expected[t] += shares[place] * neurons[source]
    columns = observed.astype(np.float32)
    routes.route(columns, hidden)
    np.testing.assert_allclose(columns, expected, rtol=1e-5)
