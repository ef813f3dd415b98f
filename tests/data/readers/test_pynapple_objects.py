import numpy as np
import pytest
from tests.data.readers.conftest import simulated

from spikeweft.data.readers.load import load
from spikeweft.data.readers.pynapple_objects import from_pynapple, to_pynapple
from spikeweft.errors import InputError


def test_a_recording_survives_the_way_through_pynapple():
    recording, _ = simulated()
    spikes, covariates = to_pynapple(recording)
    assert spikes.time_support.values.tolist() == recording.epochs_s.tolist()
    found = from_pynapple(spikes, covariates=covariates)
    assert np.allclose(found.spike_times_s, recording.spike_times_s, atol=1e-9)
    assert np.array_equal(found.spike_neurons, recording.spike_neurons)
    assert found.neuron_ids == recording.neuron_ids
    assert np.allclose(found.preferred_angle_rad, recording.preferred_angle_rad)
    assert found.covariates["drive"].values.tolist() == list(range(11))


def test_a_tsgroup_keeps_its_last_spike_and_its_indices():
    nap = pytest.importorskip("pynapple")
    spikes = nap.TsGroup({7: nap.Ts(np.array([1.0, 5.0])), 3: nap.Ts(np.array([2.0, 6.0]))})
    recording = from_pynapple(spikes)
    assert recording.neuron_ids == ("3", "7")
    assert recording.n_spikes.tolist() == [2, 2]
    chosen = from_pynapple(spikes, nap.IntervalSet([0.0, 4.0], [3.0, 9.0]))
    assert chosen.epochs_s.tolist() == [[0.0, 3.0], [4.0, 9.0]]


def test_a_covariate_that_is_given_is_kept_whatever_its_length():
    nap = pytest.importorskip("pynapple")
    spikes = nap.TsGroup({0: nap.Ts(np.array([1.0, 5.0])), 1: nap.Ts(np.array([2.0, 6.0]))})
    channel = nap.Tsd(np.linspace(0.0, 10.0, 3_000_001), np.zeros(3_000_001))
    assert len(from_pynapple(spikes, covariates={"sync": channel}).covariates["sync"].values)


def test_time_without_samples_of_a_covariate_that_is_given_is_left_out_and_said():
    nap = pytest.importorskip("pynapple")
    spikes = nap.TsGroup({0: nap.Ts(np.arange(0.5, 100.0)), 1: nap.Ts(np.arange(0.7, 100.0))})
    speed = nap.Tsd(np.arange(0.0, 50.0, 0.1), np.ones(500))
    with (
        pytest.warns(UserWarning, match="100 of 200 spikes lie outside"),
        pytest.warns(UserWarning, match=r"'speed' has samples from 0 to 49\.9 s only; the other"),
    ):
        recording = from_pynapple(spikes, covariates={"speed": speed})
    assert recording.epochs_s[-1, 1] == pytest.approx(50.0)
    with pytest.raises(InputError, match="give both the same clock"):
        from_pynapple(spikes, covariates={"speed": nap.Tsd(1e6 + speed.index.values, speed.values)})


def test_pynapple_counts_the_same_spikes_in_the_same_bins():
    nap = pytest.importorskip("pynapple")
    recording, _ = simulated()
    spikes, _ = to_pynapple(recording)
    # Half a tick off the grid, so that no spike lies on the border of two bins.
    epochs = np.array([[0.00005, 3.90005], [5.00005, 9.90005]])
    theirs = spikes.count(0.1, nap.IntervalSet(epochs)).values
    np.testing.assert_array_equal(recording.restrict(epochs).counts(0.1).counts, theirs)


def test_epochs_of_pynapple_can_be_shorter_than_the_time_support():
    nap = pytest.importorskip("pynapple")
    recording, _ = simulated()
    spikes, _ = to_pynapple(recording)
    wake = nap.IntervalSet([1.0, 6.0], [2.0, 7.5])
    chosen = from_pynapple(spikes, wake)
    expected = recording.restrict(wake.values)
    assert np.array_equal(chosen.n_spikes, expected.n_spikes)
    assert chosen.duration_s == pytest.approx(2.5)
    assert chosen.neuron_ids == recording.neuron_ids


def test_a_saved_tsgroup_is_read_without_its_pickled_metadata(tmp_path):
    nap = pytest.importorskip("pynapple")
    support = nap.IntervalSet([0.0, 4.0], [3.0, 9.0])
    trains = {7: np.array([1.0, 5.0]), 3: np.array([2.0]), 9: np.array([])}
    spikes = nap.TsGroup(
        {key: nap.Ts(train, time_support=support) for key, train in trains.items()},
        time_support=support,
        metadata={"location": np.array(["ADn", "ADn", "PoS"])},
    )
    spikes.save(str(tmp_path / "saved.npz"))
    recording = load(tmp_path / "saved.npz").recording
    assert recording.neuron_ids == ("3", "7", "9")
    assert recording.n_spikes.tolist() == [1, 2, 0]
    assert recording.epochs_s.tolist() == [[0.0, 3.0], [4.0, 9.0]]
