"""Sparse networks of Izhikevich's neurons (2003, IEEE Trans. Neural Netw. 14:1569)."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit

from spikeweft.errors import InputError
from spikeweft.simulation.settings import (
    check_finite,
    check_not_negative,
    check_positive,
    check_whole,
)
from spikeweft.simulation.sparse_networks.sparse_network import SparseNetwork
from spikeweft.simulation.sparse_networks.synapses import DelayedSynapses, delays_s, excitatory
from spikeweft.simulation.spike_kernels import Spikes, longer

_STEP_S = 0.001

_KICK = 20.0

_STATE_DECAY_S = 0.08


@dataclass(frozen=True, slots=True, kw_only=True)
class IzhikevichNetwork(SparseNetwork):
    """Regular-spiking excitatory and fast-spiking inhibitory neurons, with hubs.

    Each step kicks one neuron chosen at random (Izhikevich 2006, Neural Comput. 18:245).
    Excitatory neurons send to all, inhibitory ones to excitatory neurons only and with shorter
    delays. Neurons differ in how many synapses they send and, log-normally, in how likely they are
    to receive one.

    Attributes
    ----------
    mean_out_degree
        Mean of the log-normal from which the number of synapses that a neuron sends is drawn; it
        is then rounded down, and at least 3, so that small means are exceeded: 1 gives 3 synapses.
    excitatory_weight, inhibitory_weight
        Typical size of a synapse's current, in the units of the model.
    longest_delay_ms, longest_inhibitory_delay_ms
        Delays are whole milliseconds from 1 to these.
    shared_drive
        Current of events that reach all neurons, .7 a second, each decaying in 80 ms; their gain
        differs between neurons.
    """

    n_neurons: int = 1000
    mean_out_degree: int = 50
    excitatory_weight: float = 6.0
    inhibitory_weight: float = 5.0
    longest_delay_ms: int = 20
    longest_inhibitory_delay_ms: int = 7
    shared_drive: float = 0.0
    shared_event_rate_hz: float = 0.7

    def __post_init__(self) -> None:
        SparseNetwork.__post_init__(self)
        check_positive(self, "mean_out_degree")
        check_not_negative(self, "excitatory_weight", "inhibitory_weight", "shared_event_rate_hz")
        check_finite(self, "shared_drive")
        check_whole(self, 1, "longest_delay_ms", "longest_inhibitory_delay_ms")
        if self.time_step_s != _STEP_S:
            raise InputError(
                f"a time step of {self.time_step_s:g} s is not that of Izhikevich's neurons; leave "
                f"it at {_STEP_S:g} s"
            )

    def synapses(self, rng: np.random.Generator) -> DelayedSynapses:
        """One circuit."""
        n, excites = self.n_neurons, excitatory(self.n_neurons, self.excitatory_fraction)
        receives = rng.lognormal(0.0, 0.6, n)
        weights, delay_s = np.zeros((n, n)), np.zeros((n, n))
        for pre in range(n):
            chance = np.where(excites | excites[pre], receives, 0.0)
            chance[pre] = 0.0
            wanted = max(3, int(self.mean_out_degree * rng.lognormal(-0.125, 0.5)))
            post = rng.choice(
                n, min(wanted, np.count_nonzero(chance)), replace=False, p=chance / chance.sum()
            )
            size = self.excitatory_weight if excites[pre] else -self.inhibitory_weight
            longest = self.longest_delay_ms if excites[pre] else self.longest_inhibitory_delay_ms
            weights[post, pre] = size * rng.lognormal(-0.1, 0.4, len(post))
            delay_s[post, pre] = delays_s((len(post),), 1, longest, rng)
        return DelayedSynapses(weights, delay_s)

    def spikes(self, synapses: DelayedSynapses, n_steps: int, rng: np.random.Generator) -> Spikes:
        """Spikes of this many steps, starting from rest."""
        excites = excitatory(self.n_neurons, self.excitatory_fraction)
        single = np.float32
        return Spikes(
            *_izhikevich_kernel(
                synapses.outgoing(self.time_step_s),
                np.where(excites, 0.02, 0.1).astype(single),
                np.where(excites, 8.0, 2.0).astype(single),
                self._shared_gain(rng).astype(single),
                self.shared_event_rate_hz * self.time_step_s,
                np.exp(-self.time_step_s / _STATE_DECAY_S),
                n_steps,
                rng,
            )
        )

    def _shared_gain(self, rng: np.random.Generator) -> Float[np.ndarray, " neuron"]:
        """Current of a shared event in each neuron, from a random stream of its own.

        The first normals of `rng` are those of the wiring where both have the same seed: neurons
        that receive many synapses would have large gains. They are drawn and not used, so that
        whatever is drawn later does not depend on this.
        """
        rng.lognormal(0.0, 0.4, self.n_neurons)
        if self.shared_drive == 0:
            return np.zeros(self.n_neurons)
        return self.shared_drive * rng.spawn(1)[0].lognormal(0.0, 0.4, self.n_neurons)


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller above is checked
def _izhikevich_kernel(
    synapses,
    recovery,
    reset,
    gain,
    event_chance,
    decay,
    n_steps,
    rng,
):
    n, n_buffered = len(gain), synapses.longest_delay_steps + 1
    current = np.zeros((n_buffered, n), np.float32)
    v, u = np.full(n, np.float32(-65.0)), np.full(n, np.float32(-13.0))
    fired = np.empty(n + 1, np.int64)
    shared = 0.0
    steps, neurons, count = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    for step in range(n_steps):
        now = current[step % n_buffered]
        shared *= decay
        if rng.random() < event_chance:
            shared += 1.0
        now[int(rng.random() * n)] += np.float32(_KICK)
        _advance(v, u, now, gain, recovery, np.float32(shared))
        n_fired = _above_peak(v, fired)
        if count + n_fired > len(steps):
            steps, neurons = longer(steps, n_fired), longer(neurons, n_fired)
        for i in fired[:n_fired]:
            v[i] = np.float32(-65.0)
            u[i] += reset[i]
            steps[count], neurons[count] = step, i
            count += 1
            for synapse in range(synapses.first[i], synapses.first[i + 1]):
                later = (step + synapses.delay_steps[synapse]) % n_buffered
                current[later, synapses.post[synapse]] += np.float32(synapses.weight[synapse])
    return steps[:count], neurons[:count]


@njit(cache=True, nogil=True)
@no_type_check
def _advance(v, u, now, gain, recovery, shared):
    """Two half steps of the membrane per step of 1 ms, as published; the input is used up."""
    half = np.float32(0.5)
    a, b, c = np.float32(0.04), np.float32(5.0), np.float32(140.0)
    for i in range(len(v)):
        received = now[i] + gain[i] * shared
        x = v[i]
        x += half * ((a * x + b) * x + c - u[i] + received)
        x += half * ((a * x + b) * x + c - u[i] + received)
        v[i] = x
        u[i] += recovery[i] * (np.float32(0.2) * x - u[i])
        now[i] = np.float32(0.0)


@njit(cache=True, nogil=True)
@no_type_check
def _above_peak(v, fired):
    """How many neurons fire; their indices come first in `fired`."""
    n_fired = 0
    for i in range(len(v)):
        fired[n_fired] = i
        n_fired += v[i] >= np.float32(30.0)
    return n_fired
