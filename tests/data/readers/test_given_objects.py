"""What estimators take in place of a recording."""

import numpy as np
import pytest
from tests.data.readers.conftest import simulated

from spikeweft.baselines.correlograms.cross_correlogram import CrossCorrelogram
from spikeweft.data.readers.given_objects import as_recording
from spikeweft.data.readers.pynapple_objects import to_pynapple
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


@pytest.fixture
def recording():
    rng = np.random.default_rng(0)
    return Recording.from_arrays(rng.uniform(0, 60, 4000), rng.integers(0, 4, 4000), n_neurons=4)


def trains_of(recording):
    return [
        recording.spike_times_s[recording.spike_neurons == neuron]
        for neuron in range(recording.n_neurons)
    ]


def test_a_recording_is_itself(recording):
    assert as_recording(recording) is recording


def test_an_estimator_takes_a_tsgroup(recording):
    spikes, _ = to_pynapple(recording)
    ours = CrossCorrelogram().fit(recording).connectivity_.weights
    theirs = CrossCorrelogram().fit(spikes).connectivity_.weights
    np.testing.assert_allclose(theirs, ours)


def test_a_mapping_names_its_neurons(recording):
    given = dict(zip("abcd", trains_of(recording), strict=True))
    found = as_recording(given)
    assert found.neuron_ids == ("a", "b", "c", "d")
    np.testing.assert_array_equal(found.spike_times_s, recording.spike_times_s)


def test_a_list_has_one_train_per_neuron(recording):
    found = as_recording(trains_of(recording))
    np.testing.assert_array_equal(found.n_spikes, recording.n_spikes)


def test_trains_of_neo_are_taken(recording):
    neo, pq = pytest.importorskip("neo"), pytest.importorskip("quantities")
    trains = [neo.SpikeTrain(train * pq.s, t_stop=61.0) for train in trains_of(recording)]
    np.testing.assert_array_equal(as_recording(trains).n_spikes, recording.n_spikes)


def test_sortings_of_spikeinterface_are_taken(recording):
    core = pytest.importorskip("spikeinterface.core")
    samples = [np.round(train * 30_000).astype(np.int64) for train in trains_of(recording)]
    sorting = core.NumpySorting.from_unit_dict(dict(enumerate(samples)), 30_000.0)
    np.testing.assert_array_equal(as_recording(sorting).n_spikes, recording.n_spikes)


def test_counts_come_with_their_bins():
    counts = simulated()[0].counts(0.1).counts
    recording = Recording.from_counts(counts, 0.1)
    np.testing.assert_array_equal(recording.counts(0.1).counts, counts)
    assert recording.time_resolution_s == 0.1


@pytest.mark.parametrize(
    ("counts", "bin_s", "sentence"),
    [
        (np.array([[0.5]]), 0.1, "give counts of spikes, not rates"),
        (np.array([[-1]]), 0.1, "whole numbers from 0 on"),
        (np.array([1, 2]), 0.1, r"an array \[time, neuron\]"),
        (np.array([[1]]), 0.0, "bins of 0 s cannot be used"),
    ],
)
def test_what_are_no_counts_is_one_sentence(counts, bin_s, sentence):
    with pytest.raises(InputError, match=sentence):
        Recording.from_counts(counts, bin_s)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((100, 4)), r"does not say how long a bin is; give Recording\.from_counts"),
        ("recording.nwb", r"is a path; give load\(path\)\.recording"),
        (3, "of the type int is no recording"),
        ({"a": "b"}, "the neuron 'a' are a str"),
        ({"a": np.zeros((3, 2))}, "of 2 dimensions; give its spike times"),
        ([np.array([1.0, np.nan])], "1 spike time in the spike trains are not finite"),
        ({}, "has no units"),
    ],
)
def test_what_is_no_recording_is_one_sentence(given, sentence):
    with pytest.raises(InputError, match=sentence):
        CrossCorrelogram().fit(given)
