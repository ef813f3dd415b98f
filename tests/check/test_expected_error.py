"""What an inference can hope for."""

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.check.conftest import RING

from spikeweft.check import expected_error as power
from spikeweft.check.findings import Severity
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import evaluate
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import synaptic_traces
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import FITTED_FRACTION
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error


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
    rng = np.random.default_rng(1)
    traces = synaptic_traces(part, kernel=quick.kernel, history_window_s=0.1, rng=rng, n_shared=1)
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


@pytest.mark.parametrize("n_spikes", [3, 20, 60])
def test_nothing_is_foretold_of_a_few_spikes(rng, n_spikes):
    few = Recording.from_arrays(
        rng.uniform(0, 100, n_spikes),
        rng.integers(0, 8, n_spikes),
        n_neurons=8,
        epochs_s=np.array([[0.0, 100.0]]),
    )
    found = power.expected_error(few, power.pilot(few, rng, lambda stage: None))
    assert found.summary == "There are too few spikes to foretell an error."
    assert found.severity is Severity.WARNING


def test_neurons_that_begin_late_are_part_of_the_quick_fit(ring, monkeypatch):
    monkeypatch.setattr(power, "_SPIKES_PER_NEURON", 600)
    monkeypatch.setattr(power, "_SHORTEST_PIECE_S", 1.0)
    kept = (ring.spike_neurons % 2 == 0) | (ring.spike_times_s > 20.0)
    late = replace(
        ring, spike_times_s=ring.spike_times_s[kept], spike_neurons=ring.spike_neurons[kept]
    )
    found = power.pilot(late, np.random.default_rng(0), lambda stage: None)
    assert found.fit.is_weight.shape[0] == 12


def test_a_pair_that_fires_too_late_for_a_quick_fit_is_no_reason_to_stop(ring, monkeypatch):
    monkeypatch.setattr(power, "_MOST_PIECES", 1)
    kept = (ring.spike_neurons == 0) | (ring.spike_times_s > 50.0)
    late = replace(
        ring, spike_times_s=ring.spike_times_s[kept], spike_neurons=ring.spike_neurons[kept]
    )
    monkeypatch.setattr(power, "_SPIKES_PER_NEURON", 20)
    assert power.pilot(late, np.random.default_rng(0), lambda stage: None) is None
    assert "fire together" in power.expected_error(late, None).summary
