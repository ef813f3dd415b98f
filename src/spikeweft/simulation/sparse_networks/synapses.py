"""Synapses with delays: how they are drawn, and the form in which a simulation delivers spikes."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int


class OutgoingSynapses(NamedTuple):
    """The synapses of each presynaptic neuron in a row, those of neuron j from `first[j]` on."""

    first: Int[np.ndarray, " neuron_and_end"]
    post: Int[np.ndarray, " synapse"]
    delay_steps: Int[np.ndarray, " synapse"]
    weight: Float[np.ndarray, " synapse"]
    longest_delay_steps: int


class DelayedSynapses(NamedTuple):
    """A weight and a delay for each ordered pair of neurons; no synapse where the weight is 0.

    A spike acts from `delay_s` after its own time on.
    """

    weights: Float[np.ndarray, "post pre"]
    delay_s: Float[np.ndarray, "post pre"]

    def outgoing(self, time_step_s: float) -> OutgoingSynapses:
        """The synapses by presynaptic neuron; no delay is shorter than a step."""
        pre, post = np.nonzero(self.weights.T)
        steps = np.maximum(np.rint(self.delay_s[post, pre] / time_step_s), 1).astype(np.int64)
        first = np.searchsorted(pre, np.arange(len(self.weights) + 1))
        longest = int(steps.max(initial=1))
        return OutgoingSynapses(first, post, steps, self.weights[post, pre], longest)


def excitatory(n_neurons: int, fraction: float) -> Bool[np.ndarray, " neuron"]:
    """Which neurons excite: the first of them."""
    return np.arange(n_neurons) < round(fraction * n_neurons)


def delays_s(
    shape: tuple[int, ...], shortest_ms: int, longest_ms: int, rng: np.random.Generator
) -> Float[np.ndarray, "..."]:
    """Delays of whole milliseconds, all equally likely."""
    return 1e-3 * rng.integers(shortest_ms, longest_ms + 1, shape)


def bernoulli_synapses(
    excites: Bool[np.ndarray, " neuron"],
    connection_probability: float,
    mean_weights: tuple[float, float],
    longest_delay_ms: int,
    rng: np.random.Generator,
) -> DelayedSynapses:
    """Every pair is connected with the same probability.

    Weights are log-normal with the same spread (a standard deviation of ½ of their logarithm)
    around the mean of excitatory and that of inhibitory neurons.
    """
    n = len(excites)
    connected = rng.random((n, n)) < connection_probability
    np.fill_diagonal(connected, False)
    size = rng.lognormal(-0.125, 0.5, (n, n))
    weights = np.where(connected, size * np.where(excites, *mean_weights), 0.0)
    return DelayedSynapses(weights, delays_s((n, n), 1, longest_delay_ms, rng))
