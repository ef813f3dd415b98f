"""All that a neuron shares with others: the population rate, and slow patterns."""

import numpy as np
from jaxtyping import Float

from spikeweft.synapse_model.rates.shared_state import SharedState
from spikeweft.synapse_model.rates.slow_patterns import PatternState, SlowPatterns, around
from spikeweft.synapse_model.rates.timeline import Timeline


class States:
    """The states of a recording around each time, told by all neurons but one.

    Parameters
    ----------
    timeline
        The spikes.
    widths_s
        Time scales of the population rate.
    patterns
        The slow patterns.
    """

    def __init__(
        self, timeline: Timeline, widths_s: tuple[float, ...], patterns: SlowPatterns
    ) -> None:
        self._timeline = timeline
        self._population = SharedState.of(timeline, widths_s)
        self._patterns = PatternState(patterns, timeline, around)

    def without(self, neuron: int) -> Float[np.ndarray, "bin state"]:
        """The states that one neuron sees: population rates by time scale, then patterns."""
        population = self._population.without(self._timeline, neuron)
        return np.concatenate([population, self._patterns.without(neuron)], axis=1)
