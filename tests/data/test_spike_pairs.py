import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.data.spike_pairs import count_pairs


def test_pairs_are_counted_by_order_and_lag():
    """Spikes of neurons 0 1 1 1 0, at 0, 0.3, 2, 10 and 10.5 ms."""
    recording = Recording.from_arrays(
        np.array([0.0, 0.0003, 0.0020, 0.0100, 0.0105]),
        np.array([0, 1, 1, 1, 0]),
        time_resolution_s=1e-4,
    )
    counts = np.zeros((2, 2, 2), np.int64)
    count_pairs(recording.spike_steps, recording.spike_neurons, np.array([6, 51]), counts)
    assert counts[:, :, 0].tolist() == [[0, 1], [1, 0]]
    assert counts[:, :, 1].tolist() == [[0, 1], [0, 1]]


@pytest.mark.parametrize("unit", [1, 1e-3])
def test_every_pair_lies_in_one_bin_unless_its_lag_is_too_long(unit):
    rng = np.random.default_rng(0)
    times, neurons = np.sort(rng.integers(0, 300, 200)), rng.integers(0, 3, 200)
    edges = np.array([1, 4, 4, 9])
    counts = np.zeros((3, 3, 4), np.int64)
    count_pairs(times * unit, neurons, (edges - 0.5) * unit, counts)
    first, second = np.triu_indices(200, 1)
    lags = times[second] - times[first]
    by_lag = [np.sum((lags >= low) & (lags < high)) for low, high in ((0, 1), (1, 4), (4, 9))]
    assert counts.sum(axis=(0, 1)).tolist() == [by_lag[0], by_lag[1], 0, by_lag[2]]
