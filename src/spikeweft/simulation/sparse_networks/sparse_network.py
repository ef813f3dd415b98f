"""What all sparse networks have in common: a drawn circuit, and recordings made from it."""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.simulation.sparse_networks.synapses import DelayedSynapses, excitatory
from spikeweft.simulation.spike_kernels import Spikes

BURN_IN_S = 2.0
"""Time simulated before a recording starts."""


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
        Step of the simulation.
    wiring_seed
        Seed of the circuit, kept so that the network can be built again.
    """

    n_neurons: int
    excitatory_fraction: float = 0.8
    time_step_s: float = 1e-3
    wiring_seed: int = 0

    def __post_init__(self) -> None:
        if self.n_neurons < 2:
            raise InputError(f"a network needs at least two neurons, not {self.n_neurons}")
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
        n_steps = round(duration_s / self.time_step_s)
        if n_steps < 1:
            raise InputError(
                f"a simulation of {duration_s:g} s is shorter than one step of "
                f"{self.time_step_s:g} s; ask for a longer one"
            )
        n_before = round(BURN_IN_S / self.time_step_s)
        synapses = self.synapses(np.random.default_rng(self.wiring_seed))
        spikes = self.spikes(synapses, n_before + n_steps, rng)
        kept = spikes.steps >= n_before
        return Recording.from_arrays(
            (spikes.steps[kept] - n_before) * self.time_step_s,
            spikes.neurons[kept],
            n_neurons=self.n_neurons,
            epochs_s=np.array([[0.0, n_steps * self.time_step_s]]),
            time_resolution_s=self.time_step_s,
        )
