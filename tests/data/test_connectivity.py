import contextlib
import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError

weights = hnp.arrays(float, st.integers(1, 5).map(lambda n: (n, n)), elements=st.floats(-1e6, 1e6))
names = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
metadata = st.dictionaries(
    st.from_regex(r"[a-z][a-z_]{0,9}", fullmatch=True),
    st.one_of(names, st.floats(allow_nan=False), st.integers(-(2**53), 2**53)),
    max_size=4,
)


@given(st.data(), weights, metadata)
def test_a_circuit_survives_being_kept_in_a_file(tmp_path, data, weights, metadata):
    n = len(weights)
    circuit = Connectivity(
        weights=weights,
        neuron_ids=tuple(data.draw(st.lists(names, min_size=n, max_size=n, unique=True))),
        standard_error=np.abs(weights) if data.draw(st.booleans()) else None,
        angle_rad=np.linspace(0, 6, n) if data.draw(st.booleans()) else None,
        metadata=metadata,
    )
    circuit.save(tmp_path / "circuit.nc")
    found = Connectivity.load(tmp_path / "circuit.nc")
    assert np.array_equal(found.weights, circuit.weights)
    assert found.neuron_ids == circuit.neuron_ids
    assert dict(found.metadata) == dict(metadata)
    for name in ("standard_error", "angle_rad"):
        kept, given_ = getattr(found, name), getattr(circuit, name)
        assert (kept is None) == (given_ is None)
        assert given_ is None or np.array_equal(kept, given_)


def test_rows_receive_and_columns_send_in_the_file_too(tmp_path):
    circuit = Connectivity(weights=np.array([[0.0, 2.0], [0.0, 0.0]]), neuron_ids=("a", "b"))
    circuit.save(tmp_path / "circuit.nc")
    with xr.open_dataset(tmp_path / "circuit.nc") as data:
        assert float(data["weights"].sel(post="a", pre="b")) == 2.0


def test_a_file_with_its_dims_interchanged_is_read_by_name():
    circuit = Connectivity(weights=np.array([[0.0, 2.0], [1.0, 0.0]]))
    turned = circuit.to_xarray().transpose("pre", "post")
    assert np.array_equal(Connectivity.from_xarray(turned).weights, circuit.weights)


@given(weights, st.integers(0, 2**32 - 1))
def test_relabelling_the_neurons_relabels_the_circuit(weights, seed):
    circuit = Connectivity(weights=weights)
    order = np.random.default_rng(seed).permutation(circuit.n_neurons)
    relabelled = circuit.select(order)
    assert np.array_equal(relabelled.weights, weights[order][:, order])
    assert np.array_equal(relabelled.select(np.argsort(order)).weights, weights)


def test_a_pair_without_a_finite_standard_error_is_not_informed():
    """Nor is a neuron's drive of itself, whatever error stands there."""
    error = np.array([[1.0, np.inf, 1.0], [0.1, 1.0, np.nan], [2.0, 3.0, 1.0]])
    informed = Connectivity(weights=np.zeros((3, 3)), standard_error=error).informed
    assert np.array_equal(informed, [[False, False, True], [True, False, False], [1, 1, 0]])


def test_without_standard_errors_every_pair_counts_as_informed():
    circuit = Connectivity(weights=np.zeros((3, 3)))
    assert np.array_equal(circuit.informed, circuit.off_diagonal)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ({"weights": np.array([[0.0, np.nan], [0.0, 0.0]])}, "finite"),
        ({"weights": np.zeros((2, 2)), "neuron_ids": ("a",)}, "one id per neuron"),
    ],
)
def test_a_circuit_that_makes_no_sense_is_refused(parts, sentence):
    with pytest.raises(InputError, match=sentence):
        Connectivity(**parts)


@pytest.mark.filterwarnings("ignore:Duplicate dimension names")  # of a damaged netCDF header
def test_a_damaged_file_is_read_or_refused_but_never_crashes(tmp_path):
    path, rng = tmp_path / "circuit.nc", np.random.default_rng(0)
    Connectivity(weights=np.eye(3), standard_error=np.ones((3, 3))).save(path)
    whole = path.read_bytes()
    for at in rng.integers(len(whole), size=300):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        with contextlib.suppress(InputError):
            Connectivity.load(path)


def test_a_circuit_is_not_kept_in_a_folder_that_does_not_exist(tmp_path):
    with pytest.raises(InputError, match="give a file in a folder that exists"):
        Connectivity(weights=np.eye(3)).save(tmp_path / "nowhere" / "circuit.nc")


def test_a_file_that_holds_no_circuit_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no connectivity file"):
        Connectivity.load(tmp_path / "none.nc")
    (tmp_path / "text.nc").write_text("no netCDF")
    with pytest.raises(InputError, match="not a readable netCDF file"):
        Connectivity.load(tmp_path / "text.nc")
    with pytest.raises(InputError, match="no variable 'weights'"):
        Connectivity.from_xarray(xr.Dataset({"weights": ("x", [1.0])}))


# ---- SciPy, NetworkX and xarray


def three_neurons():
    """a drives b strongly and c weakly; c inhibits a, but the data do not inform that weight."""
    weights = np.array([[9.0, 0.0, -2.0], [1.5, 9.0, 0.0], [0.5, 0.0, 9.0]])
    error = np.full((3, 3), 0.1)
    error[0, 2] = np.inf
    return Connectivity(
        weights=weights,
        neuron_ids=("a", "b", "c"),
        standard_error=error,
        angle_rad=np.array([0.0, 2.0, 4.0]),
        metadata={"tau_s": 0.01},
    )


def test_a_sparse_circuit_has_the_same_drive_but_no_neuron_drives_itself():
    circuit, activity = three_neurons(), np.array([1.0, 10.0, 100.0])
    sparse = circuit.to_sparse(informed_only=False)
    assert sparse.nnz == 3
    np.testing.assert_allclose(sparse @ activity, [-200.0, 1.5, 0.5])


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        ({}, {(1, 0), (2, 0)}),
        ({"threshold": 0.5}, {(1, 0)}),
        ({"informed_only": False}, {(0, 2), (1, 0), (2, 0)}),
        ({"threshold": 0.5, "informed_only": False}, {(0, 2), (1, 0)}),
    ],
)
def test_weak_and_uninformed_weights_can_be_left_out(choice, kept):
    circuit = three_neurons()
    assert {*zip(*circuit.to_sparse(**choice).nonzero(), strict=True)} == kept
    names = circuit.neuron_ids
    edges = circuit.to_networkx(**choice).edges
    assert set(edges) == {(names[pre], names[post]) for post, pre in kept}


def test_an_edge_of_the_graph_runs_from_pre_to_post():
    nx = pytest.importorskip("networkx")
    circuit = three_neurons()
    graph = circuit.to_networkx(informed_only=False)
    assert graph.edges["a", "b"] == {"weight": 1.5, "standard_error": 0.1}
    assert "standard_error" not in graph.edges["c", "a"]
    assert list(graph.predecessors("b")) == ["a"]
    assert graph.nodes["c"] == {"angle_rad": 4.0}
    assert graph.graph == {"tau_s": 0.01}
    matrix = nx.to_numpy_array(graph, nodelist=circuit.neuron_ids)
    np.testing.assert_array_equal(matrix.T, np.where(circuit.off_diagonal, circuit.weights, 0.0))


def test_a_graph_says_who_can_be_reached_from_whom():
    nx = pytest.importorskip("networkx")
    graph = three_neurons().to_networkx()
    assert nx.descendants(graph, "a") == {"b", "c"}
    assert nx.descendants(graph, "c") == set()


def test_neurons_of_one_name_are_no_nodes():
    twins = Connectivity(weights=np.zeros((3, 3)), neuron_ids=("a", "b", "b"))
    with pytest.raises(InputError, match="two neurons are named 'b'"):
        twins.to_networkx()


@pytest.mark.parametrize("threshold", [-1.0, float("nan")])
def test_a_threshold_that_is_no_size_is_refused(threshold):
    with pytest.raises(InputError, match=f"threshold is {threshold:g}"):
        three_neurons().to_sparse(threshold=threshold)


def test_without_networkx_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    with pytest.raises(InputError, match=r"pip install 'spikeweft\[networkx\]'"):
        three_neurons().to_networkx()


def test_xarray_finds_weights_and_errors_by_the_neurons_names():
    data = three_neurons().to_xarray()
    assert float(data["weights"].sel(post="b", pre="a")) == 1.5
    strongest_input = data["weights"].where(data["post"] != data["pre"]).idxmax("pre")
    assert strongest_input.sel(post="c") == "a"
    certain = data["weights"].where(np.isfinite(data["standard_error"]))
    assert np.isnan(certain.sel(post="a", pre="c"))
    assert float(data["angle_rad"].sel(post="c")) == 4.0


def inferred():
    """Two neurons, of which the second is known to send after 3 ms."""
    return Connectivity(
        weights=np.array([[0.0, 0.4], [0.1, 0.0]]),
        probability=np.array([[0.0, 0.99], [0.2, 0.0]]),
        latency_s=np.array([[np.nan, 0.003], [np.nan, np.nan]]),
        excitatory_probability=np.array([0.3, 0.98]),
        neuron_ids=("a", "b"),
    )


def test_evidence_and_latencies_are_kept_in_a_file(tmp_path):
    inferred().save(tmp_path / "circuit.nc")
    again = Connectivity.load(tmp_path / "circuit.nc")
    for name in ("probability", "latency_s", "excitatory_probability"):
        np.testing.assert_array_equal(getattr(again, name), getattr(inferred(), name))


def test_evidence_and_latencies_go_with_their_neurons():
    swapped = inferred().select(np.array([1, 0]))
    assert swapped.probability[1, 0] == 0.99
    assert swapped.latency_s[1, 0] == 0.003
    assert swapped.cell_type == ("excitatory", "unknown")


def test_edges_and_nodes_of_the_graph_carry_what_is_known():
    graph = inferred().to_networkx()
    assert graph.edges["b", "a"] == {"weight": 0.4, "probability": 0.99, "latency_s": 0.003}
    assert "latency_s" not in graph.edges["a", "b"]
    assert graph.nodes["b"]["excitatory_probability"] == 0.98


def test_what_is_not_known_of_a_neuron_is_not_on_its_node():
    pytest.importorskip("networkx")
    graph = replace(inferred(), angle_rad=np.array([np.nan, 1.0])).to_networkx()
    assert graph.nodes["a"] == {"excitatory_probability": 0.3}
    assert graph.nodes["b"] == {"excitatory_probability": 0.98, "angle_rad": 1.0}


def test_without_types_every_cell_is_unknown():
    assert Connectivity(weights=np.zeros((3, 3))).cell_type == ("unknown",) * 3


# ---- pandas


def test_a_row_of_the_table_is_a_connection_from_pre_to_post():
    table = three_neurons().to_pandas()
    assert list(table.columns) == ["pre", "post", "weight", "standard_error"]
    assert table.to_numpy().tolist() == [["a", "b", 1.5, 0.1], ["a", "c", 0.5, 0.1]]


@pytest.mark.parametrize("choice", [{"threshold": 0.5}, {"informed_only": False}])
def test_the_table_has_the_connections_of_the_sparse_matrix(choice):
    circuit = three_neurons()
    weights = circuit.to_pandas(**choice).set_index(["post", "pre"])["weight"]
    sparse = circuit.to_sparse(**choice).tocoo()
    names = np.array(circuit.neuron_ids)
    pairs = zip(names[sparse.row], names[sparse.col], strict=True)
    assert weights.to_dict() == dict(zip(pairs, sparse.data, strict=True))


def test_evidence_latency_and_cell_types_are_columns_where_they_are_known():
    table = inferred().to_pandas().set_index(["pre", "post"])
    assert "standard_error" not in table
    assert table.loc[("b", "a"), "probability"] == 0.99
    assert table.loc[("b", "a"), "latency_s"] == 0.003
    assert np.isnan(table.loc[("a", "b"), "latency_s"])
    assert list(table["pre_cell_type"]) == ["excitatory", "unknown"]
    assert list(table["post_cell_type"]) == ["unknown", "excitatory"]


@pytest.mark.parametrize(("least", "kept"), [(0.0, 2), (0.2, 2), (0.21, 1), (0.99, 1), (1.0, 0)])
def test_improbable_connections_can_be_left_out(least, kept):
    circuit = inferred()
    assert circuit.to_sparse(min_probability=least).nnz == kept
    assert len(circuit.to_pandas(min_probability=least)) == kept
    assert circuit.to_networkx(min_probability=least).number_of_edges() == kept


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_least_probability_that_is_none_is_refused(least):
    with pytest.raises(InputError, match=f"minimum probability is {least:g}"):
        inferred().to_pandas(min_probability=least)


def test_a_circuit_without_probabilities_is_not_asked_for_probable_connections():
    with pytest.raises(InputError, match="has no probabilities"):
        three_neurons().to_sparse(min_probability=0.5)


def test_neurons_of_one_name_are_no_rows():
    twins = Connectivity(weights=np.ones((3, 3)), neuron_ids=("a", "b", "b"))
    with pytest.raises(InputError, match="two neurons are named 'b'"):
        twins.to_pandas()
