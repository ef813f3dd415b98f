import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.labelled_arrays import write_netcdf


def test_a_whole_circuit_is_read_back_as_it_was(circuit, tmp_path):
    assert write_netcdf(tmp_path / "c.nc", circuit, Choice()) == 6
    found = Connectivity.load(tmp_path / "c.nc")
    for name in ("weights", "standard_error", "probability", "latency_s", "latency_sd_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(circuit, name))
    assert found.neuron_ids == circuit.neuron_ids
    assert found.metadata == circuit.metadata


@pytest.mark.parametrize("choice", [Choice(threshold=0.5), Choice(min_probability=0.9)])
def test_a_choice_of_connections_is_no_whole_circuit(circuit, tmp_path, choice):
    with pytest.raises(InputError, match="leave out --threshold and --min-probability"):
        write_netcdf(tmp_path / "c.nc", circuit, choice)
    assert list(tmp_path.iterdir()) == []
