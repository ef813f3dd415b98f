"""All that a neuron shares with others: the population rate, and slow patterns."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.rates.slow_patterns import PatternState
from spikeweft.synapse_model.rates.timeline import Timeline


@runtime_checkable
class PopulationState(Protocol):
    """The population rate around each time (`SharedState`), or before it (`PastState`)."""

    def without(self, timeline: Timeline, neuron: int) -> Float[np.ndarray, "bin scale"]:
        """The state that one neuron sees."""
        ...


class States:
    """The states of a recording, told by all neurons but one.

    Parameters
    ----------
    timeline
        The spikes.
    population, patterns
        Its population rate and slow patterns, both around each time or both before it.
    """

    def __init__(
        self, timeline: Timeline, population: PopulationState, patterns: PatternState
    ) -> None:
        self._timeline, self._population, self._patterns = timeline, population, patterns

    def without(self, neuron: int) -> Float[np.ndarray, "bin state"]:
        """The states that one neuron sees: population rates by time scale, then patterns."""
        population = self._population.without(self._timeline, neuron)
        return np.concatenate([population, self._patterns.without(neuron)], axis=1)
