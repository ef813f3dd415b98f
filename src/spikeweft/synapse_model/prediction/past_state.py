"""What all other neurons did before: the shared state as far as a prediction may know it."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.rates.rate_kernels import decaying_mean
from spikeweft.synapse_model.rates.shared_state import FLOOR
from spikeweft.synapse_model.rates.slow_patterns import PatternState, SlowPatterns, before
from spikeweft.synapse_model.rates.states import States
from spikeweft.synapse_model.rates.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class PastState:
    """Log population rate in the past of each longer bin, forgotten exponentially.

    Before an epoch begins the mean rate stands for what is not known.

    Attributes
    ----------
    population
        Mean spikes a bin of all neurons before each bin, one row per time constant.
    time_constants_s
        How long it takes to forget.
    rate_hz
        Mean rate of each neuron.
    """

    population: Float[np.ndarray, "scale bin"]
    time_constants_s: Float[np.ndarray, " scale"]
    rate_hz: Float[np.ndarray, " neuron"]

    @classmethod
    def of(
        cls,
        timeline: Timeline,
        time_constants_s: Float[np.ndarray, " scale"],
        rate_hz: Float[np.ndarray, " neuron"],
    ) -> Self:
        """The past of the whole population."""
        counts = np.zeros(timeline.n_steps // timeline.steps_per_bin)
        for neuron in range(timeline.n_neurons):
            counts += timeline.binned(neuron)
        return cls(
            population=_past(counts, timeline, time_constants_s, rate_hz.sum()),
            time_constants_s=time_constants_s,
            rate_hz=rate_hz,
        )

    def without(self, timeline: Timeline, neuron: int) -> Float[np.ndarray, "bin scale"]:
        """The state that one neuron sees: log rate of all others against its mean."""
        own_hz, bin_s = self.rate_hz[neuron], timeline.steps_per_bin * timeline.step_s
        own = timeline.binned(neuron).astype(float)
        others = self.population - _past(own, timeline, self.time_constants_s, own_hz)
        mean = max(float(self.rate_hz.sum() - own_hz) * bin_s, 1e-9)
        return np.log(np.maximum(others, 0.0) / mean + FLOOR).T.astype(np.float32)


def past_states(
    timeline: Timeline,
    time_constants_s: Float[np.ndarray, " scale"],
    rate_hz: Float[np.ndarray, " neuron"],
    patterns: SlowPatterns,
) -> States:
    """All that a neuron shares with others, as far as a prediction may know it."""
    population = PastState.of(timeline, time_constants_s, rate_hz)
    return States(timeline, population, PatternState(patterns, timeline, before))


def _past(
    counts: Float[np.ndarray, " bin"],
    timeline: Timeline,
    time_constants_s: Float[np.ndarray, " scale"],
    rate_hz: float,
) -> Float[np.ndarray, "scale bin"]:
    """Mean of the counts before each bin, by time constant."""
    bin_s = timeline.steps_per_bin * timeline.step_s
    first_bins = timeline.first_steps // timeline.steps_per_bin
    found = np.empty((len(time_constants_s), len(counts)))
    for row, time_constant_s in zip(found, time_constants_s, strict=True):
        decay = float(np.exp(-bin_s / time_constant_s))
        decaying_mean(counts, first_bins, decay, float(rate_hz * bin_s), row)
    return found
