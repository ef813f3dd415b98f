"""What all sparse networks have in common: a drawn circuit, and recordings made from it."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.simulation.networks import BURN_IN_S, whole_steps
from spikeweft.simulation.settings import (
    check_finite,
    check_memory,
    check_n_neurons,
    check_not_negative,
    check_positive,
    check_whole,
    store_plainly,
)
from spikeweft.simulation.sparse_networks.synapses import (
    DelayedSynapses,
    bernoulli_synapses,
    excitatory,
)
from spikeweft.simulation.spike_kernels import Spikes

_DELAY_STEP_S = 1e-3

_BYTES_PER_SPIKE, _LEAST_RATE_HZ = 16, 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SparseNetwork(ABC):
    """Excitatory and inhibitory neurons, sparsely connected with delays.

    Attributes
    ----------
    n_neurons
        How many neurons there are; the first of them excite.
    excitatory_fraction
        Which part of them excites.
    time_step_s
        Step of the simulation; a millisecond, of which delays are made, is a whole number of them.
    wiring_seed
        Seed of the circuit, kept so that the network can be built again.
    """

    n_neurons: int
    excitatory_fraction: float = 0.8
    time_step_s: float = 1e-3
    wiring_seed: int = 0

    def __post_init__(self) -> None:
        store_plainly(self)
        check_n_neurons(self.n_neurons)
        check_finite(self, "excitatory_fraction")
        check_positive(self, "time_step_s")
        check_whole(self, 0, "wiring_seed")
        if not _divides_delays(self.time_step_s):
            raise InputError(
                f"delays of whole milliseconds are not made of steps of {self.time_step_s:g} s; "
                "choose a time step of 0.001 s or a whole fraction of it, such as 0.0002 s"
            )
        n_excitatory = int(excitatory(self.n_neurons, self.excitatory_fraction).sum())
        if not 0 < n_excitatory < self.n_neurons:
            raise InputError(
                f"an excitatory fraction of {self.excitatory_fraction:g} leaves only one kind "
                f"among {self.n_neurons} neurons; choose one that leaves some of each"
            )

    @abstractmethod
    def synapses(self, rng: np.random.Generator) -> DelayedSynapses:
        """One circuit."""

    @abstractmethod
    def spikes(self, synapses: DelayedSynapses, n_steps: int, rng: np.random.Generator) -> Spikes:
        """Spikes of this many steps, starting from rest."""

    @property
    def connectivity(self) -> Connectivity:
        """The true circuit, with the latency of each connection."""
        return self._circuit_of(self.synapses(np.random.default_rng(self.wiring_seed)))

    def _circuit_of(self, synapses: DelayedSynapses) -> Connectivity:
        connected = synapses.weights != 0
        return Connectivity(
            weights=synapses.weights,
            latency_s=np.where(connected, synapses.delay_s, np.nan),
            excitatory_probability=excitatory(self.n_neurons, self.excitatory_fraction) * 1.0,
            metadata={"sparse_network": type(self).__name__, **asdict(self)},
        )

    def simulate(self, duration_s: float, rng: np.random.Generator) -> Recording:
        """Spikes from 0 to `duration_s` seconds, after two seconds that are left out.

        Raises
        ------
        InputError
            Where the duration is not at least one step, or no neuron fires in it.
        """
        n_steps = whole_steps(duration_s, self.time_step_s)
        n_spikes = _LEAST_RATE_HZ * self.n_neurons * duration_s
        check_memory(f"a simulation of {duration_s:g} s", _BYTES_PER_SPIKE * n_spikes, "seconds")
        n_before = round(BURN_IN_S / self.time_step_s)
        synapses = self.synapses(np.random.default_rng(self.wiring_seed))
        spikes = self.spikes(synapses, n_before + n_steps, rng)
        kept = spikes.steps >= n_before
        if not kept.any():
            raise InputError(
                f"no neuron fires in {duration_s:g} s; raise what drives the neurons, or ask for a "
                "longer simulation"
            )
        return Recording.from_arrays(
            (spikes.steps[kept] - n_before) * self.time_step_s,
            spikes.neurons[kept],
            n_neurons=self.n_neurons,
            epochs_s=np.array([[0.0, n_steps * self.time_step_s]]),
            time_resolution_s=self.time_step_s,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BernoulliNetwork(SparseNetwork):
    """A sparse network in which every pair of neurons is connected with the same probability.

    Attributes
    ----------
    connection_probability
        Chance that a neuron sends to another.
    excitatory_weight, inhibitory_weight
        Mean size of a synapse, in the units of the neurons.
    longest_delay_ms
        Delays are whole milliseconds from 1 to this.
    """

    n_neurons: int = 60
    connection_probability: float
    excitatory_weight: float
    inhibitory_weight: float
    longest_delay_ms: int = 15

    def __post_init__(self) -> None:
        SparseNetwork.__post_init__(self)
        check_not_negative(self, "excitatory_weight", "inhibitory_weight")
        check_whole(self, 1, "longest_delay_ms")
        if not 0 <= self.connection_probability <= 1:
            raise InputError(
                f"a connection probability of {self.connection_probability:g} is none; choose one "
                "from 0 to 1"
            )

    def synapses(self, rng: np.random.Generator) -> DelayedSynapses:
        """One circuit."""
        return bernoulli_synapses(
            excitatory(self.n_neurons, self.excitatory_fraction),
            self.connection_probability,
            (self.excitatory_weight, -self.inhibitory_weight),
            self.longest_delay_ms,
            rng,
        )


def _divides_delays(time_step_s: float) -> bool:
    """Whether a millisecond is a whole number of steps."""
    n_steps = _DELAY_STEP_S / time_step_s
    return round(n_steps) >= 1 and abs(n_steps - round(n_steps)) < 1e-6 * n_steps
