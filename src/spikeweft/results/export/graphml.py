"""Circuits as graphs in GraphML, which Gephi, Cytoscape, igraph and NetworkX read."""

import io
from pathlib import Path

from spikeweft.data.connectivity import Connectivity
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.plain_text import check_kept
from spikeweft.runtime.files import write_whole


def write_graphml(path: Path, circuit: Connectivity, choice: Choice) -> int:
    """Write `Connectivity.to_networkx`: all neurons, the connections, and the metadata.

    Returns how many connections there are.

    Raises
    ------
    InputError
        Where NetworkX is not installed, a name or the metadata cannot be written, or the file
        system refuses.
    """
    graph = circuit.to_networkx(**choice._asdict())
    check_kept([*circuit.neuron_ids, *circuit.metadata, *circuit.metadata.values()])
    from networkx import write_graphml_xml

    content = io.BytesIO()
    # Not `write_graphml`, which writes other bytes where lxml is installed.
    write_graphml_xml(graph, content)
    write_whole(path, content.getvalue())
    return graph.number_of_edges()
