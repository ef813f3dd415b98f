from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError
from spikeweft.simulation.sparse_networks.integrate_and_fire import IntegrateAndFireNetwork
from spikeweft.simulation.sparse_networks.izhikevich import IzhikevichNetwork
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork
from spikeweft.simulation.sparse_networks.synapses import DelayedSynapses
from spikeweft.simulation.storage import save_simulation

NETWORKS = [
    IzhikevichNetwork(n_neurons=60, mean_out_degree=6),
    IntegrateAndFireNetwork(),
    SparsePoissonNetwork(),
]
ALL_KINDS = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)


@ALL_KINDS
def test_a_seed_decides_every_spike(network):
    first, again, other = (network.simulate(5.0, np.random.default_rng(s)) for s in (6, 6, 7))
    np.testing.assert_array_equal(first.spike_times_s, again.spike_times_s)
    np.testing.assert_array_equal(first.spike_neurons, again.spike_neurons)
    assert not np.array_equal(first.spike_times_s, other.spike_times_s)


@ALL_KINDS
def test_the_wiring_has_a_seed_of_its_own(network):
    circuit, other = network.connectivity, replace(network, wiring_seed=1).connectivity
    np.testing.assert_array_equal(circuit.weights, network.connectivity.weights)
    assert not np.array_equal(circuit.weights, other.weights)


@ALL_KINDS
def test_a_neuron_only_excites_or_only_inhibits(network):
    circuit = network.connectivity
    excites = np.array([kind == "excitatory" for kind in circuit.cell_type])
    assert excites.sum() == 48
    assert np.all(circuit.weights[:, excites] >= 0)
    assert np.all(circuit.weights[:, ~excites] <= 0)
    assert not np.any(np.diag(circuit.weights))


@ALL_KINDS
def test_only_connections_have_a_latency(network):
    circuit = network.connectivity
    np.testing.assert_array_equal(np.isfinite(circuit.latency_s), circuit.weights != 0)
    assert np.nanmin(circuit.latency_s) >= 0.001


def one_synapse(n_neurons, weight, delay_s):
    """Neuron 0 sends to neuron 1 alone."""
    weights, delays_s = np.zeros((2, n_neurons, n_neurons))
    weights[1, 0], delays_s[1, 0] = weight, delay_s
    return DelayedSynapses(weights, delays_s)


@pytest.mark.parametrize(
    ("network", "weight", "rise_s"),
    [(NETWORKS[0], 60.0, 0.002), (NETWORKS[1], 60.0, 0.002), (NETWORKS[2], 7.0, 0.001)],
    ids=["izhikevich", "integrate and fire", "poisson"],
)
def test_a_spike_acts_after_its_latency_and_no_earlier(network, weight, rise_s):
    synapses = one_synapse(network.n_neurons, weight, 0.007)
    n_steps = round(120.0 / network.time_step_s)
    spikes = network.spikes(synapses, n_steps, np.random.default_rng(2))
    sent, received = (spikes.steps[spikes.neurons == neuron] for neuron in (0, 1))
    lag = (received[None] - sent[:, None]) * network.time_step_s

    def rate(from_s, to_s):
        inside = (lag > from_s - 1e-9) & (lag < to_s - 1e-9)
        return inside.sum() / len(sent) / (to_s - from_s)

    before = rate(0.002, 0.007)
    assert rate(0.007, 0.007 + rise_s) > 100.0
    assert before < 15.0


@ALL_KINDS
def test_a_network_without_synapses_runs(network):
    none = DelayedSynapses(*np.zeros((2, network.n_neurons, network.n_neurons)))
    spikes = network.spikes(none, 10_000, np.random.default_rng(0))
    assert len(spikes.steps) > 100
    assert np.all(np.diff(spikes.steps) >= 0)


@pytest.mark.parametrize(("n_slow_patterns", "share_opposed"), [(0, (0.0, 0.05)), (2, (0.2, 0.8))])
def test_slow_patterns_excite_some_neurons_and_inhibit_others(n_slow_patterns, share_opposed):
    """Pairs whose counts in half a second are opposed, beyond chance."""
    network = SparsePoissonNetwork(
        n_neurons=20,
        connection_probability=0.0,
        median_rate_hz=20.0,
        median_gain=0.2,
        n_slow_patterns=n_slow_patterns,
    )
    counts = network.simulate(300.0, np.random.default_rng(0)).counts(0.5).counts
    between = np.corrcoef(counts.T)[~np.eye(20, dtype=bool)]
    least, most = share_opposed
    assert least <= np.mean(between < -0.15) <= most


def test_truth_is_stored_with_the_recording(tmp_path):
    network = NETWORKS[2]
    save_simulation(
        tmp_path / "sparse.npz",
        network.simulate(2.0, np.random.default_rng(0)),
        network.connectivity,
    )
    truth = load(tmp_path / "sparse.npz").truth
    np.testing.assert_array_equal(truth.weights, network.connectivity.weights)
    np.testing.assert_array_equal(truth.latency_s, network.connectivity.latency_s)
    assert truth.cell_type == network.connectivity.cell_type


def test_a_latency_of_another_shape_is_refused(tmp_path):
    path = tmp_path / "sparse.npz"
    np.savez(
        path,
        spike_times=[0.1, 0.2],
        spike_units=[0, 1],
        weights=np.zeros((2, 2)),
        latency_s=np.zeros(2),
    )
    with pytest.raises(InputError, match=r"latency_s .* has the shape \(2,\)"):
        load(path)


NAN = float("nan")


@pytest.mark.parametrize(
    "settings",
    [
        {"n_neurons": 1},
        {"n_neurons": 10**7},
        {"excitatory_fraction": 1.0},
        {"excitatory_fraction": NAN},
        {"time_step_s": 0.0},
        {"time_step_s": NAN},
        {"wiring_seed": -1},
        {"excitatory_weight": NAN},
        {"inhibitory_weight": -1.0},
        {"longest_delay_ms": 0},
    ],
)
@pytest.mark.parametrize("kind", [type(network) for network in NETWORKS])
def test_settings_that_make_no_network_are_refused(kind, settings):
    with pytest.raises(InputError):
        kind(**settings)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (SparsePoissonNetwork, {"connection_probability": 1.5}),
        (SparsePoissonNetwork, {"median_rate_hz": 0.0}),
        (SparsePoissonNetwork, {"median_rate_hz": NAN}),
        (SparsePoissonNetwork, {"median_gain": NAN}),
        (SparsePoissonNetwork, {"refractoriness": NAN}),
        (SparsePoissonNetwork, {"n_slow_patterns": -1}),
        (SparsePoissonNetwork, {"pattern_gain_sd": -1.0}),
        (IntegrateAndFireNetwork, {"mean_drive": NAN}),
        (IntegrateAndFireNetwork, {"noise_sd": NAN}),
        (IntegrateAndFireNetwork, {"burst_rate_hz": -1.0}),
        (IzhikevichNetwork, {"mean_out_degree": -5}),
        (IzhikevichNetwork, {"longest_inhibitory_delay_ms": 0}),
        (IzhikevichNetwork, {"shared_drive": NAN}),
    ],
)
def test_neurons_that_make_no_sense_are_refused(kind, settings):
    with pytest.raises(InputError, match=next(iter(settings)).replace("_", ".")):
        kind(**settings)


@pytest.mark.parametrize("time_step_s", [3e-4, 6e-4, 2e-3, 0.05])
def test_a_step_of_which_no_millisecond_is_made_would_change_the_latencies(time_step_s):
    with pytest.raises(InputError, match="delays of whole milliseconds"):
        SparsePoissonNetwork(time_step_s=time_step_s)


@pytest.mark.parametrize("time_step_s", [1e-3, 5e-4, 1e-3 / 3, 2e-4, 1e-4])
def test_delays_are_simulated_as_the_truth_states_them(time_step_s):
    network = SparsePoissonNetwork(time_step_s=time_step_s)
    synapses = network.synapses(np.random.default_rng(network.wiring_seed))
    delay_s = synapses.outgoing(time_step_s).delay_steps * time_step_s
    stated = network.connectivity.latency_s.T
    np.testing.assert_allclose(delay_s, stated[np.isfinite(stated)])


def test_a_network_in_which_no_neuron_fires_needs_more_drive():
    with pytest.raises(InputError, match=r"no neuron fires in 1 s; raise what drives"):
        IntegrateAndFireNetwork(mean_drive=-100.0).simulate(1.0, np.random.default_rng(0))


def test_neurons_that_receive_many_synapses_are_not_those_that_shared_events_excite():
    """Also where one seed makes the wiring and the spikes."""
    network = IzhikevichNetwork(n_neurons=200, mean_out_degree=20, shared_drive=6.0, wiring_seed=3)
    none = DelayedSynapses(*np.zeros((2, 200, 200)))
    spikes = network.spikes(none, 30_000, np.random.default_rng(3))
    excites = np.arange(200) < 160
    n_spikes = np.bincount(spikes.neurons, minlength=200)[excites]
    n_received = (network.connectivity.weights != 0).sum(axis=1)[excites]
    assert n_spikes.mean() > 50
    assert abs(np.corrcoef(n_spikes, n_received)[0, 1]) < 0.3


def test_a_recording_shorter_than_a_step_is_refused():
    with pytest.raises(InputError, match="shorter than one step"):
        NETWORKS[2].simulate(1e-5, np.random.default_rng(0))


def test_izhikevichs_neurons_have_one_time_step():
    with pytest.raises(InputError, match=r"leave it at 0\.001 s"):
        IzhikevichNetwork(time_step_s=5e-4)
