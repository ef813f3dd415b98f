import numpy as np
import pytest
from tests.simulation.conftest import NETWORKS

from spikeweft.data.connectivity import Connectivity
from spikeweft.simulation.storage import network_from_metadata


@pytest.mark.parametrize("network", NETWORKS, ids=lambda network: type(network).__name__)
def test_a_network_is_built_again_from_the_file_of_its_circuit(network, tmp_path):
    network.connectivity.save(tmp_path / "truth.nc")
    stored = Connectivity.load(tmp_path / "truth.nc")
    assert network_from_metadata(stored.metadata) == network
    np.testing.assert_array_equal(stored.weights, network.connectivity.weights)
