"""The section of a result's page that shows connections one by one."""

from dataclasses import dataclass, replace

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.file_contents.sentences import counted
from spikeweft.reporting.connections.plot_correlograms import draw_correlogram, named_correlograms
from spikeweft.reporting.connections.plot_graph import TYPE_COLOURS, draw_graph
from spikeweft.reporting.connections.probable import (
    ProbableConnections,
    probability_in_words,
)
from spikeweft.reporting.page import Figure
from spikeweft.reporting.plot_style import legend_below, panels, small_panels
from spikeweft.reporting.result_view import View

_MOST_ARROWS, _MOST_ROWS, _MOST_CORRELOGRAMS = 1000, 30, 12

_N_COLUMNS = 4

_SURE = 0.95

_LEAST_SD_MS = 0.1

_CORRELOGRAMS_CAPTION = (
    "Coincidences of the most probable connections, as they were counted, by the lag of the "
    "receiver's spike behind the sender's. Dashed: what the two rates and a smooth bump, as pairs "
    "without a connection have them too, lead to expect. Blue: the same with the connection. Look "
    "for a sharp onset on one side of 0; a peak that is as steep on its other side, or lies at 0, "
    "is what common input makes. A double arrow is a pair that is connected both ways."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionsSection:
    """Figures of probable connections, and a table of them.

    Attributes
    ----------
    summary
        How many there are, in a sentence.
    figures
        The graph and, where they are known, correlograms.
    rows
        Sender, receiver, effect, probability, latency and weight of each.
    note
        What is in the table, and what is not.
    """

    summary: str
    figures: list[Figure]
    rows: list[list[str]]
    note: str


def connections_section(view: View) -> ConnectionsSection | None:
    """The section of a result; None where its model says nothing of probabilities."""
    if view.inferred.probability is None:
        return None
    connections = ProbableConnections.of(_with_own_signs(view))
    made = (_graph(connections, view), _correlograms(connections, view))
    return ConnectionsSection(
        summary=_summary(connections),
        figures=[figure for figure in made if figure is not None],
        rows=_rows(connections),
        note=_note(connections.n_connections - _MOST_ROWS, view),
    )


def _with_own_signs(view: View) -> Connectivity:
    """The circuit as the model found it, in the truth's unit: what excites is not turned round."""
    return replace(view.inferred, weights=abs(view.scale) * view.result.connectivity.weights)


def _summary(connections: ProbableConnections) -> str:
    circuit, n = connections.circuit, connections.n_connections
    if n == 0:
        return "No pair is more probably connected than not."
    assert circuit.probability is not None
    n_sure = int((circuit.probability[connections.post, connections.pre] > _SURE).sum())
    n_pairs = circuit.n_neurons * (circuit.n_neurons - 1)
    sentence = (
        f"Of {n_pairs:,} ordered pairs of neurons {n:,} {'is' if n == 1 else 'are'} more probably "
        "connected than not, "
        f"{n_sure:,} of them with a probability above {probability_in_words(_SURE)}."
    )
    if circuit.excitatory_probability is None:
        return sentence
    kinds = {kind: circuit.cell_type.count(kind) for kind in TYPE_COLOURS}
    of_type = ", ".join(f"{kind} {count}" for kind, count in kinds.items())
    return f"{sentence} Neurons by the connections that they send: {of_type}."


def _note(n_left: int, view: View) -> str:
    text = "Latency and weight with their posterior standard deviation"
    if view.truth is not None:
        text += ", weights in the truth's unit as in the matrices below"
        text += ", which show them with the other sign" if view.scale < 0 else ""
    if n_left <= 0:
        return f"{text}."
    others = "other one is" if n_left == 1 else f"{n_left:,} others are"
    return f"{text}. The {others} in connectivity.nc."


def _graph(connections: ProbableConnections, view: View) -> Figure | None:
    if connections.n_connections == 0:
        return None
    (ax,) = panels([""], width_in=9.6, height_in=7.6)
    shown = connections.first(_MOST_ARROWS)
    draw_graph(shown, view.order, ax)
    caption = (
        "Neurons on a circle, by type; an arrow is a connection from the sender to the receiver, "
        "which inhibits where it ends in a bar. Wide arrows are large weights, faint ones little "
        "more probable than not."
    )
    if shown.n_connections < connections.n_connections:
        caption += f" Only the {_MOST_ARROWS:,} most probable are drawn."
    return Figure(
        ax=ax,
        anchor="graph",
        title="Who connects to whom",
        alt=f"{counted(shown.n_connections, 'connection')} between neurons on a circle, as arrows.",
        caption=f"{caption} Look for neurons that seem to excite some and inhibit others.",
    )


def _correlograms(connections: ProbableConnections, view: View) -> Figure | None:
    shown = named_correlograms(connections, view.result.correlograms)[:_MOST_CORRELOGRAMS]
    if not shown:
        return None
    n_columns = min(_N_COLUMNS, len(shown))
    axes = small_panels([pair.name for pair in shown], _N_COLUMNS, row_in=1.9)
    for pair, ax in zip(shown, axes, strict=True):
        draw_correlogram(pair.correlogram, ax)
    for ax in axes[::_N_COLUMNS]:
        ax.set_ylabel("coincidences")
    for ax in axes[-n_columns:]:
        ax.set_xlabel("lag (ms)")
    legend_below(axes[0])
    return Figure(
        ax=axes[0],
        anchor="correlograms",
        title="Cross-correlograms",
        alt=f"{counted(len(shown), 'cross-correlogram')} of the most probable connections.",
        caption=_CORRELOGRAMS_CAPTION,
    )


def _rows(connections: ProbableConnections) -> list[list[str]]:
    pairs = zip(connections.post[:_MOST_ROWS], connections.pre[:_MOST_ROWS], strict=True)
    return [_row(connections.circuit, int(post), int(pre)) for post, pre in pairs]


def _row(circuit: Connectivity, post: int, pre: int) -> list[str]:
    assert circuit.probability is not None
    return [
        circuit.neuron_ids[pre],
        circuit.neuron_ids[post],
        "excites" if circuit.weights[post, pre] > 0 else "inhibits",
        probability_in_words(circuit.probability[post, pre]),
        _latency(circuit, post, pre),
        _weight(circuit, post, pre),
    ]


def _latency(circuit: Connectivity, post: int, pre: int) -> str:
    """In milliseconds, to a tenth."""
    if circuit.latency_s is None or not np.isfinite(circuit.latency_s[post, pre]):
        return "–"
    latency = f"{1e3 * circuit.latency_s[post, pre]:.1f}"
    if circuit.latency_sd_s is None:
        return latency
    sd_ms = 1e3 * circuit.latency_sd_s[post, pre]
    spread = f"{sd_ms:.1f}" if sd_ms >= _LEAST_SD_MS else f"<{_LEAST_SD_MS:g}"
    return f"{latency} ± {spread}"


def _weight(circuit: Connectivity, post: int, pre: int) -> str:
    error = circuit.standard_error
    spread = "" if error is None else f" ± {error[post, pre]:.1g}"
    return f"{circuit.weights[post, pre]:+#.3g}{spread}".replace("-", "−")
