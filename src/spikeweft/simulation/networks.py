"""Simulated networks: their synapses, their external drive, and how they are run."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.simulation.neurons import Neuron
from spikeweft.simulation.settings import (
    check_finite,
    check_memory,
    check_n_neurons,
    store_plainly,
)
from spikeweft.simulation.spike_kernels import Spikes

BURN_IN_S = 2.0
"""Time simulated before a recording starts, so that the bumps of activity have formed."""

_DRIVE_SAMPLE_S = 1e-3

_BYTES_PER_STEP = 40.0


class Stretch(NamedTuple):
    """Steps from `start` to before `stop`, in which all columns are shifted by `shift` neurons."""

    start: int
    stop: int
    shift: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Network(ABC):
    """Neurons with known synapses: drive r·W·s, in which each spike leaves a decaying trace s.

    Attributes
    ----------
    neuron
        The neuron model, the same for all neurons.
    n_neurons
        How many neurons there are.
    recurrent_strength
        Factor r of all weights.
    tau_s, time_step_s
        Decay time of the traces, and the time step.
    """

    neuron: Neuron
    n_neurons: int = 100
    recurrent_strength: float = 0.025
    tau_s: float = 0.01
    time_step_s: float = 1e-4

    def __post_init__(self) -> None:
        store_plainly(self)
        check_n_neurons(self.n_neurons)
        check_finite(self, "recurrent_strength", "tau_s")
        if not 0 < self.time_step_s < self.tau_s:
            raise InputError(
                f"a time step of {self.time_step_s:g} s does not resolve traces that decay in "
                f"{self.tau_s:g} s; choose a positive step below the decay time"
            )

    @property
    @abstractmethod
    def connectivity(self) -> Connectivity:
        """The true circuit; its metadata are enough to build the network again."""

    def drive_rad(self, times_s: Float[np.ndarray, " time"]) -> Float[np.ndarray, " time"]:
        """External drive θ(t) in radians; none here."""
        return np.zeros_like(times_s)

    @property
    def synapses(self) -> Float[np.ndarray, "post pre"]:
        """Weights times recurrent strength: what one spike adds to the drive."""
        return self.recurrent_strength * self.connectivity.weights

    @property
    def decay(self) -> float:
        """Factor by which a trace decays in a step."""
        return 1.0 - self.time_step_s / self.tau_s

    def stretches(self, start: int, stop: int) -> Iterator[Stretch]:
        """Parts of these steps in which the external drive shifts the columns equally.

        The shift is k = floor(N·θ/2π) (Yoon 2025): neuron j sends along column j - k.
        """
        if stop <= start:
            return
        theta = self.drive_rad(np.arange(start, stop) * self.time_step_s)
        shift = np.floor(self.n_neurons * theta / (2 * np.pi)).astype(np.int64)
        change = np.flatnonzero(np.diff(shift)) + 1
        for first, last in zip([0, *change], [*change, len(shift)], strict=True):
            yield Stretch(start + int(first), start + int(last), int(shift[first]))

    def to_metadata(self) -> dict[str, str | int | float]:
        """Strings and numbers from which the network can be built again."""
        metadata: dict[str, str | int | float] = {"network": type(self).__name__}
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, int | float):
                metadata[f.name] = value
            else:
                metadata |= {f.name: type(value).__name__, **asdict(value)}
        return metadata


def simulate(network: Network, duration_s: float, rng: np.random.Generator) -> Recording:
    """Spikes of a network that has settled, from 0 to `duration_s` seconds.

    An external drive is stored beside them as the covariate "drive": θ(t) in radians, sampled
    every millisecond.

    Raises
    ------
    InputError
        Where the duration is not at least one step, or no neuron fires in it.
    """
    n_steps = whole_steps(duration_s, network.time_step_s)
    check_memory(f"a simulation of {duration_s:g} s", _BYTES_PER_STEP * n_steps, "seconds")
    circuit = network.connectivity
    spikes = _run(network, -round(BURN_IN_S / network.time_step_s), n_steps, rng)
    if not np.any(spikes.steps >= 0):
        raise InputError(
            f"no neuron fires in {duration_s:g} s; lower the threshold of the neurons, or ask for "
            "a longer simulation"
        )
    sample_s = np.arange(0.0, duration_s, _DRIVE_SAMPLE_S)
    theta = network.drive_rad(sample_s)
    drive = Covariate(times_s=sample_s, values=theta, is_angle=True)
    return Recording.from_arrays(
        spikes.steps * network.time_step_s,
        spikes.neurons,
        n_neurons=network.n_neurons,
        epochs_s=np.array([[0.0, n_steps * network.time_step_s]]),
        time_resolution_s=network.time_step_s,
        neuron_ids=circuit.neuron_ids,
        covariates={"drive": drive} if theta.any() else {},
        preferred_angle_rad=circuit.angle_rad,
    )


def whole_steps(duration_s: float, time_step_s: float) -> int:
    """How many steps a simulation takes.

    Raises
    ------
    InputError
        Where it is not at least one, or not a number.
    """
    if not math.isfinite(duration_s / time_step_s):
        raise InputError(
            f"a simulation of {duration_s:g} s has no end; ask for a finite number of seconds"
        )
    n_steps = round(duration_s / time_step_s)
    if n_steps < 1:
        raise InputError(
            f"a simulation of {duration_s:g} s is shorter than one step of {time_step_s:g} s; "
            "ask for a longer one"
        )
    return n_steps


def _run(network: Network, start: int, stop: int, rng: np.random.Generator) -> Spikes:
    """All spikes from step `start` to before step `stop`, starting from silence."""
    synapses = network.synapses
    trace = np.zeros(network.n_neurons)
    steps, neurons = [], []
    for part in network.stretches(start, stop):
        shifted = np.roll(synapses, part.shift, axis=1)
        spikes = network.neuron.spikes(shifted, trace, part.stop - part.start, network.decay, rng)
        steps.append(spikes.steps + part.start)
        neurons.append(spikes.neurons)
    return Spikes(np.concatenate(steps), np.concatenate(neurons))
