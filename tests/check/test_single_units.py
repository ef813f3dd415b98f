"""Each neuron for itself."""

import numpy as np
import pytest
from tests.check.conftest import DURATION_S, recorded

from spikeweft.check import recorded_time as clock
from spikeweft.check import single_units as neurons
from spikeweft.check.findings import Severity


def test_silent_neurons_are_counted(sound):
    finding = neurons.firing(recorded([*sound, np.empty(0), np.empty(0)]))
    assert finding.numbers["n_silent"] == 2
    assert "6, 7" in finding.summary
    assert finding.severity is Severity.NOTE
    assert neurons.firing(recorded([*sound, *[np.empty(0)] * 4])).severity is Severity.WARNING


def test_a_neuron_that_is_silent_where_the_result_is_scored_is_named(sound):
    early = sound[0][sound[0] < 0.8 * DURATION_S]
    finding = neurons.firing(recorded([early, *sound[1:]]))
    assert finding.numbers["n_silent_where_scored"] == 1


def test_a_neuron_that_fires_only_where_nothing_is_fitted_is_named_with_what_to_do(sound):
    last, held_out, late = (
        sound[0][(sound[0] > start * DURATION_S) & (sound[0] < stop * DURATION_S)]
        for start, stop in ((0.92, 1.0), (0.82, 0.89), (0.75, 1.0))
    )
    finding = neurons.fitted_part(recorded([last, held_out, late, *sound[1:]]))
    assert finding.severity is Severity.WARNING
    assert finding.numbers["n_silent_where_fitted"] == 2
    assert "2 neurons never fired in the first 80 %" in finding.summary
    assert "weights are fitted to, and nothing can be inferred about them: 0, 1." in finding.summary
    assert finding.remedy == "Leave out with --exclude 0 1, or use more of the recording."


@pytest.mark.parametrize("share", [0.0, 0.2, 0.4])
def test_the_share_of_foreign_spikes_is_measured(share, rng, sound):
    rate_hz = 20.0 * share / (1 - share) + 1e-9
    foreign = rng.uniform(0.0, DURATION_S, rng.poisson(rate_hz * DURATION_S))
    recording = recorded([np.concatenate([sound[0], foreign]), *sound[1:]])
    assert neurons.foreign_share(recording)[0] == pytest.approx(share, abs=0.06)
    assert neurons.refractory_period(recording).numbers["n_contaminated"] == (share > 0)


def test_a_poisson_process_is_all_foreign(rng):
    recording = recorded([rng.uniform(0, DURATION_S, 8000) for _ in range(2)])
    assert np.all(neurons.foreign_share(recording) > 0.7)


def test_coarse_times_hide_the_refractory_period(sound):
    recording = recorded([np.floor(times / 0.01) * 0.01 for times in sound])
    assert recording.time_resolution_s == 0.01
    assert np.all(np.isnan(neurons.foreign_share(recording)))
    assert neurons.refractory_period(recording).severity is Severity.NOTE
    assert clock.time_resolution(recording).severity is Severity.WARNING


def test_a_rate_that_drifts_is_named(rng, sound):
    kept = rng.uniform(size=len(sound[2])) < np.linspace(1.0, 0.3, len(sound[2]))
    finding = neurons.stationarity(recorded([*sound[:2], sound[2][kept], *sound[3:]]))
    assert finding.numbers["n_drifting"] == 1
    assert ": 2." in finding.summary


def test_a_rate_that_only_fluctuates_does_not_drift(rng, sound):
    tuned = sound[0][np.sin(2 * np.pi * sound[0] / 3.0) > 0]
    assert neurons.stationarity(recorded([tuned, *sound[1:]])).severity is Severity.FINE


def test_a_unit_that_was_lost_in_the_middle_is_named(sound):
    """Between quarters its rate changes, too, but hardly more than that of a neuron may."""
    lost = [
        times[(times < 90) | (times > 110)] if i == 2 else times for i, times in enumerate(sound)
    ]
    found = neurons.stationarity(recorded(lost))
    assert found.severity is Severity.NOTE
    assert "2 (from 45 % to 55 % of the time)" in found.summary
    assert found.numbers["n_lost"] == 1


def test_few_spikes_are_no_drift(rng):
    """Poisson neurons whose rates hold: totals of ten spikes a quarter differ by half and more."""
    severities = []
    for _ in range(100):
        trains = [np.sort(rng.uniform(0, DURATION_S, 10)) for _ in range(4)]
        severities.append(neurons.stationarity(recorded(trains)).severity)
    assert sum(severity is Severity.FINE for severity in severities) > 95


def test_silent_units_do_not_raise_the_share_of_short_intervals(rng):
    times = np.arange(1.0, 1.021, 1e-3)
    burster = recorded([times, times + 5.0], n_neurons=30, time_resolution_s=1e-4)
    assert neurons.refractory_period(burster).numbers["share_of_short_intervals"] == 1.0
