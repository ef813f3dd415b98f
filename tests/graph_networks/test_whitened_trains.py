import numpy as np

from spikeweft.data.recording import Recording
from spikeweft.graph_networks.whitened_trains import gram_modes, whitened_trains

N = 8


def record(rate_hz, bin_s=0.1, seed=0):
    """Spikes at random moments within bins of a given rate, (time, neuron)."""
    rng = np.random.default_rng(seed)
    time, neuron = np.nonzero(np.ones_like(rate_hz))
    n = rng.poisson(rate_hz.ravel() * bin_s)
    times_s = (np.repeat(time, n) + rng.uniform(size=n.sum())) * bin_s
    return Recording.from_arrays(
        times_s,
        np.repeat(neuron, n),
        n_neurons=rate_hz.shape[1],
        epochs_s=np.array([[0.0, len(rate_hz) * bin_s]]),
    )


def two_bumps(n_bins=600, seed=0):
    """Neurons 0 to 3 share one bump and 4 to 7 the other; 0, 1 and 2, 3 also share something."""
    rng = np.random.default_rng(seed)
    bump, half = rng.uniform(5, 150, n_bins), rng.uniform(0, 60, n_bins)
    rate_hz = np.empty((n_bins, N))
    rate_hz[:, :4], rate_hz[:, 4:] = bump[:, None], 155 - bump[:, None]
    rate_hz[:, :2] += half[:, None]
    rate_hz[:, 2:4] += 60 - half[:, None]
    return rate_hz


def test_components_are_as_large_as_each_other_and_at_right_angles():
    whitened = whitened_trains(record(two_bumps()))
    assert whitened.shape == (N, N - 1)
    np.testing.assert_allclose(whitened.T @ whitened / N, np.eye(N - 1), atol=1e-9)
    np.testing.assert_allclose(whitened.mean(0), 0, atol=1e-9)


def test_the_first_component_is_the_bump_and_the_next_tells_co_active_neurons_apart():
    first, second = whitened_trains(record(two_bumps())).T[:2]
    assert abs(np.corrcoef(first, np.arange(N) < 4)[0, 1]) > 0.99
    assert abs(first[0] - first[2]) < 0.5 < abs(second[0] - second[2])


def test_the_order_of_the_neurons_does_not_matter():
    X = record(two_bumps())
    order = np.array([3, 7, 0, 5, 1, 4, 2, 6])
    np.testing.assert_allclose(
        whitened_trains(X.select(order)), whitened_trains(X)[order], atol=1e-6
    )


def test_a_silent_neuron_says_nothing_about_the_others():
    rate_hz = two_bumps()
    silent = np.zeros((len(rate_hz), 1))
    X = record(np.concatenate([rate_hz, silent], axis=1))
    whitened = whitened_trains(X)
    assert whitened.shape == (N + 1, N)
    np.testing.assert_array_equal(whitened[N], 0)
    np.testing.assert_array_equal(whitened[:, -1], 0)
    np.testing.assert_allclose(whitened[:N, :-1], whitened_trains(X.select(np.arange(N))))


def test_what_few_spikes_do_not_span_is_zero():
    """Three windows of 50 ms span three directions at most."""
    whitened = whitened_trains(record(np.full((3, N), 60.0), bin_s=0.05))
    assert np.count_nonzero(np.any(whitened != 0, axis=0)) <= 3
    assert np.all(np.isfinite(whitened))


def test_one_neuron_that_fires_has_no_component():
    rate_hz = np.zeros((20, 3))
    rate_hz[:, 1] = 30.0
    np.testing.assert_array_equal(whitened_trains(record(rate_hz)), 0)


def test_two_neurons_have_one_component():
    np.testing.assert_allclose(np.abs(whitened_trains(record(two_bumps()[:, 3:5]))), 1.0)


def test_short_epochs_do_not_make_rates_a_pattern():
    """Their last windows are shorter, and fast neurons miss more spikes there than slow ones."""
    rate_hz = np.tile(np.geomspace(2, 60, N), (3000, 1))
    whole = record(rate_hz)
    start_s = np.arange(0, 299.9, 0.08)
    pieces = whole.restrict(np.column_stack([start_s, start_s + 0.06]))
    (variance, modes), (of_pieces, modes_of_pieces) = gram_modes(whole), gram_modes(pieces)
    # Windows of 50 and of 10 ms: the variance of 30 ms on average.
    np.testing.assert_allclose(of_pieces[:3], 0.6 * variance[:3], rtol=0.06)
    assert np.abs(modes[:, 0] @ modes_of_pieces[:, 0]) > 0.995
