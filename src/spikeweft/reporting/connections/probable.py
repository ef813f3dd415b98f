"""The connections of a circuit that are more probable than not, and how they are named."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Int

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.plot_style import short_names

_PROBABLE = 0.5

_CANNOT_BE_TOLD_FROM_ONE = 0.995


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbableConnections:
    """Connections of a probability above a half, the most probable first.

    Attributes
    ----------
    circuit
        What they are connections of.
    post, pre
        Indices of the neurons that receive and send.
    """

    circuit: Connectivity
    post: Int[np.ndarray, " connection"]
    pre: Int[np.ndarray, " connection"]

    @classmethod
    def of(cls, circuit: Connectivity) -> Self:
        """Those of a circuit; none where it says nothing of probabilities."""
        probability = circuit.probability
        if probability is None:
            nobody = np.zeros(0, dtype=int)
            return cls(circuit=circuit, post=nobody, pre=nobody)
        post, pre = np.nonzero(circuit.off_diagonal & (probability > _PROBABLE))
        best_first = np.argsort(-probability[post, pre], kind="stable")
        return cls(circuit=circuit, post=post[best_first], pre=pre[best_first])

    def first(self, n_connections: int) -> Self:
        """The most probable of them."""
        return replace(self, post=self.post[:n_connections], pre=self.pre[:n_connections])

    @property
    def n_connections(self) -> int:
        """How many there are."""
        return len(self.post)


def connection_in_words(circuit: Connectivity, post: int, pre: int) -> str:
    """A connection with its probability and latency: "3 → 7, p = .98, 2 ms".

    Where one back is probable too, the arrow is a double one; the rest is that of the first.
    """
    assert circuit.probability is not None
    names = short_names(circuit.neuron_ids)
    arrow = "⇄" if circuit.probability[pre, post] > _PROBABLE else "→"
    probability = probability_in_words(circuit.probability[post, pre])
    relation = "" if probability.startswith(">") else "= "
    latency = latency_in_words(circuit, post, pre)
    parts = [f"{names[pre]} {arrow} {names[post]}", f"p {relation}{probability}"]
    return ", ".join([*parts, f"{latency} ms"] if latency else parts)


def probability_in_words(probability: float) -> str:
    """A probability with two digits, ".98", or "> .99"."""
    if probability > _CANNOT_BE_TOLD_FROM_ONE:
        return "> .99"
    return f"{probability:.2f}".removeprefix("0")


def latency_in_words(circuit: Connectivity, post: int, pre: int) -> str:
    """A latency in milliseconds, or nothing where none is stated."""
    if circuit.latency_s is None or not np.isfinite(circuit.latency_s[post, pre]):
        return ""
    return f"{1e3 * circuit.latency_s[post, pre]:.1f}".removesuffix(".0")
