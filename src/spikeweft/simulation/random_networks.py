"""Networks without geometry: sparse random wiring that activity patterns do not reveal."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.simulation.networks import Network
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.settings import (
    check_finite,
    check_not_negative,
    check_whole,
    store_plainly,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring(ABC):
    """A distribution of weight matrices.

    Attributes
    ----------
    connection_probability
        Chance that a neuron sends to another; no neuron sends to itself.
    weight_sd
        Standard deviation of the Gaussian from which the weights of connections are drawn.
    """

    connection_probability: float = 0.2
    weight_sd: float = 1.2e-3

    def __post_init__(self) -> None:
        store_plainly(self)
        check_not_negative(self, "weight_sd")
        if not 0 < self.connection_probability <= 1:
            raise InputError(
                f"a connection probability of {self.connection_probability:g} does not connect "
                "neurons; choose one above 0 and at most 1"
            )

    @abstractmethod
    def weights(self, n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, "post pre"]:
        """One weight matrix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SymmetricWiring(Wiring):
    """Both directions of a connection have the same weight, of either sign."""

    def weights(self, n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, "post pre"]:
        """One weight matrix."""
        one_way = np.triu(_directed(self, n_neurons, rng))
        return one_way + one_way.T


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectedWiring(Wiring):
    """Each direction is drawn independently, of either sign."""

    def weights(self, n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, "post pre"]:
        """One weight matrix."""
        return _directed(self, n_neurons, rng)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcitatoryInhibitoryWiring(Wiring):
    """Directed; a neuron only excites or only inhibits.

    The fewer inhibitory neurons are stronger, such that excitation and inhibition balance on
    average.
    """

    excitatory_fraction: float = 0.8

    def __post_init__(self) -> None:
        Wiring.__post_init__(self)
        check_finite(self, "excitatory_fraction")

    def weights(self, n_neurons: int, rng: np.random.Generator) -> Float[np.ndarray, "post pre"]:
        """One weight matrix; the last columns are the inhibitory neurons."""
        n_excitatory = round(self.excitatory_fraction * n_neurons)
        if not 0 < n_excitatory < n_neurons:
            raise InputError(
                f"an excitatory fraction of {self.excitatory_fraction:g} leaves only one kind "
                f"among {n_neurons} neurons; choose one that leaves some of each"
            )
        balance = n_excitatory / (n_neurons - n_excitatory)
        sign = np.where(np.arange(n_neurons) < n_excitatory, 1.0, -balance)
        return sign * np.abs(_directed(self, n_neurons, rng))


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomNetwork(Network):
    """Neurons with sparse random connections.

    Attributes
    ----------
    wiring
        The distribution of the weights.
    wiring_seed
        Seed of the matrix, kept so that the network can be built again.
    """

    wiring: Wiring
    n_neurons: int = 50
    wiring_seed: int = 0

    def __post_init__(self) -> None:
        Network.__post_init__(self)
        check_whole(self, 0, "wiring_seed")

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit; its metadata are enough to build the network again."""
        rng = np.random.default_rng(self.wiring_seed)
        return Connectivity(
            weights=self.wiring.weights(self.n_neurons, rng), metadata=self.to_metadata()
        )


def random_network(wiring: Wiring, wiring_seed: int = 0) -> RandomNetwork:
    """Fifty LNP neurons with a threshold at which they fire some tens of spikes a second."""
    return RandomNetwork(neuron=LNPNeuron(threshold=8e-4), wiring=wiring, wiring_seed=wiring_seed)


def _directed(
    wiring: Wiring, n_neurons: int, rng: np.random.Generator
) -> Float[np.ndarray, "post pre"]:
    shape = (n_neurons, n_neurons)
    connected: Bool[np.ndarray, "post pre"] = rng.random(shape) < wiring.connection_probability
    np.fill_diagonal(connected, False)
    return np.where(connected, wiring.weight_sd * rng.standard_normal(shape), 0.0)
