"""Which columns carry the activity of which neurons: of observed ones, and of hidden ones between.

A column is the synapse of one observed neuron onto each of the others, w_ij for all i. A neuron
that has none of its own, because it is hidden or because an input has rotated it to where no
observed neuron is, sends along the columns between which it lies, by its share in each. So nobody's
activity is lost, and neurons that are not observed have no weights of their own that spikes would
have to tell from those of their neighbours.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from spikeweft.circuit_gnn.spike_prediction.rate_kernels import route_columns


class Links(NamedTuple):
    """Who sends along which column, by shift, observed neurons first; and how many of each send."""

    source: Int[np.ndarray, "shift link"]
    column: Int[np.ndarray, "shift link"]
    share: Float[np.ndarray, "shift link"]
    n_observed: Int[np.ndarray, " shift"]
    n_sent: Int[np.ndarray, " shift"]


class Routes(NamedTuple):
    """From which neuron, by how far an input has rotated the circuit, and along which columns."""

    sources: Int[np.ndarray, "shift place"]
    """Neuron at each place, observed ones first; -1 where there is none."""

    shares: Float[np.ndarray, "place column"]
    """Share of each column in what a neuron at this place sends."""

    shift: Int[np.ndarray, " time"]

    @classmethod
    def unrotated(cls, mix: Float[np.ndarray, "hidden column"], n_times: int) -> "Routes":
        """Observed neurons along their own columns, hidden ones along those of their neighbours."""
        shares = np.concatenate([np.eye(mix.shape[1]), mix])
        return cls(np.arange(len(shares))[None, :], shares, np.zeros(n_times, np.int64))

    @property
    def links(self) -> "Links":
        """What is sent along which column, after each shift: by observed neurons, then by hidden.

        Where nobody is at a place, nothing is sent from there.
        """
        place, column = np.nonzero(self.shares)
        n_observed, source = self.shares.shape[1], self.sources[:, place]
        kind = np.where(source < 0, 2, source >= n_observed)
        order = np.argsort(kind, axis=1, kind="stable")
        index = np.where(kind == 1, source - n_observed, source)
        return Links(
            np.take_along_axis(index, order, axis=1),
            column[order],
            self.shares[place, column][order],
            np.count_nonzero(kind == 0, axis=1),
            np.count_nonzero(kind < 2, axis=1),
        )

    def route(
        self,
        columns: Float[np.ndarray, "time column"],
        hidden: Float[np.ndarray, "time hidden"] | None = None,
    ) -> None:
        """Put what all neurons send into the columns, in place of the traces of observed ones."""
        none = np.zeros((len(columns), 0))
        route_columns(columns, none if hidden is None else hidden, self.shift, self.links)
