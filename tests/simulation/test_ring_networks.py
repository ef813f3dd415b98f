from dataclasses import replace

import numpy as np
import pytest

from spikeweft.evaluation.circuit_error import is_ring
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import (
    PUBLISHED_THRESHOLDS,
    lnp_ring,
    profile_ii_lnp_ring,
    profile_ii_threshold_ring,
    threshold_ring,
)


def bump_strength(network, seed=0):
    """Mean size of the Fourier modes of 50 ms snapshots along the ring, relative to their mean."""
    counts = simulate(network, 5.0, np.random.default_rng(seed)).counts(0.05).counts
    modes = np.abs(np.fft.rfft(counts, axis=1)).mean(axis=0)
    return modes / modes[0]


@pytest.mark.parametrize("ring", [threshold_ring, lnp_ring])
@pytest.mark.parametrize("recurrent_strength", PUBLISHED_THRESHOLDS)
def test_neurons_fire_at_the_published_rate_at_every_strength(ring, recurrent_strength):
    recording = simulate(ring(recurrent_strength), 10.0, np.random.default_rng(4))
    assert recording.rate_hz.mean() == pytest.approx(62.5, abs=1.5)


def test_the_mexican_hat_inhibits_most_at_distance_nine_and_is_a_ring():
    circuit = threshold_ring().connectivity
    assert is_ring(circuit)
    assert circuit.weights.max() <= 0
    assert np.argmin(circuit.weights[0]) == 9
    assert circuit.weights[0, 9] == pytest.approx(-2.289e-3, rel=1e-3)
    assert circuit.weights[0, 0] == pytest.approx(-5e-4)


@pytest.mark.parametrize("ring", [threshold_ring, lnp_ring])
def test_the_mexican_hat_makes_four_bumps(ring):
    assert np.argmax(bump_strength(ring())[1:]) + 1 == 4


@pytest.mark.parametrize("ring", [profile_ii_threshold_ring, profile_ii_lnp_ring])
def test_profile_ii_makes_one_bump(ring):
    strength = bump_strength(ring())
    assert np.argmax(strength[1:]) + 1 == 1
    assert strength[1] > 0.8


def test_the_drive_shifts_the_columns_by_what_the_recording_says():
    network = replace(lnp_ring(), drive_amplitude_neurons=2.0)
    recording = simulate(network, 10.0, np.random.default_rng(10))
    theta = recording.covariates["drive"]
    for start, stop, shift in network.stretches(0, 100_000):
        middle = theta.at(np.array([(start + stop) / 2 * network.time_step_s]))
        assert shift == np.floor(100 * middle[0] / (2 * np.pi))
    assert theta.values.max() == pytest.approx(2 * 2 * np.pi / 100)


def test_the_drive_moves_the_bumps_and_its_sign_the_direction():
    network = replace(lnp_ring(), drive_amplitude_neurons=2.0, drive_period_s=2.0)
    recording = simulate(network, 2.0, np.random.default_rng(11))
    counts = recording.counts(0.01).counts
    phase = np.unwrap(np.angle(np.fft.fft(counts, axis=1)[:, 4]))
    rising, falling = phase[90] - phase[10], phase[190] - phase[110]
    assert rising * falling < 0
    assert min(abs(rising), abs(falling)) > 2 * np.pi


def test_without_a_drive_nothing_is_stored_beside_the_spikes():
    assert not simulate(lnp_ring(), 0.5, np.random.default_rng(12)).covariates
