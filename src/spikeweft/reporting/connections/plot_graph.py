"""A plot of a circuit as a graph: neurons on a circle, connections as arrows between them."""

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.connections.probable import ProbableConnections
from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_style import INK, NO_DATA, short_names, styled

EXCITES, INHIBITS = "#b2182b", "#2166ac"
"""The ends of the colours of weight matrices."""

TYPE_COLOURS = {"excitatory": EXCITES, "unknown": NO_DATA, "inhibitory": INHIBITS}
"""Of neurons, in their order around the circle."""

_TYPE_MARKERS = {"excitatory": "o", "unknown": "D", "inhibitory": "s"}

_BAR_END = "-[,widthB=0.45,lengthB=0"

_MOST_NAMES = 300
"""More do not fit around the circle."""

_LONGEST_UPRIGHT_NAME = 3

_FEW_ARROWS = 60
"""More are drawn thinner."""

_BEND = 0.12
"""Of arrows, so that the two directions of a pair do not lie on each other."""


@styled
def draw_graph(connections: ProbableConnections, order: NeuronOrder, ax: Axes) -> Axes:
    """Neurons on a circle by type, then in order; connections as arrows from sender to receiver.

    Red arrows excite, blue ones that end in a bar inhibit; the larger the weight the wider, the
    more probable the darker. Inhibitory neurons are squares, those of unknown type diamonds.
    """
    circuit = connections.circuit
    angle_rad = _angles(circuit, order)
    x, y = np.cos(angle_rad), np.sin(angle_rad)
    size = float(np.clip(4800.0 / circuit.n_neurons, 22.0, 190.0))
    _draw_arrows(connections, np.stack([x, y], axis=1), np.sqrt(size) / 2, ax)
    kinds = np.array(circuit.cell_type)
    for kind, marker in _TYPE_MARKERS.items():
        ax.scatter(
            x[kinds == kind],
            y[kinds == kind],
            s=size,
            color=TYPE_COLOURS[kind],
            marker=marker,
            edgecolors="white",
            linewidths=1.0,
            zorder=3,
        )
    _name_neurons(connections, angle_rad, ax)
    ax.set_aspect("equal")
    ax.set_xlim(-1.2, 1.2)
    ax.set_ylim(-1.2, 1.2)
    ax.set_axis_off()
    return _explain(circuit, ax)


def _angles(circuit: Connectivity, order: NeuronOrder) -> Float[np.ndarray, " neuron"]:
    """Where each neuron lies, clockwise from the top, with a gap between types."""
    rank = np.array([list(TYPE_COLOURS).index(kind) for kind in circuit.cell_type])
    around = np.lexsort([order.place, rank])
    n_gaps = len(np.unique(rank)) if len(np.unique(rank)) > 1 else 0
    gaps_before = np.cumsum(np.diff(rank[around], prepend=rank[around[0]]) > 0)
    slot = np.empty(len(rank))
    slot[around] = np.arange(len(rank)) + gaps_before
    return np.pi / 2 - 2 * np.pi * slot / (len(rank) + n_gaps)


def _draw_arrows(
    connections: ProbableConnections,
    at: Float[np.ndarray, "neuron 2"],
    radius_pt: float,
    ax: Axes,
) -> None:
    circuit, post, pre = connections.circuit, connections.post, connections.pre
    assert circuit.probability is not None
    weight = circuit.weights[post, pre]
    share = _share_of_largest(np.abs(weight))
    opacity = np.clip(2 * circuit.probability[post, pre] - 1, 0.3, 0.85)
    thin = float(np.clip(np.sqrt(_FEW_ARROWS / max(len(weight), 1)), 0.4, 1.0))
    for k in np.argsort(opacity, kind="stable"):
        arrow = FancyArrowPatch(
            at[pre[k]],
            at[post[k]],
            connectionstyle=f"arc3,rad={_BEND}",
            arrowstyle="-|>" if weight[k] > 0 else _BAR_END,
            mutation_scale=thin * (6.0 + 4.0 * share[k]),
            shrinkA=radius_pt,
            shrinkB=radius_pt + 1.0,
            color=EXCITES if weight[k] > 0 else INHIBITS,
            alpha=opacity[k],
            lw=thin * (0.5 + 2.0 * share[k]),
            zorder=2,
        )
        arrow.set_in_layout(False)
        ax.add_patch(arrow)


def _share_of_largest(size: Float[np.ndarray, " arrow"]) -> Float[np.ndarray, " arrow"]:
    largest = float(np.quantile(size, 0.95)) if len(size) else 0.0
    return np.clip(size / largest, 0.0, 1.0) if largest > 0 else np.zeros(len(size))


def _named(connections: ProbableConnections) -> Int[np.ndarray, " named"]:
    """The neurons that are named: of many those with a connection, and none of too many."""
    n_neurons = connections.circuit.n_neurons
    if n_neurons <= _MOST_NAMES:
        return np.arange(n_neurons)
    connected = np.union1d(connections.post, connections.pre)
    return connected if len(connected) <= _MOST_NAMES else connected[:0]


def _name_neurons(
    connections: ProbableConnections, angle_rad: Float[np.ndarray, " neuron"], ax: Axes
) -> None:
    names, named = short_names(connections.circuit.neuron_ids), _named(connections)
    upright = max(map(len, names)) <= _LONGEST_UPRIGHT_NAME
    font_size = float(np.clip(420.0 / max(len(named), 1), 4.5, 8.5))
    for neuron in named:
        name, angle = names[neuron], angle_rad[neuron]
        x, y = 1.09 * np.cos(angle), 1.09 * np.sin(angle)
        if upright:
            ax.text(x, y, name, fontsize=font_size, ha="center", va="center")
            continue
        is_left = x < 0
        ax.text(
            x,
            y,
            name,
            fontsize=font_size,
            ha="right" if is_left else "left",
            va="center",
            rotation=np.rad2deg(angle) + 180.0 * is_left,
            rotation_mode="anchor",
        )


def _explain(circuit: Connectivity, ax: Axes) -> Axes:
    """A legend beside the graph."""
    there = [kind for kind in TYPE_COLOURS if kind in circuit.cell_type]
    neurons = [
        Line2D(
            [],
            [],
            color=TYPE_COLOURS[kind],
            marker=_TYPE_MARKERS[kind],
            ls="",
            label=_type_in_words(kind),
        )
        for kind in there
    ]
    arrows = [
        Line2D([], [], color=colour, lw=1.8, marker=end, ms=6, mew=1.8, label=label)
        for colour, end, label in ((EXCITES, ">", "excites"), (INHIBITS, "|", "inhibits"))
    ]
    ax.legend(
        handles=[*neurons, *arrows],
        loc="upper left",
        bbox_to_anchor=(1.0, 0.95),
        labelcolor=INK,
    )
    return ax


def _type_in_words(kind: str) -> str:
    return "neuron of unknown type" if kind == "unknown" else f"{kind} neuron"
