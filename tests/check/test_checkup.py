"""Each question of a check is put to recordings of which the answer is known."""

import math
from dataclasses import replace

import numpy as np
import pytest

from spikeweft.check import expected_cost as costs
from spikeweft.check import expected_error as power
from spikeweft.check import recorded_time as clock
from spikeweft.check import single_units as neurons
from spikeweft.check import unit_pairs as together
from spikeweft.check.checkup import check
from spikeweft.check.findings import Checkup, Finding, Severity
from spikeweft.check.page import build_page, verdict
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import evaluate
from spikeweft.circuit_gnn.spike_prediction.traces import synaptic_traces
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import FITTED_FRACTION
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.metrics import inference_error
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring

DURATION_S = 200.0
RING = replace(lnp_ring(), n_neurons=12)


def train(rng, rate_hz=20.0, duration_s=DURATION_S, refractory_s=3e-3):
    """Spikes of a Poisson neuron with a dead time."""
    intervals = refractory_s + rng.exponential(
        1 / rate_hz - refractory_s, int(3 * rate_hz * duration_s)
    )
    times = np.cumsum(intervals)
    return times[times < duration_s]


def recorded(trains, **options):
    units = np.repeat(np.arange(len(trains)), [len(times) for times in trains])
    options = {"n_neurons": len(trains), "epochs_s": np.array([[0.0, DURATION_S]]), **options}
    return Recording.from_arrays(np.concatenate(trains), units, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sound(rng):
    """Six neurons that have nothing to do with each other."""
    return [train(rng) for _ in range(6)]


@pytest.fixture(scope="module")
def ring():
    return simulate(RING, 60.0, np.random.default_rng(0))


@pytest.fixture(scope="module")
def quick(ring):
    return power.pilot(ring, np.random.default_rng(0), lambda stage: None)


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


# ---- each neuron for itself


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


# ---- neurons together


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


# ---- the clock


def test_an_interruption_that_no_epoch_marks_is_found(sound):
    cut = [times[(times < 50) | (times > 70)] for times in sound]
    (pause,) = clock.pauses(recorded(cut))
    assert pause == pytest.approx((50.0, 70.0), abs=0.2)
    marked = recorded(cut, epochs_s=np.array([[0.0, 50.0], [70.0, DURATION_S]]))
    assert clock.pauses(marked) == []
    assert clock.gaps(marked).numbers["longest_gap_s"] == 20.0


def test_short_epochs_cost_the_time_that_cannot_be_scored(sound):
    starts = np.arange(0.0, DURATION_S, 1.0)
    finding = clock.gaps(recorded(sound, epochs_s=np.column_stack([starts, starts + 0.5])))
    assert finding.numbers["share_not_scored"] == pytest.approx(0.2)
    assert finding.severity is Severity.WARNING


def test_spikes_at_the_same_time_have_no_order():
    times, units = np.array([0.0, 0.01, 0.01, 0.02, 0.02]), np.array([0, 0, 1, 1, 1])
    recording = Recording.from_arrays(times, units)
    assert clock.share_of_simultaneous_spikes(recording) == pytest.approx(2 / 5)


# ---- what an inference can hope for


def test_a_neuron_that_never_fires_makes_no_other_weight_less_sure(ring, quick):
    with_silent = replace(ring, n_neurons=13, neuron_ids=(), preferred_angle_rad=None)
    also = power.pilot(with_silent, np.random.default_rng(0), lambda stage: None)
    n_spikes = float(len(ring.spike_times_s))
    assert also.delta(n_spikes) == pytest.approx(quick.delta(n_spikes), rel=0.05)
    among_all = quick.share_identifiable(n_spikes) * 12 * 11 / (13 * 12)
    assert also.share_identifiable(n_spikes) == pytest.approx(among_all, abs=0.02)


def test_the_expected_error_is_the_measured_one(ring, quick):
    """Free weights of a longer recording, fitted as the quick fit is, against the truth."""
    part = ring.between(0.0, FITTED_FRACTION)
    traces = synaptic_traces(
        part, tau_s=quick.tau_s, history_window_s=0.1, rng=np.random.default_rng(1)
    )
    scoring, fit = FisherScoring(), evaluate(traces, quick.fit.parameters.with_careful_steps())
    for _ in range(3):
        fit = scoring.step(traces, scoring.step(traces, scoring.joint_step(traces, fit)))
    measured = inference_error(Connectivity(weights=fit.values[:, :12]), RING.connectivity).delta
    expected = power.expected_error(ring, quick).numbers["expected_delta"]
    assert measured / 1.5 < expected < 1.5 * measured


def test_more_spikes_leave_a_smaller_error(quick):
    few, many = 1e6, 4e6
    assert quick.delta(many) == pytest.approx(quick.delta(few) / 2, rel=0.05)
    assert quick.delta(quick.spikes_for(0.05)) == pytest.approx(0.05, rel=0.02)
    assert quick.spikes_for(1e-9) == math.inf


def test_large_circuits_are_judged_by_some_of_their_neurons(ring, monkeypatch):
    monkeypatch.setattr(power, "LARGEST_PILOT", 5)
    quick = power.pilot(ring, np.random.default_rng(0), lambda stage: None)
    assert quick.n_neurons == 5
    assert "From 5 of the neurons" in power.expected_error(ring, quick).summary


def test_a_longer_recording_costs_more(ring, quick, monkeypatch):
    monkeypatch.setattr(costs, "learning_s", lambda n_neurons: 0.0)
    monkeypatch.setattr(costs, "memory_in_use_mb", lambda: 0.0)
    short, long = (costs.expected_cost(part, quick) for part in (ring.between(0.0, 0.5), ring))
    assert long.seconds > short.seconds
    assert long.memory_mb > short.memory_mb


def test_too_little_memory_is_a_problem(ring, quick, monkeypatch):
    monkeypatch.setattr(costs, "available_memory_mb", lambda: 1.0)
    assert costs.cost(ring, quick).severity is Severity.PROBLEM


# ---- all of it


def test_a_recording_of_one_neuron_cannot_be_used(sound):
    with pytest.raises(InputError, match="two"):
        check(recorded(sound[:1]))
    with pytest.raises(InputError, match="1 of 2 neurons fired"):
        check(recorded([sound[0], np.empty(0)]))


def checkup_of():
    numbers = {
        "expected_delta": 0.3,
        "minutes_needed": {"0.1": None},
        "seconds": 100.0,
        "memory_mb": 500.0,
        "available_memory_mb": 900.0,
    }
    findings = [
        Finding(topic="expected error", severity=Severity.NOTE, summary="s", numbers=numbers),
        Finding(topic="time and memory", severity=Severity.FINE, summary="s", numbers=numbers),
        Finding(topic="<b>", severity=Severity.PROBLEM, summary="<script>", remedy="Do."),
    ]
    facts = {"n_neurons": 2, "n_spikes": 10, "duration_s": 60.0, "n_epochs": 1}
    return Checkup(source="<i>.npz", facts=facts, findings=findings)


def test_the_page_says_the_gravest_first_and_loads_nothing():
    page = build_page(checkup_of())
    assert page.index("&lt;b&gt;") < page.index("expected error")
    assert "<script" not in page
    assert "<i>" not in page
    assert "http:" not in page.replace("http-equiv", "")
    assert "src=" not in page
    assert verdict(checkup_of()) == "1 problem, 1 note; 1 questions answered well."
