from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import CONTINUOUS_RESOLUTION_S, Recording, time_resolution
from spikeweft.errors import InputError


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


recipes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        "start_s": st.sampled_from([-50.0, 0.0, 6881.412]),
        "n_epochs": st.integers(1, 4),
        "n_spikes": st.integers(1, 200),
        "n_neurons": st.integers(1, 6),
        "n_silent": st.integers(0, 2),
        "grid_s": st.sampled_from([0.0, 1e-4, 1e-3, 1e-2]),
    }
)


def recording_of(recipe) -> Recording:
    """A recording with one to four epochs, on a grid or off it, with silent neurons or none."""
    rng = np.random.default_rng(recipe["seed"])
    n_epochs, n_spikes, grid_s = recipe["n_epochs"], recipe["n_spikes"], recipe["grid_s"]
    edges = recipe["start_s"] + np.cumsum(rng.uniform(0.5, 9.0, 2 * n_epochs))
    epochs = edges.reshape(-1, 2)
    epoch = rng.integers(n_epochs, size=n_spikes)
    times = rng.uniform(epochs[epoch, 0], epochs[epoch, 1])
    times = np.rint(times / grid_s) * grid_s if grid_s else times
    times = np.clip(times, epochs[epoch, 0], np.nextafter(epochs[epoch, 1], -np.inf))
    return Recording.from_arrays(
        times,
        rng.integers(recipe["n_neurons"], size=n_spikes),
        n_neurons=recipe["n_neurons"] + recipe["n_silent"],
        epochs_s=epochs,
    )


@given(recipes, st.floats(1e-3, 0.4))
def test_no_spike_is_lost_or_made_by_binning(recipe, bin_s):
    recording = recording_of(recipe)
    binned = recording.counts(bin_s)
    assert np.array_equal(binned.counts.sum(axis=0), recording.n_spikes)


@given(recipes, st.floats(1e-3, 0.4))
def test_bins_cover_the_recorded_time_once_and_never_cross_a_gap(recipe, bin_s):
    recording = recording_of(recipe)
    binned = recording.counts(bin_s)
    assert binned.exposure_s.sum() == pytest.approx(recording.duration_s, abs=1e-5)
    stop = binned.start_s + binned.exposure_s
    assert np.all(binned.start_s >= recording.epochs_s[binned.epoch, 0] - 1e-9)
    assert np.all(stop <= recording.epochs_s[binned.epoch, 1] + 1e-9)


@given(recipes, st.floats(0.001, 0.999))
def test_two_parts_of_a_recording_hold_every_spike_once(recipe, cut):
    recording = recording_of(recipe)
    parts = recording.between(0.0, cut), recording.between(cut, 1.0)
    spikes = np.concatenate([part.spike_times_s for part in parts])
    neurons = np.concatenate([part.spike_neurons for part in parts])
    assert np.array_equal(spikes, recording.spike_times_s)
    assert np.array_equal(neurons, recording.spike_neurons)
    assert sum(part.duration_s for part in parts) == pytest.approx(recording.duration_s)


@given(recipes, st.floats(-5.0, 40.0), st.floats(0.1, 20.0))
def test_restricting_keeps_exactly_the_spikes_inside(recipe, start_s, length_s):
    recording = recording_of(recipe)
    start = recording.epochs_s[0, 0] + start_s
    window = np.array([[start, start + length_s]])
    overlaps = np.any(
        (recording.epochs_s[:, 0] < window[0, 1]) & (recording.epochs_s[:, 1] > window[0, 0])
    )
    if not overlaps:
        with pytest.raises(InputError, match="outside the recording"):
            recording.restrict(window)
        return
    times = recording.spike_times_s
    inside = (times >= window[0, 0]) & (times < window[0, 1])
    assert np.array_equal(recording.restrict(window).spike_times_s, times[inside])


@given(recipes, st.randoms())
def test_relabelled_neurons_keep_their_spikes(recipe, random):
    recording = recording_of(recipe)
    order = np.array(random.sample(range(recording.n_neurons), recording.n_neurons))
    relabelled = recording.select(order)
    assert np.array_equal(relabelled.n_spikes, recording.n_spikes[order])
    assert relabelled.neuron_ids == tuple(recording.neuron_ids[i] for i in order)
    assert np.array_equal(relabelled.spike_times_s, recording.spike_times_s)


def test_the_whole_of_a_recording_is_all_of_it():
    edges = 1e4 + np.cumsum(np.full(300, 0.1))
    epochs = edges.reshape(-1, 2)
    last_moments = np.nextafter(epochs[:, 1], -np.inf)
    recording = Recording.from_arrays(last_moments, np.arange(150) % 2, epochs_s=epochs)
    whole = recording.between(0.0, 1.0)
    assert np.array_equal(whole.spike_times_s, recording.spike_times_s)
    assert np.array_equal(whole.epochs_s, recording.epochs_s)


def test_unobserved_neurons_take_their_spikes_with_them():
    recording = Recording.from_arrays(
        np.array([0.1, 0.2, 0.3]),
        np.arange(3),
        n_neurons=3,
        preferred_angle_rad=np.array([0.0, 2.0, 4.0]),
    )
    observed = recording.select(np.array([2, 0]))
    assert observed.spike_neurons.tolist() == [1, 0]
    assert observed.preferred_angle_rad.tolist() == [4.0, 0.0]


@pytest.mark.parametrize("grid_s", [1e-2, 1e-3, 5e-4, 1e-4])
def test_the_grid_of_the_spike_times_is_found(rng, grid_s):
    ticks = np.unique(np.append(rng.integers(0, 100_000, 5_000), [0, 1]))
    assert time_resolution(6881.417 + ticks * grid_s) == grid_s


def test_spike_times_on_no_grid_are_continuous(rng):
    assert time_resolution(np.sort(rng.uniform(0, 10, 100))) == CONTINUOUS_RESOLUTION_S


def test_the_first_minutes_leave_out_the_gaps():
    epochs = np.array([[0.0, 30.0], [100.0, 160.0]])
    times = np.arange(0.5, 160.0)
    recording = Recording.from_arrays(times, np.zeros(len(times), int), epochs_s=epochs)
    first = recording.first_minutes(1.0)
    assert first.duration_s == pytest.approx(60.0)
    assert first.epochs_s.tolist() == [[0.0, 30.0], [100.0, 130.0]]


def test_spikes_outside_the_epochs_are_left_out():
    recording = Recording.from_arrays(
        np.array([0.5, 1.5, 2.5]),
        np.array([0, 1, 0]),
        epochs_s=np.array([[0.0, 1.0], [2.0, 3.0]]),
    )
    assert recording.spike_times_s.tolist() == [0.5, 2.5]
    assert recording.rate_hz.tolist() == [1.0, 0.0]


def test_what_a_user_should_know_is_said(rng):
    train = np.sort(rng.uniform(0, 60, 200))
    times = np.concatenate([train, train, [3.0, 4.0]])
    neurons = np.repeat([0, 1, 2], [200, 200, 2])
    epochs = np.array([[0.0, 20.0], [22.0, 60.0]])
    said = " | ".join(
        Recording.from_arrays(
            times, neurons, n_neurons=4, epochs_s=epochs, neuron_ids=("a", "b", "c", "d")
        ).warnings()
    )
    assert "1 of 4 neurons never fire" in said
    assert "fewer than 100 spikes" in said
    assert "neurons a and b have the same spike train" in said
    assert "has 1 gap (the longest 2 s)" in said


def test_a_clean_recording_has_no_warnings(rng):
    times = rng.uniform(0, 60, 1000)
    assert Recording.from_arrays(times, np.arange(1000) % 3).warnings() == []


@pytest.mark.parametrize(
    ("times", "neurons", "options", "sentence"),
    [
        ([], [], {}, "no spikes"),
        ([0.1, 0.2], [0], {}, "2 spike times but 1 spike units"),
        ([0.1, np.nan], [0, 1], {}, "1 spike times are not finite"),
        ([0.1, np.inf], [0, 1], {}, "1 spike times are not finite"),
        ([0.1, 0.2], [0, 0.5], {}, "whole numbers"),
        ([0.1, 0.2], [0, -1], {}, "run from -1"),
        ([0.1, 0.2], [0, 5], {"n_neurons": 3}, "number them from 0 to 2"),
        ([0.1, 0.2], [0, 1], {"neuron_ids": ("a",)}, "one id per neuron"),
        ([0.1, 0.2], [0, 1], {"epochs_s": np.array([[5.0, 9.0]])}, "no spike lies inside"),
        ([0.1, 0.2], [0, 1], {"epochs_s": np.array([[0.0, 2.0], [1.0, 3.0]])}, "overlap"),
        ([0.1, 3.2], [0, 1], {"epochs_s": np.array([[0.0, 2.0], [4.0, 3.0]])}, "stops before"),
    ],
)
def test_a_recording_that_makes_no_sense_is_refused(times, neurons, options, sentence):
    with pytest.raises(InputError, match=sentence):
        Recording.from_arrays(np.array(times), np.array(neurons), **options)


@pytest.mark.parametrize("bin_s", [0.0, -0.1, np.nan, 2.0])
def test_a_bin_that_does_not_fit_is_refused(bin_s):
    recording = Recording.from_arrays(
        np.array([0.1, 0.2]), np.array([0, 1]), epochs_s=np.array([[0.0, 1.0]])
    )
    with pytest.raises(InputError, match="bin width"):
        recording.counts(bin_s)


def test_a_covariate_is_read_at_the_nearest_sample():
    angle = Covariate(times_s=np.array([0.0, 1.0, 2.0]), values=np.array([5.0, 6.0, 7.0]))
    assert angle.at(np.array([-1.0, 0.4, 0.6, 1.9, 9.0])).tolist() == [5.0, 5.0, 6.0, 7.0, 7.0]


def test_two_recordings_have_the_same_digest_only_if_all_they_hold_is_the_same():
    times_s, neurons = np.array([0.1, 0.5, 0.7]), np.array([0, 1, 0])
    speed = Covariate(times_s=np.array([0.0, 1.0]), values=np.array([1.0, 2.0]))
    one = Recording.from_arrays(times_s, neurons, covariates={"speed": speed})
    again = Recording.from_arrays(times_s.copy(), neurons, covariates={"speed": speed})
    assert one.digest() == again.digest()
    others = [
        replace(one, spike_times_s=one.spike_times_s + 1e-9),
        replace(one, n_neurons=3, neuron_ids=()),
        replace(one, covariates={}),
        replace(one, covariates={"speed": replace(speed, values=np.array([1.0, 2.5]))}),
        replace(one, covariates={"pace": speed}),
        replace(one, preferred_angle_rad=np.array([0.0, 1.0])),
    ]
    assert len({one.digest(), *(other.digest() for other in others)}) == len(others) + 1


def test_neurons_are_chosen_by_number_or_by_a_truth_value_each():
    recording = Recording.from_arrays(np.arange(6.0), np.array([0, 1, 2, 0, 1, 2]))
    by_truth = recording.select(np.array([True, False, True]))
    assert by_truth.neuron_ids == recording.select(np.array([0, 2])).neuron_ids == ("0", "2")
    np.testing.assert_array_equal(by_truth.n_spikes, [2, 2])
    circuit = Connectivity(weights=np.arange(9.0).reshape(3, 3))
    chosen = circuit.select(np.array([True, False, True]))
    assert chosen.neuron_ids == ("0", "2")
    np.testing.assert_array_equal(chosen.weights, [[0.0, 2.0], [6.0, 8.0]])


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ([0, 3], "no neuron 3; choose from 0 to 2"),
        ([-1], "no neuron -1"),
        ([1, 1], "neuron 1 is asked for twice"),
        ([True, False], "2 truth values do not choose from 3 neurons"),
    ],
)
def test_neurons_that_cannot_be_chosen_are_named(asked, sentence):
    recording = Recording.from_arrays(np.arange(3.0), np.arange(3))
    for whole in (recording, Connectivity(weights=np.zeros((3, 3)))):
        with pytest.raises(InputError, match=sentence):
            whole.select(np.array(asked))
