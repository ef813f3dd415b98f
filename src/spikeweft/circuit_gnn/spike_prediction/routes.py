"""Which columns carry the activity of which neurons: of observed ones, and of hidden ones between.

A column is the synapse of one observed neuron onto each of the others, w_ij for all i. A neuron
that has none of its own, because it is hidden or because an input has rotated it to where no
observed neuron is, sends along the columns between which it lies, by its share in each. So nobody's
activity is lost, and neurons that are not observed have no weights of their own that spikes would
have to tell from those of their neighbours.
"""

from typing import NamedTuple, no_type_check

import numba
import numpy as np
from jaxtyping import Float, Int


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
    def compact(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Sources; and columns and shares of all places in a row, with where each begins."""
        place, column = np.nonzero(self.shares)
        starts = np.searchsorted(place, np.arange(len(self.shares) + 1))
        return self.sources, starts, column, self.shares[place, column]

    def route(
        self,
        columns: Float[np.ndarray, "time column"],
        hidden: Float[np.ndarray, "time hidden"] | None = None,
    ) -> None:
        """Put what all neurons send into the columns, in place of the traces of observed ones."""
        none = np.zeros((len(columns), 0))
        _route(columns, none if hidden is None else hidden, self.shift, self.compact)


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _route(columns, hidden, shift, compact):
    sent = np.zeros(columns.shape[1])
    for t in range(len(columns)):
        add_up(columns[t], hidden[t], shift[t], compact, sent)
        columns[t] = sent


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def add_up(observed, hidden, shift, compact, sent):
    """What every column carries at one time, into `sent`."""
    sources, starts, column, share = compact
    sent[:] = 0.0
    sources_now, n = sources[shift % len(sources)], len(observed)
    for place in range(len(sources_now)):
        source = sources_now[place]
        if source < 0:
            continue
        trace = observed[source] if source < n else hidden[source - n]
        for k in range(starts[place], starts[place + 1]):
            sent[column[k]] += share[k] * trace
