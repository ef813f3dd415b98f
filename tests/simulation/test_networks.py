from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.metrics import is_ring
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import DENSE_NOISE, LNPNeuron, ThresholdNeuron
from spikeweft.simulation.partial_observation import observe
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    SymmetricWiring,
    random_network,
)
from spikeweft.simulation.ring_networks import (
    PUBLISHED_THRESHOLDS,
    MexicanHat,
    RingNetwork,
    lnp_ring,
    profile_ii_lnp_ring,
    profile_ii_threshold_ring,
    threshold_ring,
)
from spikeweft.simulation.spike_kernels import (
    lnp_spikes,
    lnp_spikes_plain,
    threshold_spikes,
    threshold_spikes_plain,
)
from spikeweft.simulation.storage import network_from_metadata

WIRINGS = [SymmetricWiring(), DirectedWiring(), ExcitatoryInhibitoryWiring()]
NETWORKS = [
    threshold_ring(),
    lnp_ring(0.01),
    profile_ii_threshold_ring(),
    profile_ii_lnp_ring(),
    *(random_network(wiring, wiring_seed=3) for wiring in WIRINGS),
]


def bump_strength(network, seed=0):
    """Mean size of the Fourier modes of 50 ms snapshots along the ring, relative to their mean."""
    counts = simulate(network, 5.0, np.random.default_rng(seed)).counts(0.05).counts
    modes = np.abs(np.fft.rfft(counts, axis=1)).mean(axis=0)
    return modes / modes[0]


@pytest.mark.parametrize("noise_fraction", [0.0668, DENSE_NOISE])
def test_threshold_kernel_makes_the_spikes_of_its_plain_twin(noise_fraction):
    parameters = (0.99, -2.65e-4, 3e-4, noise_fraction)
    traces = np.zeros((2, 100))
    synapses = threshold_ring().synapses
    fast = threshold_spikes(synapses, traces[0], 3000, *parameters, np.random.default_rng(1))
    plain = threshold_spikes_plain(synapses, traces[1], 3000, *parameters, np.random.default_rng(1))
    assert len(fast.steps) > 1000
    np.testing.assert_array_equal(fast.steps, plain.steps)
    np.testing.assert_array_equal(fast.neurons, plain.neurons)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-9, atol=1e-12)


def test_lnp_kernel_makes_the_spikes_of_its_plain_twin():
    traces = np.zeros((2, 100))
    synapses = lnp_ring().synapses
    fast = lnp_spikes(synapses, traces[0], 3000, 0.99, -1e-3, 32.0, np.random.default_rng(1))
    plain = lnp_spikes_plain(synapses, traces[1], 3000, 0.99, -1e-3, 32.0, np.random.default_rng(1))
    assert len(fast.steps) > 1000
    np.testing.assert_array_equal(fast.steps, plain.steps)
    np.testing.assert_array_equal(fast.neurons, plain.neurons)
    np.testing.assert_allclose(traces[0], traces[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kernel", [threshold_spikes, threshold_spikes_plain])
def test_a_spike_acts_on_the_postsynaptic_neuron_from_the_next_step_on(kernel):
    weights = np.zeros((4, 4))
    weights[2, 1] = 5.0  # 1 excites 2, not the other way round
    weights[1, 1] = -10.0
    weights[1, 3] = 2.0
    trace = np.array([0.0, 0.0, 0.0, 1.0])
    spikes = kernel(weights, trace, 3, 0.5, 1.5, 1e-9, 0.1, np.random.default_rng(0))
    assert list(zip(spikes.steps, spikes.neurons, strict=True)) == [(0, 1), (1, 2), (2, 2)]


def test_the_noisy_steps_of_the_kernel_are_as_frequent_as_the_law_says():
    n_steps, fraction = 20_000, 0.0668
    spikes = threshold_spikes(
        np.zeros((50, 50)),
        np.zeros(50),
        n_steps,
        0.99,
        0.0,
        1.0,
        fraction,
        np.random.default_rng(2),
    )
    expected = n_steps * 50 * fraction / 2  # noise above zero
    assert abs(len(spikes.steps) - expected) < 4 * np.sqrt(expected)


def test_lnp_counts_are_poisson():
    n_steps, mean = 20_000, 0.3
    spikes = lnp_spikes(
        np.zeros((5, 5)), np.zeros(5), n_steps, 0.99, -mean, 1.0, np.random.default_rng(3)
    )
    counts = np.zeros((n_steps, 5))
    np.add.at(counts, (spikes.steps, spikes.neurons), 1)
    assert counts.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean / counts.size))
    assert counts.var() == pytest.approx(mean, rel=0.03)


@pytest.mark.parametrize("ring", [threshold_ring, lnp_ring])
@pytest.mark.parametrize("recurrent_strength", PUBLISHED_THRESHOLDS)
def test_neurons_fire_at_the_published_rate_at_every_strength(ring, recurrent_strength):
    recording = simulate(ring(recurrent_strength), 10.0, np.random.default_rng(4))
    assert recording.rate_hz.mean() == pytest.approx(62.5, abs=1.5)


def test_dense_noise_more_than_doubles_the_rate():
    sparse = threshold_ring()
    dense = replace(sparse, neuron=replace(sparse.neuron, noise_fraction=DENSE_NOISE))
    assert simulate(dense, 5.0, np.random.default_rng(5)).rate_hz.mean() == pytest.approx(
        141, abs=3
    )


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


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_seed_decides_every_spike(network):
    first, again, other = (simulate(network, 1.0, np.random.default_rng(s)) for s in (6, 6, 7))
    np.testing.assert_array_equal(first.spike_times_s, again.spike_times_s)
    np.testing.assert_array_equal(first.spike_neurons, again.spike_neurons)
    assert not np.array_equal(first.spike_times_s, other.spike_times_s)


def test_spikes_lie_on_the_grid_inside_one_epoch():
    recording = simulate(threshold_ring(), 2.0, np.random.default_rng(8))
    steps = recording.spike_times_s / recording.time_resolution_s
    np.testing.assert_allclose(steps, np.rint(steps), atol=1e-6)
    np.testing.assert_allclose(recording.epochs_s, [[0.0, 2.0]])
    assert recording.preferred_angle_rad is not None


def test_a_threshold_neuron_fires_at_most_once_a_step():
    recording = simulate(threshold_ring(), 5.0, np.random.default_rng(9))
    step = np.rint(recording.spike_times_s / recording.time_resolution_s).astype(np.int64)
    assert len(np.unique(step * 100 + recording.spike_neurons)) == len(step)


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


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_network_is_built_again_from_the_file_of_its_circuit(network, tmp_path):
    network.connectivity.save(tmp_path / "truth.nc")
    stored = Connectivity.load(tmp_path / "truth.nc")
    assert network_from_metadata(stored.metadata) == network
    np.testing.assert_array_equal(stored.weights, network.connectivity.weights)


def test_an_observed_part_keeps_the_spikes_and_weights_of_its_neurons():
    network = lnp_ring()
    recording = simulate(network, 1.0, np.random.default_rng(13))
    seen = observe(recording, network.connectivity, 80, np.random.default_rng(0))
    np.testing.assert_array_equal(np.sort([*seen.observed, *seen.hidden]), np.arange(100))
    np.testing.assert_array_equal(seen.recording.n_spikes, recording.n_spikes[seen.observed])
    i, j = seen.observed[3], seen.observed[70]
    assert seen.connectivity.weights[3, 70] == network.connectivity.weights[i, j]
    assert seen.recording.neuron_ids == seen.connectivity.neuron_ids


@pytest.mark.parametrize("wiring", WIRINGS, ids=lambda wiring: type(wiring).__name__)
def test_random_networks_are_sparse_and_all_neurons_fire(wiring):
    network = random_network(wiring)
    weights = network.connectivity.weights
    assert np.mean(weights[network.connectivity.off_diagonal] != 0) == pytest.approx(0.2, abs=0.03)
    assert not np.diag(weights).any()
    rate_hz = simulate(network, 10.0, np.random.default_rng(14)).rate_hz
    assert 30 < rate_hz.mean() < 150
    assert rate_hz.min() > 0


def test_wirings_keep_their_law():
    symmetric, directed, dale = (random_network(w).connectivity.weights for w in WIRINGS)
    np.testing.assert_array_equal(symmetric, symmetric.T)
    assert not np.allclose(directed, directed.T)
    assert dale[:, :40].min() >= 0
    assert dale[:, 40:].max() <= 0


@pytest.mark.parametrize(
    ("mistake", "remedy"),
    [
        (lambda: threshold_ring(0.03), r"0\.03; choose one of 0\.0005, 0\.0025"),
        (lambda: simulate(lnp_ring(), 0.0, np.random.default_rng(0)), "ask for a longer one"),
        (lambda: replace(lnp_ring(), time_step_s=0.02), "below the decay time"),
        (lambda: replace(lnp_ring(), n_neurons=1), "at least two neurons"),
        (lambda: replace(lnp_ring(), drive_period_s=0.0), "choose a positive one"),
        (lambda: ThresholdNeuron(threshold=1e-3, noise_fraction=0.0), "above 0 and at most 1"),
        (lambda: DirectedWiring(connection_probability=1.5), "1.5 does not connect"),
        (lambda: network_from_metadata({}), "lack 'network'"),
        (lambda: network_from_metadata({"network": "TorusNetwork"}), "'TorusNetwork' is not one"),
        (
            lambda: (
                random_network(ExcitatoryInhibitoryWiring(excitatory_fraction=1.0)).connectivity
            ),
            "leaves some of each",
        ),
    ],
)
def test_a_mistake_is_answered_by_a_remedy(mistake, remedy):
    with pytest.raises(InputError, match=remedy):
        mistake()


def test_hiding_more_neurons_than_there_are_is_a_mistake():
    network = RingNetwork(neuron=LNPNeuron(threshold=8e-4), profile=MexicanHat(), n_neurons=10)
    recording = simulate(network, 1.0, np.random.default_rng(15))
    with pytest.raises(InputError, match="11 of 10 neurons"):
        observe(recording, network.connectivity, 11, np.random.default_rng(0))


def test_networks_of_other_sizes_run():
    network = RandomNetwork(neuron=LNPNeuron(threshold=8e-4), wiring=DirectedWiring(), n_neurons=7)
    assert simulate(network, 1.0, np.random.default_rng(16)).n_neurons == 7


def test_a_network_of_an_earlier_version_is_built_again():
    network = lnp_ring()
    metadata = dict(network.connectivity.metadata)
    metadata["tick_s"] = metadata.pop("time_step_s")
    assert network_from_metadata(metadata) == network
