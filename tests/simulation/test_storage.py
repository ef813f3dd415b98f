from dataclasses import replace

import numpy as np
import pytest
from tests.simulation.conftest import NETWORKS

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.simulation.random_networks import DirectedWiring, random_network
from spikeweft.simulation.storage import network_from_metadata


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_network_is_built_again_from_the_file_of_its_circuit(network, tmp_path):
    network.connectivity.save(tmp_path / "truth.nc")
    stored = Connectivity.load(tmp_path / "truth.nc")
    assert network_from_metadata(stored.metadata) == network
    np.testing.assert_array_equal(stored.weights, network.connectivity.weights)


def test_a_long_seed_of_a_wiring_survives_the_file(tmp_path):
    network = random_network(DirectedWiring(), wiring_seed=2**31)
    network.connectivity.save(tmp_path / "truth.nc")
    again = network_from_metadata(Connectivity.load(tmp_path / "truth.nc").metadata)
    assert again == network
    np.testing.assert_array_equal(again.connectivity.weights, network.connectivity.weights)


def test_a_seed_that_the_file_rounded_is_not_taken_for_the_seed(tmp_path):
    network = replace(random_network(DirectedWiring()), wiring_seed=2**53 + 1)
    network.connectivity.save(tmp_path / "truth.nc")
    with pytest.raises(InputError, match=r"wiring_seed, about 9\.0.* was rounded"):
        network_from_metadata(Connectivity.load(tmp_path / "truth.nc").metadata)
