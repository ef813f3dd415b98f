"""What all simulated networks have in common: synapses, an external drive, and how they are run."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.recording import Covariate, Recording
from spikeweft.simulate.neuron import Neuron
from spikeweft.simulate.spiking import Spikes

BURN_IN_S = 2.0
"""Time simulated before a recording starts, so that the bumps of activity have formed."""


class Stretch(NamedTuple):
    """Ticks from `start` to `stop` during which neuron j sends along the weights of j - shift."""

    start: int
    stop: int
    shift: int


class Network(ABC):
    """Neurons with known synapses: drive = r·W·s, traces s decaying with `tau_s`."""

    __slots__ = ()

    neuron: Neuron
    recurrent_strength: float
    tau_s: float
    tick_s: float

    @property
    @abstractmethod
    def connectivity(self) -> Connectivity:
        """The true circuit, its metadata enough to build the network again."""

    def stretches(self, start: int, stop: int) -> Iterator[Stretch]:
        """Parts of these ticks in which the external drive does not change."""
        yield Stretch(start, stop, 0)

    def covariates(self, duration_s: float) -> dict[str, Covariate]:
        """Variables to store beside the spikes; none without an external drive."""
        return {}

    @property
    def decay(self) -> float:
        """Factor by which a trace decays in a tick."""
        return 1.0 - self.tick_s / self.tau_s

    @property
    def synapses(self) -> Float[np.ndarray, "post pre"]:
        """Weights times recurrent strength: what one spike adds to the drive."""
        return self.recurrent_strength * self.connectivity.weights


def simulate(network: Network, duration_s: float, rng: np.random.Generator) -> Recording:
    """Spikes of a network in equilibrium, from 0 to `duration_s` seconds.

    Raises
    ------
    InputError
        Where the duration is not at least one tick, or no neuron fires in it.
    """
    n_ticks = round(duration_s / network.tick_s)
    if n_ticks < 1:
        raise InputError(
            f"a simulation of {duration_s:g} s is shorter than one tick of {network.tick_s:g} s; "
            "ask for a longer one"
        )
    circuit = network.connectivity
    spikes = _run(network, -round(BURN_IN_S / network.tick_s), n_ticks, rng)
    return Recording.from_arrays(
        spikes.ticks * network.tick_s,
        spikes.neurons,
        n_neurons=circuit.n_neurons,
        epochs_s=np.array([[0.0, n_ticks * network.tick_s]]),
        tick_s=network.tick_s,
        neuron_ids=circuit.neuron_ids,
        covariates=network.covariates(duration_s),
        preferred_angle_rad=circuit.angle_rad,
    )


def _run(network: Network, start: int, stop: int, rng: np.random.Generator) -> Spikes:
    """All spikes from tick `start` to tick `stop`, from silence."""
    synapses = network.synapses
    trace = np.zeros(len(synapses))
    ticks, neurons = [], []
    for part in network.stretches(start, stop):
        shifted = np.roll(synapses, part.shift, axis=1)
        spikes = network.neuron.spikes(shifted, trace, part.stop - part.start, network.decay, rng)
        ticks.append(spikes.ticks + part.start)
        neurons.append(spikes.neurons)
    return Spikes(np.concatenate(ticks), np.concatenate(neurons))
