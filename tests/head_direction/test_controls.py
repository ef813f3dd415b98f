"""Controls: tuning alone gives no evidence, coupling does, and what is shared is told apart."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import time_resolution
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_agreement import agreement
from spikeweft.head_direction.angular_profile import contrast, permuted_contrasts, profile
from spikeweft.head_direction.controls import (
    coupling,
    evidence,
    leave_neurons_out,
    profile_agreement,
    tuning_alone,
)
from spikeweft.head_direction.regression import Causes, design_of, fit_regression, traces
from spikeweft.head_direction.tuning.curves import tuning_curves
from spikeweft.head_direction.tuning.surrogates import UncoupledNeurons, wandering
from spikeweft.simulation.head_direction_cells import unconnected_population

N = 12


def placed(recording, angle="direction"):
    return replace(recording, preferred_angle_rad=tuning_curves(recording, angle).preferred_rad)


@pytest.fixture(scope="module")
def uncoupled():
    return placed(unconnected_population(N, 200.0, np.random.default_rng(1)))


@pytest.fixture(scope="module")
def ring():
    """Weights of a ring with local excitation and surround inhibition, and some noise."""
    rng = np.random.default_rng(2)
    angle = rng.uniform(0, 2 * np.pi, 19)
    apart = angle[None, :] - angle[:, None]
    weights = np.exp(4 * (np.cos(apart) - 1)) - 0.5 + rng.normal(0, 0.1, (19, 19))
    return Connectivity(
        weights=weights, angle_rad=angle, standard_error=np.full(weights.shape, 0.1)
    )


def test_traces_hold_only_the_past_and_start_at_zero_in_each_epoch():
    counts = np.array([[1], [0], [0], [1], [0]])
    found = traces(counts, np.array([0, 0, 0, 1, 1]), 0.02)[:, 0]
    decay = np.exp(-0.5)
    assert np.allclose(found, [0.0, 1.0, decay, 0.0, 1.0])


def test_a_regression_finds_who_drives_whom():
    rng = np.random.default_rng(3)
    recording = placed(unconnected_population(4, 200.0, rng))
    binned = recording.counts(0.01)
    follows = np.roll(binned.counts[:, 0], 1) * (rng.random(len(binned.counts)) < 0.5)
    extra_s = binned.start_s[np.flatnonzero(follows)] + 0.005
    times = np.concatenate([recording.spike_times_s, extra_s])
    neurons = np.concatenate([recording.spike_neurons, np.full(len(extra_s), 3)])
    order = np.argsort(times, kind="stable")
    driven = replace(recording, spike_times_s=times[order], spike_neurons=neurons[order])
    circuit = coupling(driven, "direction")
    z = circuit.weights / circuit.standard_error
    assert np.unravel_index(np.argmax(np.where(np.eye(4) > 0, -9, z)), z.shape) == (3, 0)


def test_a_regression_predicts_better_the_more_it_knows(uncoupled):
    train, test = uncoupled.between(0.0, 0.8), uncoupled.between(0.8, 1.0)
    design, held_out = design_of(train, "direction"), design_of(test, "direction")
    tuned = fit_regression(design, Causes(own_spikes=False, others_spikes=False)).score(held_out)
    blind = fit_regression(design, Causes(direction=False, others_spikes=False)).score(held_out)
    assert tuned.mean > blind.mean > 0.0


def test_resampled_spikes_keep_tuning_and_rates(uncoupled):
    rng = np.random.default_rng(4)
    curves = tuning_curves(uncoupled, "direction")
    drawn = UncoupledNeurons.of(uncoupled, "direction", rng).draw(rng)
    assert np.allclose(drawn.n_spikes, uncoupled.n_spikes, rtol=0.15, atol=30)
    off = np.angle(
        np.exp(1j * (tuning_curves(drawn, "direction").preferred_rad - curves.preferred_rad))
    )
    assert np.median(np.abs(off)) < np.deg2rad(6)


def test_resampled_spikes_are_on_the_recordings_grid(uncoupled):
    rng = np.random.default_rng(5)
    drawn = UncoupledNeurons.with_direction_error(uncoupled, "direction", 0.0, rng).draw(rng)
    assert np.all(np.diff(drawn.spike_times_s) >= 0)
    assert drawn.time_resolution_s == uncoupled.time_resolution_s
    assert time_resolution(drawn.spike_times_s) == uncoupled.time_resolution_s


def test_neurons_without_connections_are_no_evidence(uncoupled):
    rng = np.random.default_rng(6)

    def infer(recording):
        return coupling(recording, "direction")

    circuit = infer(uncoupled)
    found = evidence(circuit, tuning_alone(uncoupled, "direction", infer, rng, 19), None, rng)
    assert not found.holds
    one, other = (infer(uncoupled.between(*half)) for half in ((0.0, 0.5), (0.5, 1.0)))
    assert abs(agreement(one, other)) < 0.5


def test_a_control_is_looked_at_where_the_circuit_is_known(ring):
    error = np.where(np.arange(19 * 19).reshape(19, 19) % 2, 0.1, np.inf)
    known_in_part = replace(ring, standard_error=error)
    nothing_known = replace(ring, standard_error=np.full(error.shape, np.inf))
    rng = np.random.default_rng(7)
    found = evidence(known_in_part, [nothing_known], None, rng)
    assert found.tuning_alone == [contrast(known_in_part)]
    assert found.net == 0


def test_where_no_weight_is_known_there_is_no_evidence(ring):
    nothing_known = replace(ring, standard_error=np.full(ring.weights.shape, np.inf))
    weak = [replace(ring, weights=0 * ring.weights)] * 19
    found = evidence(nothing_known, weak, None, np.random.default_rng(8))
    assert np.isnan(found.observed.value)
    assert (found.p_tuning, found.p_permuted) == (1.0, 1.0)
    assert not found.holds


def test_a_direction_that_strays_comes_back(uncoupled):
    angle = uncoupled.covariates["direction"]
    error = wandering(angle, 0.2, np.random.default_rng(9)).values - angle.values
    error = np.angle(np.exp(1j * error))
    assert np.std(error) == pytest.approx(0.2, rel=0.25)
    assert np.abs(np.diff(error)).max() < 0.2


def test_an_error_of_the_recorded_direction_looks_like_coupling(uncoupled):
    """No neuron drives another, but all share an error that nobody recorded."""
    rng = np.random.default_rng(10)
    wrong = UncoupledNeurons.with_direction_error(uncoupled, "direction", 0.5, rng).draw(rng)
    right = UncoupledNeurons.with_direction_error(uncoupled, "direction", 0.0, rng).draw(rng)
    much, little = (contrast(coupling(spikes, "direction")).value for spikes in (wrong, right))
    assert much > little


def test_shuffled_directions_lose_the_contrast(ring):
    shuffled = permuted_contrasts(ring, None, np.random.default_rng(7), 200)
    assert contrast(ring).value > np.quantile([c.value for c in shuffled], 0.99)


def test_a_profile_is_the_mean_weight_at_each_angular_difference(ring):
    found = profile(ring)
    expected = np.exp(4 * (np.cos(found.centre_rad) - 1)) - 0.5
    seen = found.n_pairs >= 5
    assert found.n_pairs.sum() == 19 * 18
    assert np.abs(found.mean - expected)[seen].max() < 0.25


def test_a_blind_pair_does_not_touch_the_profile(ring):
    weights = ring.weights.copy()
    weights[0, 1] = weights[1, 0] = -1e3
    sound = ~np.eye(19, dtype=bool)
    sound[0, 1] = sound[1, 0] = False
    spoilt = replace(ring, weights=weights)
    assert contrast(spoilt, sound) == contrast(ring, sound)
    assert np.allclose(profile(spoilt, sound).mean, profile(ring, sound).mean, equal_nan=True)


def test_a_neuron_left_out_is_predicted_by_the_others_where_there_is_a_ring(ring):
    assert leave_neurons_out(ring).correlation > 0.9
    rng = np.random.default_rng(8)
    noise = replace(ring, weights=rng.normal(size=(19, 19)))
    assert abs(leave_neurons_out(noise).correlation) < 0.3


def test_the_same_circuit_agrees_with_itself_whatever_its_scale(ring):
    doubled = replace(ring, weights=2 * ring.weights)
    assert agreement(ring, doubled) == pytest.approx(1.0)
    assert profile_agreement(ring, doubled) == pytest.approx(1.0)


def test_a_circuit_without_near_pairs_has_no_contrast():
    lonely = Connectivity(weights=np.ones((3, 3)), angle_rad=np.array([0.0, 2.0, 4.0]))
    with pytest.raises(InputError, match="use more"):
        contrast(lonely)
