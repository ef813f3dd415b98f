"""Sparse networks of leaky integrate-and-fire neurons with network bursts."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numba import njit

from spikeweft.simulation.settings import check_finite, check_not_negative
from spikeweft.simulation.sparse_networks.sparse_network import BernoulliNetwork
from spikeweft.simulation.sparse_networks.synapses import DelayedSynapses
from spikeweft.simulation.spike_kernels import Spikes, longer

_REFRACTORY_S = 0.002

_MEMBRANE_S, _EXCITATORY_S, _INHIBITORY_S = 0.015, 0.003, 0.006

_ADAPTATION, _ADAPTATION_S = 0.15, 0.15

_STATE_S, _BURST_S = 0.15, 0.06


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrateAndFireNetwork(BernoulliNetwork):
    """Adapting leaky integrate-and-fire neurons that share a slow state and bursts.

    Potentials are in units of the threshold. Synaptic currents decay in 3 (excitatory) and 6 ms
    (inhibitory), the membrane in 15 ms: a connection's effect rises over some milliseconds.

    Attributes
    ----------
    mean_drive, noise_sd
        Mean current of a neuron, and standard deviation of the membrane's own noise.
    shared_state, shared_bursts
        Current of a slow random state that reaches all neurons (150 ms), and of bursts that decay
        in 60 ms; their gain differs between neurons.
    burst_rate_hz
        How often bursts come.
    """

    time_step_s: float = 2e-4
    connection_probability: float = 0.07
    excitatory_weight: float = 1.6
    inhibitory_weight: float = 2.2
    mean_drive: float = 0.33
    noise_sd: float = 0.25
    shared_state: float = 0.12
    shared_bursts: float = 0.5
    burst_rate_hz: float = 0.6

    def __post_init__(self) -> None:
        BernoulliNetwork.__post_init__(self)
        check_finite(self, "mean_drive", "shared_state", "shared_bursts")
        check_not_negative(self, "noise_sd", "burst_rate_hz")

    def spikes(self, synapses: DelayedSynapses, n_steps: int, rng: np.random.Generator) -> Spikes:
        """Spikes of this many steps, starting from rest."""
        dt, n = self.time_step_s, self.n_neurons
        gain = rng.lognormal(0.0, 0.5, n)
        drive = self.mean_drive * rng.lognormal(0.0, 0.15, n)
        times_s = (_EXCITATORY_S, _INHIBITORY_S, _ADAPTATION_S, _STATE_S, _BURST_S)
        return Spikes(
            *_integrate_and_fire_kernel(
                synapses.outgoing(dt),
                drive,
                gain,
                np.exp(-dt / np.array(times_s)),
                dt / _MEMBRANE_S,
                np.array([self.noise_sd, self.shared_state, self.shared_bursts]),
                self.burst_rate_hz * dt,
                round(_REFRACTORY_S / dt),
                n_steps,
                rng,
            )
        )


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller above is checked
def _integrate_and_fire_kernel(
    synapses,
    drive,
    gain,
    decays,
    leak,
    strengths,
    burst_chance,
    n_refractory,
    n_steps,
    rng,
):
    n, n_buffered = len(drive), synapses.longest_delay_steps + 1
    arriving = np.zeros((2, n_buffered, n))
    v, excitation, inhibition = np.zeros(n), np.zeros(n), np.zeros(n)
    adaptation, refractory = np.zeros(n), np.zeros(n, np.int64)
    excitation_decay, inhibition_decay, adaptation_decay, state_decay, burst_decay = decays
    noise_sd, shared_state, shared_bursts = strengths
    noise_sd *= np.sqrt(2 * leak)
    state_noise = np.sqrt(1 - state_decay**2)
    state, burst = 0.0, 0.0
    steps, neurons, count = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    for step in range(n_steps):
        slot = step % n_buffered
        state = state_decay * state + state_noise * rng.standard_normal()
        burst *= burst_decay
        if rng.random() < burst_chance:
            burst += 1.0
        shared = shared_state * state + shared_bursts * burst
        for i in range(n):
            excitation[i] = excitation[i] * excitation_decay + arriving[0, slot, i]
            inhibition[i] = inhibition[i] * inhibition_decay + arriving[1, slot, i]
            arriving[0, slot, i], arriving[1, slot, i] = 0.0, 0.0
            adaptation[i] *= adaptation_decay
            if refractory[i] > 0:
                refractory[i] -= 1
                continue
            current = drive[i] + gain[i] * shared + excitation[i] + inhibition[i] - adaptation[i]
            v[i] += leak * (current - v[i]) + noise_sd * rng.standard_normal()
            if v[i] < 1.0:
                continue
            v[i], refractory[i] = 0.0, n_refractory
            adaptation[i] += _ADAPTATION
            if count == len(steps):
                steps, neurons = longer(steps, 1), longer(neurons, 1)
            steps[count], neurons[count] = step, i
            count += 1
            _send(synapses, i, step, arriving)
    return steps[:count], neurons[:count]


@njit(cache=True, nogil=True)
@no_type_check
def _send(synapses, neuron, step, arriving):
    """Put what a spike does to others where they find it once its delay is over."""
    for synapse in range(synapses.first[neuron], synapses.first[neuron + 1]):
        later = (step + synapses.delay_steps[synapse]) % arriving.shape[1]
        kind = 0 if synapses.weight[synapse] > 0 else 1
        arriving[kind, later, synapses.post[synapse]] += synapses.weight[synapse]
