"""Sparse networks of Poisson neurons that share slow states: a GLM of known parameters."""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numba import njit

from spikeweft.simulation.settings import (
    check_finite,
    check_not_negative,
    check_positive,
    check_whole,
)
from spikeweft.simulation.sparse_networks.sparse_network import BernoulliNetwork
from spikeweft.simulation.sparse_networks.synapses import DelayedSynapses
from spikeweft.simulation.spike_kernels import Spikes, longer

_SYNAPSE_S, _STATE_S, _PATTERN_S, _REFRACTORY_S = 0.004, 0.12, 1.0, 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SparsePoissonNetwork(BernoulliNetwork):
    """Log rate = baseline + gain · shared state + weights · delayed traces - refractoriness.

    A connection adds its weight to the log rate, decaying in 4 ms. The shared state is an
    Ornstein-Uhlenbeck process of 120 ms. Without connections (a probability of 0) this is a
    population whose neurons only share a state. Slow patterns are further such processes, of one
    second, that excite some neurons and inhibit others.

    Attributes
    ----------
    median_rate_hz, median_gain
        Medians of the log-normal baselines and gains.
    refractoriness
        By how much a spike lowers its neuron's log rate, for 10 ms.
    n_slow_patterns, pattern_gain_sd
        How many slow patterns there are, and the standard deviation of the gains, of either sign.
    """

    connection_probability: float = 0.06
    excitatory_weight: float = 0.84
    inhibitory_weight: float = 1.18
    median_rate_hz: float = 1.8
    median_gain: float = 0.67
    refractoriness: float = 3.0
    n_slow_patterns: int = 0
    pattern_gain_sd: float = 0.5

    def __post_init__(self) -> None:
        BernoulliNetwork.__post_init__(self)
        check_positive(self, "median_rate_hz")
        check_not_negative(self, "median_gain", "pattern_gain_sd")
        check_finite(self, "refractoriness")
        check_whole(self, 0, "n_slow_patterns")

    def spikes(self, synapses: DelayedSynapses, n_steps: int, rng: np.random.Generator) -> Spikes:
        """Spikes of this many steps, starting from rest."""
        baseline = np.log(self.median_rate_hz * self.time_step_s) + 0.5 * rng.standard_normal(
            self.n_neurons
        )
        gain = self.median_gain * rng.lognormal(0.0, 0.5, self.n_neurons)
        of_patterns = rng.normal(0.0, self.pattern_gain_sd, (self.n_slow_patterns, self.n_neurons))
        state_s = np.repeat([_STATE_S, _PATTERN_S], [1, self.n_slow_patterns])
        return Spikes(
            *_poisson_kernel(
                synapses.outgoing(self.time_step_s),
                baseline,
                np.vstack([gain, of_patterns]),
                np.exp(-self.time_step_s / state_s),
                np.exp(-self.time_step_s / np.array([_SYNAPSE_S, _REFRACTORY_S])),
                self.refractoriness,
                n_steps,
                rng,
            )
        )


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its caller above is checked
def _poisson_kernel(
    synapses,
    baseline,
    gains,
    state_decays,
    decays,
    refractoriness,
    n_steps,
    rng,
):
    n, n_buffered = len(baseline), synapses.longest_delay_steps + 1
    arriving = np.zeros((n_buffered, n))
    drive, own = np.zeros(n), np.zeros(n)
    synapse_decay, own_decay = decays
    state_noise = np.sqrt(1 - state_decays**2)
    state = np.zeros(len(gains))
    steps, neurons, count = np.empty(1024, np.int64), np.empty(1024, np.int64), 0
    for step in range(n_steps):
        slot = step % n_buffered
        for k in range(len(state)):
            state[k] = state_decays[k] * state[k] + state_noise[k] * rng.standard_normal()
        for i in range(n):
            drive[i] = drive[i] * synapse_decay + arriving[slot, i]
            arriving[slot, i] = 0.0
            own[i] *= own_decay
            log_rate = baseline[i]
            for k in range(len(state)):
                log_rate += gains[k, i] * state[k]
            log_rate = log_rate + drive[i] - refractoriness * own[i]
            if rng.random() >= 1 - np.exp(-np.exp(log_rate)):
                continue
            own[i] += 1.0
            if count == len(steps):
                steps, neurons = longer(steps, 1), longer(neurons, 1)
            steps[count], neurons[count] = step, i
            count += 1
            for synapse in range(synapses.first[i], synapses.first[i + 1]):
                later = (step + synapses.delay_steps[synapse]) % n_buffered
                arriving[later, synapses.post[synapse]] += synapses.weight[synapse]
    return steps[:count], neurons[:count]
