import math
from dataclasses import replace

import numpy as np
import pytest
from tests.simulation.conftest import NETWORKS

from spikeweft.errors import InputError
from spikeweft.simulation.head_direction_cells import unconnected_population
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron, ThresholdNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    random_network,
)
from spikeweft.simulation.ring_networks import (
    MexicanHat,
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
        (lambda: ThresholdNeuron(threshold=1e-3, noise_fraction=0.0), "from 1e-09 to 1"),
        (lambda: ThresholdNeuron(threshold=1e-3, noise_fraction=1e-25), "from 1e-09 to 1"),
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


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda value: ThresholdNeuron(threshold=value), "threshold"),
        (lambda value: ThresholdNeuron(threshold=1e-3, bias=value), "bias"),
        (lambda value: ThresholdNeuron(threshold=1e-3, noise_sd=value), "noise"),
        (lambda value: LNPNeuron(threshold=value), "threshold"),
        (lambda value: LNPNeuron(threshold=0.0, bias=value), "bias"),
        (lambda value: LNPNeuron(threshold=0.0, gain=value), "gain"),
        (lambda value: replace(lnp_ring(), recurrent_strength=value), "recurrent_strength"),
        (lambda value: replace(lnp_ring(), tau_s=value), "tau_s"),
        (lambda value: replace(lnp_ring(), drive_amplitude_neurons=value), "drive amplitude"),
        (lambda value: MexicanHat(narrow_sd=value), "narrow_sd"),
        (lambda value: DirectedWiring(weight_sd=value), "weight_sd"),
        (lambda value: ExcitatoryInhibitoryWiring(excitatory_fraction=value), "excitatory_fract"),
        (lambda value: simulate(lnp_ring(), value, np.random.default_rng(0)), "no end"),
        (lambda value: unconnected_population(3, value, np.random.default_rng(0)), "no end"),
    ],
)
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_no_number_makes_no_network(make, names, value):
    with pytest.raises(InputError, match=names):
        make(value)


@pytest.mark.parametrize("bias", [0.0, -1e-3])
def test_threshold_neurons_need_a_positive_bias_and_lnp_neurons_do_not(bias):
    """The noise of threshold neurons is in units of their bias."""
    with pytest.raises(InputError, match="bias is"):
        ThresholdNeuron(threshold=1e-3, bias=bias)
    neuron = LNPNeuron(threshold=bias - 1e-3, bias=bias)
    assert simulate(replace(lnp_ring(), neuron=neuron), 0.1, np.random.default_rng(0))


@pytest.mark.parametrize("n_neurons", [0, -1])
def test_a_population_has_at_least_one_neuron(n_neurons):
    with pytest.raises(InputError, match="ask for at least one"):
        unconnected_population(n_neurons, 10.0, np.random.default_rng(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: replace(lnp_ring(), n_neurons=10**7),
        lambda: simulate(lnp_ring(), 1e14, np.random.default_rng(0)),
        lambda: unconnected_population(3, 1e15, np.random.default_rng(0)),
    ],
)
def test_what_does_not_fit_memory_is_refused_before_it_is_made(make):
    with pytest.raises(InputError, match="GB are free; ask for fewer"):
        make()


@pytest.mark.parametrize("neuron", [ThresholdNeuron(threshold=1.0), LNPNeuron(threshold=1.0)])
def test_neurons_that_never_fire_have_too_high_a_threshold(neuron):
    network = replace(lnp_ring(), neuron=neuron)
    with pytest.raises(InputError, match=r"no neuron fires in 0\.1 s; lower the threshold"):
        simulate(network, 0.1, np.random.default_rng(0))
