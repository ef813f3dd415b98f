from dataclasses import replace

import numpy as np
import pytest
from tests.simulation.conftest import NETWORKS

from spikeweft.errors import InputError
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron, ThresholdNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    random_network,
)
from spikeweft.simulation.ring_networks import (
    lnp_ring,
    threshold_ring,
)
from spikeweft.simulation.storage import network_from_metadata


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


def test_networks_of_other_sizes_run():
    network = RandomNetwork(neuron=LNPNeuron(threshold=8e-4), wiring=DirectedWiring(), n_neurons=7)
    assert simulate(network, 1.0, np.random.default_rng(16)).n_neurons == 7


def test_a_network_of_an_earlier_version_is_built_again():
    network = lnp_ring()
    metadata = dict(network.connectivity.metadata)
    metadata["tick_s"] = metadata.pop("time_step_s")
    assert network_from_metadata(metadata) == network
