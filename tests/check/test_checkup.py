"""Each question of a check is put to recordings of which the answer is known."""

import numpy as np
import pytest
from tests.check.conftest import recorded

from spikeweft.check import recorded_time as clock
from spikeweft.check import single_units as neurons
from spikeweft.check import unit_pairs as together
from spikeweft.check.checkup import check
from spikeweft.check.findings import Severity
from spikeweft.errors import InputError


def test_a_sound_recording_raises_no_alarm(sound):
    recording = recorded(sound)
    found = together.coincidences(recording)
    for finding in (
        neurons.firing(recording),
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


def test_a_recording_of_one_neuron_cannot_be_used(sound):
    with pytest.raises(InputError, match="two"):
        check(recorded(sound[:1]))
    with pytest.raises(InputError, match="1 of 2 neurons fired"):
        check(recorded([sound[0], np.empty(0)]))
