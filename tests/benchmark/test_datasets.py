import numpy as np
import pytest
from tests.benchmark.conftest import case, spycon_file

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


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ids": np.full(600, 10)}, "the neuron 10 is not among its nodes"),
        ({"marked_edges": np.array([[3.0, 99.0, 1.0]])}, r"the neuron 99\.0 is not among"),
        ({"marked_edges": np.array([3.0, 4.0, 1.0])}, "its edges are an array of shape"),
        ({"nodes": np.array([3, 3, 4])}, "its nodes are no list"),
        ({"times": np.zeros(3)}, "no spikes with one time and one id each"),
        ({"times": np.full(600, np.nan)}, "not all seconds"),
    ],
)
def test_a_recorded_network_gives_no_neuron_the_spikes_of_another(tmp_path, changes, said):
    with pytest.raises(InputError, match=f"not a spycon file .*{said}.*check --spycon"):
        recorded(spycon_file(tmp_path, **changes))


def test_neurons_of_a_recorded_network_may_be_listed_in_any_order(tmp_path):
    sorted_data = recorded(spycon_file(tmp_path))
    order = np.array([2, 0, 1, 5, 4, 3])
    data = recorded(spycon_file(tmp_path, nodes=np.arange(3, 9)[order]))
    assert data.recording.n_spikes.tolist() == sorted_data.recording.n_spikes[order].tolist()
    np.testing.assert_array_equal(
        data.truth.weights, sorted_data.truth.weights[np.ix_(order, order)]
    )


def test_a_case_says_how_much_its_file_holds(tmp_path):
    case = next(c for c in studies.wirings((0,), spycon=spycon_file(tmp_path)) if c.file)
    assert (case.n_observed, case.minutes) == (6, 0.3)


def test_the_limits_are_part_of_the_data(ring_data):
    assert isinstance(ring_data, DataSet)
    assert ring_data.cramer_rao_delta > 0
    assert ring_data.oracle.pooled > 0


@pytest.mark.slow
def test_the_network_of_others_is_read_from_its_file(shared_data):
    data = recorded(shared_data / "spycon_sim1917Cell1Block1_tiny.npz")
    assert data.recording.n_neurons == 20
    assert data.minutes == 30.0
    assert data.truth.weights.any()
