import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting.deciding_neurons import deciding_neurons, rate_change_nats
from spikeweft.data.recording import Recording

N, DURATION_S, HISTORY_S = 20, 90.0, 0.1


def population(rng, rates_hz):
    """Poisson neurons, each at its rate in each tenth of a recording; parts to train and judge."""
    edges = np.linspace(0.0, DURATION_S, rates_hz.shape[1] + 1)
    counts = rng.poisson(rates_hz * np.diff(edges))
    neuron, tenth = np.indices(counts.shape)
    repeated = np.repeat(neuron.ravel(), counts.ravel()), np.repeat(tenth.ravel(), counts.ravel())
    times_s = rng.uniform(edges[:-1][repeated[1]], edges[1:][repeated[1]])
    recording = Recording.from_arrays(
        times_s,
        repeated[0],
        n_neurons=len(rates_hz),
        epochs_s=np.array([[0.0, DURATION_S]]),
        time_resolution_s=1e-4,
    )
    return recording.between(0.0, 8 / 9), recording.between(8 / 9, 1.0)


def steady(rng):
    return np.tile(rng.uniform(0.5, 20.0, N)[:, None], (1, 9))


@pytest.mark.parametrize("seed", range(5))
def test_among_neurons_whose_rates_are_steady_all_decide(seed):
    rng = np.random.default_rng(seed)
    assert deciding_neurons(*population(rng, steady(rng)), HISTORY_S).decides.all()


@pytest.mark.parametrize("seed", range(3))
def test_a_unit_that_comes_into_view_late_or_drifts_out_of_it_does_not_decide(seed):
    rng = np.random.default_rng(seed)
    rates_hz = steady(rng)
    rates_hz[3, :8], rates_hz[3, 8] = 0.2, 15.0
    rates_hz[7, :8], rates_hz[7, 8] = 25.0, 0.0
    decides = deciding_neurons(*population(rng, rates_hz), HISTORY_S).decides
    np.testing.assert_array_equal(np.flatnonzero(~decides), [3, 7])


def test_a_change_of_rate_that_costs_little_is_no_reason():
    """All change a bit; with so many spikes that is certain, but not much for each spike."""
    rng = np.random.default_rng(0)
    rates_hz = np.full((N, 9), 30.0)
    rates_hz[3, 8] = 1.3 * rates_hz[3, 0]
    training, held_out = population(rng, rates_hz)
    changes = rate_change_nats(
        training.n_spikes, training.duration_s, held_out.n_spikes, held_out.duration_s
    )
    assert changes[3] > 10 * np.quantile(changes, 0.75)
    assert deciding_neurons(training, held_out, HISTORY_S).decides[3]


def test_a_neuron_that_is_silent_while_others_are_fitted_does_not_decide():
    rng = np.random.default_rng(0)
    rates_hz = steady(rng)
    rates_hz[5, :8] = 0.0
    assert not deciding_neurons(*population(rng, rates_hz), HISTORY_S).decides[5]


@pytest.mark.parametrize(("n", "n_late"), [(4, 1), (8, 2), (8, 3), (12, 3), (20, 6), (20, 9)])
@pytest.mark.parametrize("seed", range(3))
def test_late_units_do_not_hide_behind_each_other(n, n_late, seed):
    """However few neurons there are, and up to half of them: the others say what is usual."""
    rng = np.random.default_rng(seed)
    rates_hz = np.tile(rng.uniform(2.0, 20.0, n)[:, None], (1, 9))
    rates_hz[:n_late, :8], rates_hz[:n_late, 8] = 0.2, 15.0
    decides = deciding_neurons(*population(rng, rates_hz), HISTORY_S).decides
    np.testing.assert_array_equal(decides, np.arange(n) >= n_late)


def test_where_most_rates_change_all_decide():
    """There is nobody to compare with."""
    rng = np.random.default_rng(0)
    rates_hz = steady(rng)
    rates_hz[:14, :8], rates_hz[:14, 8] = 0.2, 15.0
    assert deciding_neurons(*population(rng, rates_hz), HISTORY_S).decides[:14].all()


def test_a_neuron_of_fewer_spikes_than_own_parameters_does_not_decide():
    rng = np.random.default_rng(0)
    training, held_out = population(rng, steady(rng))
    few = np.flatnonzero(training.spike_neurons == 3)[4:]
    training = Recording.from_arrays(
        np.delete(training.spike_times_s, few),
        np.delete(training.spike_neurons, few),
        n_neurons=N,
        epochs_s=training.epochs_s,
    )
    found = deciding_neurons(training, held_out, 0.0)
    np.testing.assert_array_equal(np.flatnonzero(~found.decides), [3])
    np.testing.assert_array_equal(np.flatnonzero(found.nearly_silent), [3])


@pytest.mark.parametrize("n_informed", [0, 1])
def test_where_all_but_one_are_nearly_silent_all_decide(n_informed):
    rng = np.random.default_rng(0)
    rates_hz = np.full((N, 9), 0.01)
    rates_hz[:n_informed] = 10.0
    found = deciding_neurons(*population(rng, rates_hz), HISTORY_S)
    assert found.nearly_silent.sum() == N - n_informed
    assert found.decides.all()


def test_the_cost_of_a_changed_rate_is_what_the_likelihood_loses():
    """Poisson spikes at twice the rate: their likelihood at both rates, written out."""
    n_trained, trained_s, held_s = np.array([1000]), 80.0, 10.0
    n_held = np.array([250])
    rates_hz = [(n_trained + 0.5) / trained_s, n_held / held_s]
    foretold, own = (n_held * np.log(rate) - rate * held_s for rate in rates_hz)
    found = rate_change_nats(n_trained, trained_s, n_held, held_s)
    np.testing.assert_allclose(found, own - foretold)
    assert rate_change_nats(n_trained, trained_s, np.array([125]), held_s)[0] < 1e-3
    assert rate_change_nats(n_trained, trained_s, np.array([0]), held_s)[0] == pytest.approx(125, 1)
