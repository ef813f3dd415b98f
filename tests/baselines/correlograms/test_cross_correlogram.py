import numpy as np
import pynapple as nap
import pytest

from spikeweft.baselines.correlograms.cross_correlogram import CrossCorrelogram
from spikeweft.baselines.correlograms.lag_counts import cross_correlograms
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

DURATION_S = 300.0


def recording_of(trains, epochs_s=None):
    return Recording.from_arrays(
        np.concatenate(trains),
        np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        n_neurons=len(trains),
        epochs_s=np.array([[0.0, DURATION_S]]) if epochs_s is None else epochs_s,
    )


def poisson(rng, rate_hz):
    return np.sort(rng.uniform(0, DURATION_S, rng.poisson(rate_hz * DURATION_S)))


@pytest.fixture
def trains():
    rng = np.random.default_rng(0)
    return [poisson(rng, rate_hz) for rate_hz in (20.0, 30.0, 40.0)]


def test_pynapple_counts_the_same_pairs(trains):
    """Its correlograms are rates of the second neuron around spikes of the first."""
    bin_s, n_lags = 0.001, 20
    ours = cross_correlograms(recording_of(trains), bin_s, n_lags)
    group = nap.TsGroup({i: nap.Ts(train) for i, train in enumerate(trains)})
    peer = nap.compute_crosscorrelogram(group, bin_s, n_lags * bin_s, norm=False)
    for pre, post in peer.columns:
        pairs = peer[pre, post].to_numpy() * len(trains[pre]) * bin_s
        np.testing.assert_allclose(ours[post, pre], pairs, atol=1e-6)
        np.testing.assert_allclose(ours[pre, post], pairs[::-1], atol=1e-6)


def test_independent_neurons_have_weights_within_their_error(trains):
    weights = CrossCorrelogram().fit(recording_of(trains)).connectivity_.weights
    n_spikes = np.array([len(train) for train in trains])
    chance = n_spikes[:, None] / DURATION_S * 0.005  # postsynaptic spikes in 5 ms
    error = np.sqrt(chance / n_spikes)
    assert np.all(np.abs(weights) < 4 * error)


def test_a_weight_is_the_spikes_that_a_spike_adds(trains):
    """Four in ten spikes of neuron 0 make neuron 1 fire 2 ms later."""
    rng = np.random.default_rng(1)
    made = trains[0][rng.random(len(trains[0])) < 0.4] + 0.002
    weights = (
        CrossCorrelogram()
        .fit(recording_of([trains[0], np.concatenate([trains[1], made]), trains[2]]))
        .connectivity_.weights
    )
    # The smoothed correlogram holds a part of the peak, 1 ms of 25 ms at each of five lags.
    assert weights[1, 0] == pytest.approx(0.4 * (1 - 5 / 25), abs=0.05)
    assert np.abs(np.delete(weights.ravel(), 3)).max() < 0.25 * weights[1, 0]


def test_slow_changes_of_rate_are_no_synapse():
    """Two neurons that fire together in every second half second."""
    rng = np.random.default_rng(2)
    pair = [train[np.floor(2 * train) % 2 == 0] for train in (poisson(rng, 60), poisson(rng, 60))]
    recording = recording_of(pair)
    weights = CrossCorrelogram().fit(recording).connectivity_.weights
    pairs = cross_correlograms(recording, 0.001, 5)[1, 0, 6:].sum() / len(pair[0])
    assert pairs > 1.5 * 30.0 * 0.005  # far more pairs than by chance
    assert abs(weights[1, 0]) < 0.1 * pairs


def test_no_pair_is_counted_across_a_gap():
    """Two spikes 2 ms apart, in two epochs."""
    trains = [np.array([0.9995, 5.0]), np.array([1.0015, 7.0])]
    apart = recording_of(trains, epochs_s=np.array([[0.0, 1.0], [1.001, 10.0]]))
    together = recording_of(trains, epochs_s=np.array([[0.0, 10.0]]))
    assert cross_correlograms(apart, 0.001, 5).sum() == 0
    assert cross_correlograms(together, 0.001, 5)[1, 0].tolist() == [0] * 7 + [1] + [0] * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window_s": 0.0}, "a window of 0.0 s holds no lag of 0.001 s"),
        ({"window_s": float("inf")}, "a window of inf s"),
        ({"window_s": 400.0}, "no epoch is longer than the window of 400 s"),
        ({"smoothing_s": 0.0}, "a smoothing of 0.0 s is finer than the lags"),
    ],
)
def test_settings_without_meaning_are_refused(trains, settings, message):
    with pytest.raises(InputError, match=message):
        CrossCorrelogram(**settings).fit(recording_of(trains))
