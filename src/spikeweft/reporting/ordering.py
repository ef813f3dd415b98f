"""The order in which figures show neurons."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.connectivity import Connectivity


@dataclass(frozen=True, slots=True, kw_only=True)
class NeuronOrder:
    """The order in which neurons are shown, and where it comes from.

    Attributes
    ----------
    neurons
        Index of the neuron at each place.
    angle_rad
        Preferred direction at each place, ascending, NaN last; None where the order was inferred.
    """

    neurons: Int[np.ndarray, " place"]
    angle_rad: Float[np.ndarray, " place"] | None = None

    @property
    def source(self) -> str:
        """What the neurons are sorted by, in words."""
        return "the inferred circuit" if self.angle_rad is None else "preferred direction"

    @property
    def place(self) -> Int[np.ndarray, " neuron"]:
        """Place of each neuron, the inverse of `neurons`."""
        return np.argsort(self.neurons)

    @property
    def n_directions(self) -> int:
        """How many neurons' preferred directions are known."""
        return 0 if self.angle_rad is None else int(np.isfinite(self.angle_rad).sum())

    def place_at(self, angle_rad: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        """Where a direction lies between the places of the neurons that prefer its neighbours."""
        assert self.angle_rad is not None
        known = self.angle_rad[np.isfinite(self.angle_rad)]
        around = np.concatenate([[known[-1] - 2 * np.pi], known, [known[0] + 2 * np.pi]])
        return np.interp(np.mod(angle_rad, 2 * np.pi), around, np.arange(-1, len(known) + 1))


def neuron_order(circuit: Connectivity) -> NeuronOrder:
    """Order by preferred direction where known, else as the circuit itself suggests."""
    if circuit.angle_rad is None or not np.isfinite(circuit.angle_rad).any():
        return NeuronOrder(neurons=circular_order(circuit.weights))
    angle = np.mod(circuit.angle_rad, 2 * np.pi)
    neurons = np.argsort(angle, kind="stable")
    return NeuronOrder(neurons=neurons, angle_rad=angle[neurons])


def circular_order(weights: Float[np.ndarray, "post pre"]) -> Int[np.ndarray, " place"]:
    """Order of the neurons around a circle, so that neurons with like connections are neighbours.

    Spectral seriation (Atkins et al. 1998): each neuron is linked to those whose incoming and
    outgoing weights correlate best with its own; the two slowest modes of that graph put it on a
    circle. A ring is recovered up to rotation and reflection; the order starts at neuron 0.
    """
    n = len(weights)
    if n < 4:
        return np.arange(n)
    likeness = _likeness(weights)
    n_nearest = min(max(4, n // 12), n - 1)
    nearest = np.partition(likeness, -n_nearest, axis=1)[:, -n_nearest, None]
    linked = np.where(likeness >= nearest, likeness, 0.0)
    # A faint link between all pairs keeps the graph in one piece.
    graph = np.maximum(linked, linked.T) + 1e-3
    root_degree = np.sqrt(graph.sum(axis=1))
    _, modes = np.linalg.eigh(graph / np.outer(root_degree, root_degree))
    east, north = (modes[:, [-2, -3]] / root_degree[:, None]).T
    order = np.argsort(np.arctan2(north, east), kind="stable")
    order = np.roll(order, -int(np.argmin(order)))
    return order if order[1] < order[-1] else np.roll(order[::-1], 1)


def _likeness(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, "neuron neuron"]:
    """Correlation of two neurons' weights with all others, in and out, where positive.

    The weights between the two, and of each to itself, have no counterpart and are left out.
    """
    n = len(weights)
    off_diagonal = ~np.eye(n, dtype=bool)
    product, power = np.zeros((n, n)), np.zeros((n, n))
    for side in (weights, weights.T):
        mean = side.mean(axis=1, keepdims=True, where=off_diagonal)
        centred = np.where(off_diagonal, side - mean, 0.0)
        product += centred @ centred.T
        power += np.sum(centred**2, axis=1, keepdims=True) - centred**2
    norm = np.sqrt(np.clip(power * power.T, 0.0, None))
    likeness = np.divide(product, norm, out=np.zeros((n, n)), where=norm > 0)
    return np.clip(likeness, 0.0, 1.0) * off_diagonal
