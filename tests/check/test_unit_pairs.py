"""Neurons together."""

import numpy as np
import pytest
from tests.check.conftest import DURATION_S, recorded

from spikeweft.check import unit_pairs as together
from spikeweft.check.findings import Severity
from spikeweft.data.recording import Recording


def test_a_unit_that_sorting_found_twice_is_named(ring, rng):
    own = ring.spike_times_s[ring.spike_neurons == 3]
    copy = own[rng.uniform(size=len(own)) < 0.95] + rng.uniform(-2e-4, 2e-4)
    doubled = Recording.from_arrays(
        np.concatenate([ring.spike_times_s, copy]),
        np.concatenate([ring.spike_neurons, np.full(len(copy), 12)]),
        time_resolution_s=1e-4,
    )
    finding = together.duplicates(doubled, together.coincidences(doubled))
    assert [pair["neurons"] for pair in finding.numbers["pairs"]] == [["3", "12"]]
    assert finding.severity is Severity.PROBLEM


def test_a_ring_has_neither_duplicates_nor_synchrony(ring):
    found = together.coincidences(ring)
    assert together.duplicates(ring, found).severity is Severity.FINE
    assert together.synchrony(ring, found).severity is Severity.FINE


def test_a_common_input_is_synchrony_but_no_duplicate(rng, sound):
    common = rng.uniform(0.0, DURATION_S, 200)
    driven = [np.concatenate([times, common]) for times in sound[:2]]
    recording = recorded([*driven, *sound[2:]])
    found = together.coincidences(recording)
    assert together.synchrony(recording, found).numbers["n_synchronous_pairs"] == 1
    assert together.duplicates(recording, found).severity is Severity.FINE


def test_where_no_coincidence_is_expected_nothing_is_said_of_how_many_there_are():
    apart = together.coincidences(recorded([np.array([1.0, 2.0]), np.array([1.5, 2.5])]))
    found = together.synchrony(recorded([np.array([1.0, 2.0]), np.array([1.5, 2.5])]), apart)
    assert found.summary.startswith("Too few coincidences are expected to tell")
    assert found.numbers["coincidences_over_expected"] is None
    assert found.severity is Severity.FINE


def test_coincidences_are_those_of_the_plain_count(rng):
    recording = recorded([np.round(rng.uniform(0, 20, 300), 4) for _ in range(3)])
    found = together.coincidences(recording)
    a, b = (recording.spike_times_s[recording.spike_neurons == i] for i in (0, 2))
    lags = np.abs(a[:, None] - b)
    assert found.same[0, 2] == np.sum(lags < 0.45e-3)
    assert found.close[0, 2] == np.sum(lags < 1.05e-3)


def test_bursts_of_all_neurons_are_noticed(rng, sound):
    bursts = rng.uniform(0.0, DURATION_S, 50)
    shaken = [
        np.concatenate([times, (bursts[:, None] + rng.uniform(0, 5e-3, (50, 3))).ravel()])
        for times in sound
    ]
    finding = together.bursts(recorded([np.clip(t, 0, DURATION_S - 1e-3) for t in shaken]))
    assert finding.numbers["share_of_spikes_in_bursts"] == pytest.approx(0.04, abs=0.02)
    assert finding.severity is Severity.NOTE


def test_two_spikes_in_a_bin_are_no_burst_where_neurons_hardly_fire(rng):
    rates_hz = np.linspace(0.05, 0.3, 12)
    trains = [np.sort(rng.uniform(0, 3600, rng.poisson(rate * 3600))) for rate in rates_hz]
    found = together.bursts(recorded(trains, epochs_s=np.array([[0.0, 3600.0]])))
    assert found.severity is Severity.FINE


def test_a_copy_of_a_few_spikes_is_the_same_unit(sound, rng):
    few = np.sort(rng.uniform(0, DURATION_S, 12))
    recording = recorded([*sound, few, few])
    found = together.duplicates(recording, together.coincidences(recording))
    assert found.severity is Severity.PROBLEM
    assert found.numbers["pairs"] == [{"neurons": ["6", "7"], "share": 1.0}]
