"""What neurons share without being connected: the spikes of all others, smoothed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from spikeweft.synapse_model.rates.timeline import Timeline

FLOOR = 0.3
"""Share of the mean that is added before the logarithm, so that silence is finite."""

LEAST_RECORDED = 0.05
"""Share of recorded time around a bin below which nothing is known, and nothing is scored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedState:
    """Log population rate at several time scales, without the neuron itself (Okun et al. 2015).

    Over recorded time: what lies between epochs is not silence.

    A Gaussian around each time, whose future counts as its past does, such that the state is no one
    spike's consequence: a causal state contains the spikes of the very neuron that may send, and
    takes their effect for its own.

    Attributes
    ----------
    population
        Smoothed spikes of all neurons, one row per time scale.
    recorded
        How much of what is smoothed was recorded, one row per time scale.
    widths_s
        The time scales.
    """

    population: Float[np.ndarray, "scale bin"]
    recorded: Float[np.ndarray, "scale bin"]
    widths_s: tuple[float, ...]

    @classmethod
    def of(cls, timeline: Timeline, widths_s: Sequence[float]) -> Self:
        """The population rate of a recording at these time scales."""
        counts = np.zeros(timeline.n_steps // timeline.steps_per_bin)
        for neuron in range(timeline.n_neurons):
            counts += timeline.binned(neuron)
        bin_s = timeline.steps_per_bin * timeline.step_s
        share = timeline.recorded_share()
        population, recorded = (
            np.array([smoothed(values, width_s / bin_s) for width_s in widths_s])
            .reshape(len(widths_s), len(counts))
            .astype(np.float32)
            for values in (counts, share)
        )
        return cls(
            population=population,
            recorded=np.maximum(recorded, LEAST_RECORDED),
            widths_s=tuple(widths_s),
        )

    def without(self, timeline: Timeline, neuron: int) -> Float[np.ndarray, "bin scale"]:
        """The state that one neuron sees: log rate of all others against its mean."""
        bin_s = timeline.steps_per_bin * timeline.step_s
        own = timeline.binned(neuron).astype(float)
        scored = timeline.scored_bins()
        state = np.empty((self.population.shape[1], len(self.widths_s)), dtype=np.float32)
        for scale, (row, width_s) in enumerate(zip(self.population, self.widths_s, strict=True)):
            others = np.maximum(row - smoothed(own, width_s / bin_s), 0.0) / self.recorded[scale]
            mean = max(float(others[scored].mean()), 1e-9)
            state[:, scale] = np.log(others / mean + FLOOR)
        return state


def smoothed(counts: Float[np.ndarray, " bin"], width_bins: float) -> Float[np.ndarray, " bin"]:
    """Mean under a Gaussian around each bin, with nothing before the first and after the last."""
    return gaussian_filter1d(counts, width_bins, mode="constant", truncate=3.0)
