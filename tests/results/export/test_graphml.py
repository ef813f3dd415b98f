import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.results.export.conftest import three_units

from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.graphml import write_graphml

networkx = pytest.importorskip("networkx")

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), min_size=1)


def assert_same(found, graph):
    assert dict(found.nodes(data=True)) == dict(graph.nodes(data=True))
    assert {edge[:2]: edge[2] for edge in found.edges(data=True)} == {
        edge[:2]: edge[2] for edge in graph.edges(data=True)
    }
    assert {**found.graph, **graph.graph} == found.graph
    assert found.is_directed()
    assert not found.is_multigraph()


@pytest.mark.parametrize("choice", [Choice(), Choice(0.5), Choice(0.0, 0.9)])
def test_a_graph_is_read_back_as_it_was(circuit, tmp_path, choice):
    n_connections = write_graphml(tmp_path / "c.graphml", circuit, choice)
    graph = circuit.to_networkx(**choice._asdict())
    assert n_connections == graph.number_of_edges() > 0
    assert_same(networkx.read_graphml(tmp_path / "c.graphml"), graph)


def test_a_neuron_without_a_direction_has_no_such_attribute(tmp_path):
    circuit = three_units(angle_rad=np.array([0.5, np.nan, 2.0]))
    write_graphml(tmp_path / "c.graphml", circuit, Choice())
    assert "nan" not in (tmp_path / "c.graphml").read_text().lower()
    assert "angle_rad" not in networkx.read_graphml(tmp_path / "c.graphml").nodes["8"]


@given(st.lists(texts, min_size=3, max_size=3, unique=True), st.floats(allow_nan=False), texts)
def test_any_names_and_numbers_are_kept(tmp_path, names, weight, text):
    weight = weight if np.isfinite(weight) and weight != 0 else 1.0
    weights = np.array([[0.0, weight, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    circuit = three_units(weights=weights, neuron_ids=tuple(names), metadata={"note": text, "n": 3})
    write_graphml(tmp_path / "c.graphml", circuit, Choice())
    assert_same(networkx.read_graphml(tmp_path / "c.graphml"), circuit.to_networkx())


def test_the_same_circuit_gives_the_same_bytes(circuit, tmp_path):
    for name in ("a.graphml", "b.graphml"):
        write_graphml(tmp_path / name, circuit, Choice())
    assert (tmp_path / "a.graphml").read_bytes() == (tmp_path / "b.graphml").read_bytes()


@pytest.mark.parametrize(
    "changes", [{"neuron_ids": ("a\x07", "b", "c")}, {"metadata": {"note": "a\x00"}}]
)
def test_what_xml_cannot_hold_is_refused(tmp_path, changes):
    with pytest.raises(InputError, match="control character"):
        write_graphml(tmp_path / "c.graphml", three_units(**changes), Choice())
    assert list(tmp_path.iterdir()) == []
