import numpy as np
import pytest
from tests.benchmark.conftest import case

from spikeweft.benchmark import studies
from spikeweft.benchmark.datasets import DataSet, recorded, simulated
from spikeweft.errors import InputError


def test_what_a_longer_recording_can_identify_does_not_get_less(ring_data):
    pairs = ring_data.truth.off_diagonal
    longer = simulated(case().network, 0.4, 1)
    assert longer.identifiable.sum() >= ring_data.identifiable.sum()
    assert not np.any(longer.identifiable & ~pairs)


def test_a_recorded_network_keeps_the_direction_of_its_edges(tmp_path):
    path = tmp_path / "spycon.npz"
    edges = np.array([[31.0, 30.0, 0.5], [30.0, 31.0, 0.0]])
    np.savez(path, times=[0.1, 0.2, 9.0], ids=[31, 30, 31], nodes=[30, 31], marked_edges=edges)
    data = recorded(path)
    assert data.truth.weights.tolist() == [[0.0, 0.5], [0.0, 0.0]]  # 31 drives 30
    assert data.recording.n_spikes.tolist() == [1, 2]
    np.savez(path, times=[0.1])
    with pytest.raises(InputError, match="--spycon"):
        recorded(path)


def test_the_limits_are_part_of_the_data(ring_data):
    assert isinstance(ring_data, DataSet)
    assert ring_data.cramer_rao_delta > 0
    assert ring_data.oracle.pooled > 0


@pytest.mark.slow
def test_the_network_of_others_is_read_from_its_file(shared_data):
    data = recorded(shared_data / "spycon_sim1917Cell1Block1_tiny.npz")
    assert data.recording.n_neurons == studies.SPYCON_NEURONS
    assert data.recording.duration_s == pytest.approx(60.0 * studies.SPYCON_MINUTES, rel=0.05)
    assert data.truth.weights.any()
