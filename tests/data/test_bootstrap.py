import numpy as np
import pytest

from spikeweft.data.bootstrap import resampled
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

BORDERS = (0.0, 0.9, 1.0)


@pytest.fixture
def recording():
    """Two epochs on a grid of 1 ms; the covariate tells the original time of each spike."""
    rng = np.random.default_rng(0)
    ticks = np.sort(rng.choice(100_000, 20_000, replace=False))
    times = (ticks[(ticks < 40_000) | (ticks >= 60_000)]) * 1e-3
    clock = np.arange(0.0, 100.0, 1e-3)
    return Recording.from_arrays(
        times,
        rng.integers(3, size=len(times)),
        epochs_s=np.array([[0.0, 40.0], [60.0, 100.0]]),
        time_resolution_s=1e-3,
        covariates={"clock": Covariate(times_s=clock, values=clock)},
    )


def drawn(recording, block_s=2.0, seed=0):
    return resampled(recording, block_s, BORDERS, np.random.default_rng(seed))


def original_times(sample):
    return sample.covariates["clock"].at(sample.spike_times_s)


def test_a_bootstrap_is_as_long_as_its_recording_and_as_active(recording):
    sample = drawn(recording)
    assert sample.duration_s == pytest.approx(recording.duration_s)
    assert sample.rate_hz == pytest.approx(recording.rate_hz, rel=0.1)
    assert sample.time_resolution_s == recording.time_resolution_s
    assert sample.neuron_ids == recording.neuron_ids


def test_every_spike_is_one_of_the_recording_with_its_covariates(recording):
    sample = drawn(recording)
    known = {
        (round(time / 1e-3), neuron)
        for time, neuron in zip(recording.spike_times_s, recording.spike_neurons, strict=True)
    }
    original = np.rint(original_times(sample) / 1e-3)
    assert {*zip(original, sample.spike_neurons, strict=True)} <= known


def test_some_time_is_drawn_twice_and_some_not_at_all(recording):
    original = np.rint(original_times(drawn(recording)) / 1e-3)
    assert len(np.unique(original)) < 0.8 * len(recording.spike_times_s)


def test_spikes_stay_on_the_grid_of_the_recording(recording):
    sample = drawn(recording)
    since_first = (sample.spike_times_s - sample.spike_times_s[0]) / 1e-3
    assert since_first == pytest.approx(np.rint(since_first), abs=1e-6)


def test_what_is_held_out_is_in_no_other_part(recording):
    """The border lies at 90 % of the time recorded, 92 s."""
    sample = drawn(recording)
    first, last = original_times(sample.between(0.0, 0.9)), original_times(sample.between(0.9, 1.0))
    assert first.max() <= 92.0 <= last.min()


def test_no_block_bridges_a_gap(recording):
    for start, stop in drawn(recording).epochs_s:
        assert stop - start < 2.1


def test_the_draw_is_decided_by_its_seed(recording):
    assert np.array_equal(drawn(recording).spike_times_s, drawn(recording).spike_times_s)
    assert not np.array_equal(drawn(recording).n_spikes, drawn(recording, seed=1).n_spikes)


def test_blocks_longer_than_half_a_part_are_refused(recording):
    with pytest.raises(InputError, match=r"blocks of 6 s are too long to draw from 8 s"):
        drawn(recording, block_s=6.0)
