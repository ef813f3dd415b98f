from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import (
    HiddenNeurons,
    mean_field_traces,
)
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces, SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.rotation import Rotation, ring_layout
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.data.covariate import Covariate
from spikeweft.errors import InputError
from spikeweft.runtime.flat_arrays import from_arrays, to_arrays
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.ring_networks import FlatInhibition, RingNetwork

N = 12
KERNEL = SynapticKernel.exponential(0.01)


def rotation(places=None, n_places=N, gain=1.0):
    places = np.arange(n_places) if places is None else np.array(places)
    return Rotation(covariate="drive", gain=gain, places=places, n_places=n_places)


def traces_of_places(rotation, n_times=5):
    """Columns in which the trace of every neuron is the number of its place, and one."""
    return np.tile(1.0 + rotation.places, (n_times, 1))


def turn(ring, traces, shift):
    """Rotate traces in place."""
    ring.routes(shift, traces.shape[1]).route(traces)


def driven_ring(n_neurons=N):
    return RingNetwork(
        neuron=LNPNeuron(threshold=0.0),
        profile=FlatInhibition(excitation_sd=2.0),
        n_neurons=n_neurons,
        recurrent_strength=0.2,
        drive_amplitude_neurons=1.9,
        drive_period_s=1.0,
    )


@pytest.fixture(scope="module")
def recording():
    return simulate(driven_ring(), 4.0, np.random.default_rng(0))


# -- turning --


@pytest.mark.parametrize("order", [range(N), [5, 2, 11, 0, 7, 1, 3, 10, 4, 9, 8, 6]])
def test_turning_back_and_forth_returns_every_trace(order):
    """On a full ring no trace is lost, whatever the order of the neurons."""
    ring = rotation(order)
    traces = np.random.default_rng(0).random((50, N))
    shift = np.random.default_rng(1).integers(-40, 40, 50)
    turned = traces.copy()
    turn(ring, turned, shift)
    np.testing.assert_array_equal(np.sort(turned, axis=1), np.sort(traces, axis=1))
    turn(ring, turned, -shift)
    np.testing.assert_array_equal(turned, traces)


def test_a_turn_by_a_whole_ring_is_none():
    traces = np.random.default_rng(0).random((4, N))
    turned = traces.copy()
    turn(rotation(), turned, np.array([0, N, -N, 3 * N]))
    np.testing.assert_array_equal(turned, traces)


def test_a_column_has_the_trace_of_the_neuron_further_on():
    """So the columns of W move the other way: neuron j sends along column j - k."""
    ring = rotation()
    rotated = traces_of_places(ring, 2)
    turn(ring, rotated, np.array([2, -1]))
    np.testing.assert_array_equal(rotated[0, :3], [3.0, 4.0, 5.0])
    np.testing.assert_array_equal(rotated[1, :3], [N, 1.0, 2.0])


def test_from_a_place_without_a_column_a_neuron_sends_along_those_next_to_it():
    """By its nearness to either; nobody's trace is lost, and where nobody is, none comes from."""
    ring = rotation([0, 1, 4], n_places=6)
    rotated = traces_of_places(ring, 6)
    turn(ring, rotated, np.arange(6))
    np.testing.assert_allclose(rotated.sum(axis=1), 8.0)
    np.testing.assert_allclose(rotated[0], [1, 2, 5])
    np.testing.assert_allclose(rotated[1], [2 + 1 / 2, 5 / 3, 5 * 2 / 3 + 1 / 2])
    np.testing.assert_allclose(rotated[2], [2 / 2, 5 * 2 / 3, 5 / 3 + 2 / 2 + 1])


def test_relabelling_the_neurons_relabels_the_rotated_traces():
    order = np.random.default_rng(0).permutation(N)
    traces, shift = np.random.default_rng(1).random((7, N)), np.arange(7)
    rotated, relabelled = traces.copy(), traces[:, order].copy()
    turn(rotation(), rotated, shift)
    turn(rotation(order), relabelled, shift)
    np.testing.assert_array_equal(relabelled, rotated[:, order])


@pytest.mark.parametrize("k", [-3, 0, 1, 14])
def test_rotated_traces_are_as_good_as_shifted_weights(k):
    """The simulator shifts the columns of W, the model their traces: the drive is the same."""
    rng = np.random.default_rng(2)
    synapses, trace = rng.normal(size=(N, N)), rng.random(N)
    rotated = trace[None, :].copy()
    turn(rotation(), rotated, np.array([k]))
    np.testing.assert_allclose(synapses @ rotated[0], np.roll(synapses, k, axis=1) @ trace)


# -- the shift --


def test_the_shift_is_the_one_that_the_simulator_made(recording):
    """At every step but those between two samples of the drive, across which it changes."""
    ring, n_steps = driven_ring(), round(recording.duration_s / recording.time_resolution_s)
    made = np.empty(n_steps, dtype=int)
    for part in ring.stretches(0, n_steps):
        made[part.start : part.stop] = part.shift
    found = rotation().shift(recording, np.arange(n_steps) * recording.time_resolution_s)
    assert set(np.unique(made)) == {-2, -1, 0, 1}
    assert np.mean(found == made) > 0.99
    sampled = np.arange(0, n_steps, 10)
    np.testing.assert_array_equal(found[sampled], made[sampled])


def test_without_gain_nothing_is_shifted(recording):
    times_s = np.linspace(0.0, 4.0, 100)
    np.testing.assert_array_equal(rotation(gain=0.0).shift(recording, times_s), 0)


def test_a_whole_turn_of_the_input_shifts_by_the_whole_ring(recording):
    turning = Covariate(times_s=np.zeros(1), values=np.full(1, 2 * np.pi), is_angle=True)
    turned = replace(recording, covariates={"drive": turning})
    np.testing.assert_array_equal(rotation().shift(turned, np.array([0.5])) % N, 0)


# -- places --


@pytest.mark.parametrize("first_rad", [0.0, 0.1, np.pi / N, 3.0])
def test_evenly_spaced_neurons_have_a_place_each_wherever_the_ring_begins(first_rad):
    angle_rad = np.mod(first_rad + 2 * np.pi * np.arange(N) / N, 2 * np.pi)
    places, n_places = ring_layout(angle_rad)
    assert n_places == N
    np.testing.assert_array_equal(np.sort(places), np.arange(N))
    np.testing.assert_array_equal((places - places[0]) % N, np.arange(N))


@pytest.mark.parametrize("n_places", [24, 60, 100])
def test_a_ring_of_which_some_neurons_are_missing_keeps_its_spacing(n_places):
    observed = np.flatnonzero(np.arange(n_places) % 8)
    places, found = ring_layout(2 * np.pi * observed / n_places)
    assert found == n_places
    np.testing.assert_array_equal(places, observed)


def test_uneven_neurons_stand_on_a_ring_of_a_hundred_places():
    angle_rad = np.array([0.1, 0.4, 2.0, 2.1, 6.2])
    places, n_places = ring_layout(angle_rad)
    assert n_places == 100
    assert len(set(places)) == 5
    away_rad = np.angle(np.exp(1j * (2 * np.pi * places / 100 - angle_rad)))
    assert np.abs(away_rad).max() <= np.pi / 100 + 1e-9


def test_a_ring_whose_directions_are_not_known_cannot_be_rotated():
    for unknown in (None, np.array([0.0, np.nan, 2.0])):
        with pytest.raises(InputError, match="preferred direction of every neuron is known; give"):
            ring_layout(unknown)


def test_neurons_that_prefer_the_same_direction_cannot_be_told_apart():
    with pytest.raises(InputError, match="of the 3 neurons prefer the same one of 100 directions"):
        ring_layout(np.array([1.0, 1.001, 3.0]))


# -- hidden neurons --


def test_hidden_neurons_take_the_free_places_nearest_to_them():
    """One place each; the observed neurons keep theirs."""
    ring = rotation([0, 1, 2, 6, 7], n_places=10)
    step = 2 * np.pi / 10
    more, angle_rad = ring.with_neurons(np.array([1.2, 4.1, 3.9, 9.6]) * step)
    np.testing.assert_array_equal(more.places, [0, 1, 2, 6, 7, 3, 4, 5, 9])
    np.testing.assert_allclose(angle_rad, np.array([3, 4, 5, 9]) * step)
    assert (more.n_places, more.gain, more.covariate) == (10, 1.0, "drive")


def test_the_nearest_place_may_lie_across_zero():
    more, angle_rad = rotation([1, 5], n_places=8).with_neurons(np.array([2 * np.pi - 0.01]))
    assert more.places[-1] == 0
    np.testing.assert_array_equal(angle_rad, [0.0])


def test_a_full_ring_makes_room_between_its_places_and_still_moves_by_whole_ones(recording):
    full = rotation([0, 1, 2, 3], n_places=4)
    finer, angle_rad = full.with_neurons(np.array([0.1, np.pi]))
    np.testing.assert_array_equal(finer.places, [0, 2, 4, 6, 1, 3])
    np.testing.assert_allclose(angle_rad, np.array([1, 3]) * np.pi / 4)
    times_s = np.linspace(0.0, 4.0, 50)
    np.testing.assert_array_equal(
        finer.shift(recording, times_s), 2 * full.shift(recording, times_s)
    )
    for k in range(4):
        np.testing.assert_array_equal(finer.sources[2 * k, ::2], full.sources[k])


# -- in the traces --


def settings(n_hidden=0):
    return FitSettings(
        tau_s=0.01,
        history_window_s=0.1,
        n_hidden=n_hidden,
        covariates=(),
        rotated_by="drive",
        seed=0,
    )


def traces_of(recording, ring, hidden=None, n_hidden=0):
    chosen = settings(n_hidden if hidden is None else len(hidden.bias))
    inputs = SynapticInputs(kernel=KERNEL, mean_rate_hz=50.0, rotation=ring, hidden=hidden)
    (traces,) = CircuitTraces(recording, chosen, inputs, [0]).parts
    return traces


def test_traces_are_rotated_at_each_time_by_its_shift(recording):
    """At spikes and in between; a neuron's own history is not turned."""
    still, turned = (traces_of(recording, rotation(gain=gain)) for gain in (0.0, 1.0))
    for times_s, before, after in (
        (still.times_s, still.at_times, turned.at_times),
        (still.spike_times_s, still.at_spikes, turned.at_spikes),
    ):
        shift = rotation().shift(recording, times_s)
        assert len(np.unique(shift)) == 4
        for k in np.unique(shift):
            rolled = np.roll(before[shift == k, :N], -k, axis=1)
            np.testing.assert_array_equal(after[shift == k, :N], rolled)
    np.testing.assert_array_equal(turned.own_at_times, still.own_at_times)
    np.testing.assert_array_equal(turned.at_spikes[:, N:], still.at_spikes[:, N:])


def test_hidden_neurons_rotate_with_the_circuit(recording):
    """The rotated traces drive them, and columns rotated to their places have their traces.

    The input stands still at a shift of three places here, and every third neuron is hidden.
    """
    observed, places = np.array([1, 2, 4, 5, 7, 8, 10, 11]), np.array([0, 3, 6, 9])
    theta = Covariate(times_s=np.zeros(1), values=np.full(1, 2 * np.pi * 3.5 / N), is_angle=True)
    some = replace(recording.select(observed), covariates={"drive": theta})
    ring, _ = rotation(observed, n_places=N).with_neurons(2 * np.pi * places / N)
    hidden = HiddenNeurons(
        mix=np.full((4, 8), 1 / 8),
        adjacent=np.zeros((8, 8), dtype=bool),
        weights=np.random.default_rng(0).normal(size=(4, 8)),
        bias=np.arange(4.0),
        link=Link(1.0, np.log(50.0)),
        gain=1.0,
    )
    still = traces_of(some, replace(rotation(observed), gain=0.0), n_hidden=4)
    routes = ring.routes(ring.shift(some, still.times_s), 8)
    sent = mean_field_traces(still, hidden, KERNEL, routes)[1]
    at_place = np.zeros((len(sent), N))
    at_place[:, observed], at_place[:, places] = still.at_times[:, :8], sent
    columns = np.roll(at_place, -3, axis=1) @ routes.shares
    found = traces_of(some, ring, hidden).at_times[:, :8]
    np.testing.assert_allclose(found, columns, rtol=1e-5)
    drive = torch.from_numpy(columns @ hidden.weights.T + hidden.bias)
    rate = np.minimum(hidden.link.rate_hz(drive).numpy(), 500.0)
    kept = np.exp(-np.diff(still.times_s) / 0.01)[:, None]
    expected = sent[:-1] * kept + 0.01 * rate[:-1] * (1.0 - kept)
    np.testing.assert_allclose(sent[1:], expected, rtol=1e-4)


# -- being kept --


def test_a_rotation_survives_being_kept_as_arrays():
    ring = replace(rotation([0, 3, 4], n_places=9, gain=-1.4), stride=3)
    again = from_arrays(Rotation, to_arrays(ring))
    np.testing.assert_array_equal(again.places, ring.places)
    assert (again.covariate, again.gain, again.n_places, again.stride) == ("drive", -1.4, 9, 3)
