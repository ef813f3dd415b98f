"""How often neurons connect, how strongly, how late and in what shape; all of it estimated."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.connections.indirect_bumps import IndirectBumps
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.smooth_null import MULTIPLES

_FIRST_CHANCE = np.array([0.01, 0.005])

_FIRST_EXCITATORY = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionPrior:
    """What connections of a recording have in common, excitatory first, inhibitory second.

    Attributes
    ----------
    sent
        Chance that a neuron of each type sends to another.
    strength, latency, shape
        Distribution of each.
    spread
        Distribution of pairs over the `MULTIPLES` of the null's variances.
    excitatory
        Probability of each neuron that it excites.
    known_excitatory
        The same of neurons whose type is known, 1 or 0, and NaN of the others.
    excitatory_share
        Of all neurons.
    variances
        Of the components of the null.
    indirect
        Bumps of pairs that are not connected.
    """

    sent: Float[np.ndarray, " 2"]
    strength: Float[np.ndarray, "2 strength"]
    latency: Float[np.ndarray, "2 latency"]
    shape: Float[np.ndarray, "2 shape"]
    spread: Float[np.ndarray, " multiple"]
    excitatory: Float[np.ndarray, " neuron"]
    known_excitatory: Float[np.ndarray, " neuron"]
    excitatory_share: float
    variances: Float[np.ndarray, " component"]
    indirect: IndirectBumps

    @classmethod
    def first(
        cls,
        shapes: KernelShapes,
        known_excitatory: Float[np.ndarray, " neuron"],
        variances: Float[np.ndarray, " component"],
        lags_s: Float[np.ndarray, " lag"],
    ) -> Self:
        """All kernels equally likely, and few connections."""
        strength, latency, shape = (np.full((2, n), 1 / n) for n in shapes.dims)
        return cls(
            sent=_FIRST_CHANCE,
            strength=strength,
            latency=latency,
            shape=shape,
            spread=np.full(len(MULTIPLES), 1 / len(MULTIPLES)),
            excitatory=np.where(np.isnan(known_excitatory), _FIRST_EXCITATORY, known_excitatory),
            known_excitatory=known_excitatory,
            excitatory_share=_FIRST_EXCITATORY,
            variances=variances,
            indirect=IndirectBumps.first(lags_s, skewed=False),
        )

    def with_known(self, excitatory: Float[np.ndarray, " neuron"]) -> Float[np.ndarray, " neuron"]:
        """These probabilities, but those of neurons whose type is known."""
        return np.where(np.isnan(self.known_excitatory), excitatory, self.known_excitatory)

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
