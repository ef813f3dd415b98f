import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.recent_activity import recent_activity
from spikeweft.data.recording import Recording


def bursting(rates_hz, piece_s=20.0, seed=0):
    """Poisson spikes whose rate changes from piece to piece."""
    rng = np.random.default_rng(seed)
    times_s = np.concatenate(
        [
            rng.uniform(k * piece_s, (k + 1) * piece_s, rng.poisson(rate * piece_s))
            for k, rate in enumerate(rates_hz)
        ]
    )
    return Recording.from_arrays(
        times_s,
        rng.integers(0, 3, len(times_s)),
        n_neurons=3,
        epochs_s=np.array([[0.0, piece_s * len(rates_hz)]]),
    )


def test_it_follows_the_rate_of_all_neurons_together():
    """Relative to the mean, a part of which is always expected, once a state has lasted."""
    recording = bursting((50.0, 400.0, 50.0))
    for at_s, rate_hz in ((15.0, 50.0), (35.0, 400.0), (55.0, 50.0)):
        around_s = at_s + np.arange(0.0, 5.0, 0.1)
        found = recent_activity(recording, around_s, 100.0)
        expected = np.log((rate_hz / 100.0 + 0.3) / 1.3)
        assert np.mean(found) == pytest.approx(expected, abs=0.1)


def test_no_spike_counts_before_it_was_fired():
    """Spikes of the same bin and later ones change nothing."""
    recording = bursting((80.0,))
    times_s = np.array([4.0, 9.999])
    kept = recording.spike_times_s < 10.0
    before = Recording.from_arrays(
        recording.spike_times_s[kept],
        recording.spike_neurons[kept],
        n_neurons=3,
        epochs_s=recording.epochs_s,
    )
    np.testing.assert_array_equal(
        recent_activity(recording, times_s, 80.0), recent_activity(before, times_s, 80.0)
    )


def test_at_the_start_of_an_epoch_it_is_the_mean_that_is_expected():
    """Nothing is known there, and nothing of one epoch enters the next."""
    recording = bursting((300.0, 300.0))
    cut = recording.restrict(np.array([[0.0, 15.0], [20.0, 40.0]]))
    found = recent_activity(cut, np.array([0.0, 20.0, 30.0]), 100.0)
    np.testing.assert_array_equal(found[:2], 0.0)
    assert found[2] > 0.7
