"""Pairs of spikes by their lag, for coincidences and cross-correlograms."""

from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, Int

Times = Int[np.ndarray, " spike"] | Float[np.ndarray, " spike"]


def count_pairs(
    times: Times,
    neurons: Int[np.ndarray, " spike"],
    edges: np.ndarray,
    counts: Int[np.ndarray, "earlier later bin"],
) -> None:
    """Add every pair of spikes to the bin of `counts` that its lag falls into.

    Parameters
    ----------
    times
        Ascending times, in seconds or in steps.
    neurons
        The neuron that fired each spike.
    edges
        Upper edge of each bin, excluded, in the unit of the times; the first bin starts at 0. Pairs
        at or beyond the last edge are left out.
    counts
        Numbers of pairs so far. Spikes at the same time count in the order given.
    """
    _count(times, neurons.astype(np.int64), edges, counts)


@numba.njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller is checked
def _count(times, neurons, edges, counts):
    for first in range(len(times)):
        for second in range(first + 1, len(times)):
            lag = times[second] - times[first]
            if lag >= edges[-1]:
                break
            found = np.searchsorted(edges, lag, side="right")
            counts[neurons[first], neurons[second], found] += 1
