"""Each question of a check is put to recordings of which the answer is known."""

import numpy as np
import pytest
from tests.check.conftest import DURATION_S, recorded

from spikeweft.check import recorded_time as clock
from spikeweft.check import single_units as neurons
from spikeweft.check import unit_pairs as together
from spikeweft.check.checkup import check, check_file
from spikeweft.check.findings import Severity
from spikeweft.errors import InputError


def test_a_sound_recording_raises_no_alarm(sound):
    recording = recorded(sound)
    found = together.coincidences(recording)
    for finding in (
        neurons.firing(recording),
        neurons.fitted_part(recording),
        neurons.refractory_period(recording),
        neurons.stationarity(recording),
        together.duplicates(recording, found),
        together.synchrony(recording, found),
        together.bursts(recording),
        clock.gaps(recording),
        clock.unmarked_gaps(recording),
        clock.time_resolution(recording),
    ):
        assert finding.severity is Severity.FINE, finding
        assert finding.remedy == ""


@pytest.fixture
def saved(tmp_path, sound):
    """Write trains to a file in the order that they have, and check it; findings on the file."""

    def check_trains(trains, **more):
        units = np.repeat(np.arange(len(trains)), [len(times) for times in trains])
        path = tmp_path / "saved.npz"
        np.savez(path, spike_times=np.concatenate(trains), spike_units=units, **more)
        found = check_file(path).findings
        return [finding for finding in found if finding.topic == "the file"]

    return check_trains


def test_a_clock_that_starts_again_is_a_warning_and_what_was_left_out_a_note(saved, sound):
    again = [np.concatenate([times[times < 100], times[times >= 100] - 100]) for times in sound]
    restarted, left_out = saved(again, start=0.0, stop=90.0)
    assert restarted.severity is Severity.WARNING
    assert restarted.summary.startswith("The times of 6 of 6 units step back by up to ")
    assert left_out.severity is Severity.NOTE
    assert "lie outside the epochs" in left_out.summary


def test_a_recording_of_one_neuron_cannot_be_used(sound):
    with pytest.raises(InputError, match="two"):
        check(recorded(sound[:1]))
    with pytest.raises(InputError, match="1 of 2 neurons fired"):
        check(recorded([sound[0], np.empty(0)]))


def test_what_an_inference_would_refuse_is_a_problem_and_the_rest_is_still_said(sound):
    late = [times[times > 0.85 * DURATION_S] for times in sound]
    found = {finding.topic: finding for finding in check(recorded(late))}
    assert found["fitting"].severity is Severity.PROBLEM
    assert "0 of 6 neurons fire in the first" in found["fitting"].summary
    assert "fitted part" in found


def test_time_and_memory_are_said_though_too_few_spikes_foretell_an_error(sound):
    few = [times[::400] for times in sound]
    found = {finding.topic: finding for finding in check(recorded(few))}
    assert found["expected error"].summary == "There are too few spikes to foretell an error."
    cost = found["time and memory"]
    assert cost.numbers["seconds"] > 0
    assert cost.numbers["memory_mb"] > 0
    assert "no quick fit has measured how fast this machine is" in cost.summary


def test_times_in_milliseconds_are_a_problem_that_takes_no_time(sound):
    in_ms = recorded([1e4 * times for times in sound], epochs_s=np.array([[0.0, 1e4 * DURATION_S]]))
    (found,) = check(in_ms)
    assert found.severity is Severity.PROBLEM
    assert found.remedy == "Check that its times are in seconds."
