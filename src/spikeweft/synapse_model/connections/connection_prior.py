"""How often neurons connect, how strongly, how late and in what shape; all of it estimated."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.smooth_null import SCALES

_FIRST_CHANCE = np.array([0.03, 0.01])

_FIRST_EXCITATORY = 0.8

_PRIOR_PAIRS, _PRIOR_CONNECTIONS = 30.0, 0.5

_LEAST_CHANCE, _LARGEST_CHANCE = 1e-5, 0.3

_FLAT = 0.1
"""Share of each distribution that stays as likely for all kernels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPrior:
    """What connections of a recording have in common, excitatory first, inhibitory second.

    Attributes
    ----------
    sent
        Chance that a neuron of each type sends to another.
    strength, latency, shape
        Distribution of each.
    scale
        Distribution of pairs over the scales of the null.
    excitatory
        Probability of each neuron that it excites.
    excitatory_share
        Of all neurons.
    variances
        Of the components of the null.
    """

    sent: Float[np.ndarray, " 2"]
    strength: Float[np.ndarray, "2 strength"]
    latency: Float[np.ndarray, "2 latency"]
    shape: Float[np.ndarray, "2 shape"]
    scale: Float[np.ndarray, " scale"]
    excitatory: Float[np.ndarray, " neuron"]
    excitatory_share: float
    variances: Float[np.ndarray, " component"]

    @classmethod
    def first(
        cls, shapes: KernelShapes, n_neurons: int, variances: Float[np.ndarray, " component"]
    ) -> Self:
        """All kernels equally likely, and few connections."""
        strength, latency, shape = (np.full((2, n), 1 / n) for n in shapes.dims)
        return cls(
            sent=_FIRST_CHANCE,
            strength=strength,
            latency=latency,
            shape=shape,
            scale=np.full(len(SCALES), 1 / len(SCALES)),
            excitatory=np.full(n_neurons, _FIRST_EXCITATORY),
            excitatory_share=_FIRST_EXCITATORY,
            variances=variances,
        )

    @property
    def log_kernel(self) -> Float[np.ndarray, "2 kernel"]:
        """Log probability of each kernel of a connection."""
        joint = (
            np.log(self.strength)[:, :, None, None]
            + np.log(self.latency)[:, None, :, None]
            + np.log(self.shape)[:, None, None, :]
        )
        return joint.reshape(2, -1)

    @property
    def chance(self) -> Float[np.ndarray, "pre 2"]:
        """Chance that each neuron sends an excitatory, an inhibitory connection to another."""
        return np.stack([self.excitatory, 1 - self.excitatory], axis=1) * self.sent


def chance_of(
    n_connections: Float[np.ndarray, " 2"], n_pairs: Float[np.ndarray, " 2"]
) -> Float[np.ndarray, " 2"]:
    """Chance of a connection, from how many of how many pairs there are of each type."""
    chance = (n_connections + _PRIOR_CONNECTIONS) / (n_pairs + _PRIOR_PAIRS)
    return np.clip(chance, _LEAST_CHANCE, _LARGEST_CHANCE)


def distribution_of(number: Float[np.ndarray, "2 kind"]) -> Float[np.ndarray, "2 kind"]:
    """A distribution from numbers of connections of each kind; no kind is impossible."""
    n_kinds = number.shape[1]
    counted = number + 1 / n_kinds
    return (1 - _FLAT) * counted / counted.sum(1, keepdims=True) + _FLAT / n_kinds
