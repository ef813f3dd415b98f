"""Slow patterns: states that excite some neurons and inhibit others, without any synapse."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from spikeweft.synapse_model.rates.rate_kernels import decaying_mean
from spikeweft.synapse_model.rates.shared_state import FLOOR, LEAST_RECORDED, smoothed
from spikeweft.synapse_model.rates.timeline import Timeline

WIDTH_S = 0.3
"""Width of the Gaussian that smooths spikes, and the time in which a prediction forgets them."""

_FRAME_S = 0.05
"""Bins in which slow patterns are followed."""

_MOST_FRAMES = 20_000
"""Frames by which patterns are found; of a longer recording every second, third, ... one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frames:
    """Counts in bins that are short against slow patterns.

    Attributes
    ----------
    timeline
        All spikes.
    steps_per_frame
        Steps of the timeline in each frame.
    scored
        Frames any step of which counts.
    recorded_share
        Share of each frame that was recorded.
    first_frames
        The frame in which each epoch begins.
    """

    timeline: Timeline
    steps_per_frame: int
    scored: Bool[np.ndarray, " frame"]
    recorded_share: Float[np.ndarray, " frame"]
    first_frames: Int[np.ndarray, " epoch"]

    @classmethod
    def of(cls, timeline: Timeline) -> Self:
        """The frames of a recording, a whole number of the timeline's longer bins each."""
        bin_s = timeline.steps_per_bin * timeline.step_s
        bins_per_frame = max(1, round(_FRAME_S / bin_s))
        steps_per_frame = bins_per_frame * timeline.steps_per_bin
        scored, share = timeline.scored_bins(), timeline.recorded_share()
        first_bins = np.arange(0, len(scored), bins_per_frame)
        return cls(
            timeline=timeline,
            steps_per_frame=steps_per_frame,
            scored=np.logical_or.reduceat(scored, first_bins),
            recorded_share=np.add.reduceat(share, first_bins) / bins_per_frame,
            first_frames=timeline.first_steps // steps_per_frame,
        )

    @property
    def frame_s(self) -> float:
        """Length of a frame."""
        return self.steps_per_frame * self.timeline.step_s

    def counts(self, neuron: int) -> Float[np.ndarray, " frame"]:
        """Spikes of a neuron."""
        frame = self.timeline.trains[neuron] // self.steps_per_frame
        return np.bincount(frame, minlength=len(self.scored)).astype(float)

    def in_bins(self, values: Float[np.ndarray, "frame state"]) -> Float32[np.ndarray, "bin state"]:
        """Values of frames, in the timeline's longer bins."""
        per_bin = self.timeline.steps_per_bin
        repeated = np.repeat(values, self.steps_per_frame // per_bin, axis=0)
        return repeated[: self.timeline.n_steps // per_bin].astype(np.float32)


Smoothing = Callable[[Frames, Float[np.ndarray, " frame"], float], Float[np.ndarray, " frame"]]
"""From counts in frames, and the mean count, to how many are to be expected in each."""


def around(
    frames: Frames,
    counts: Float[np.ndarray, " frame"],
    mean: float,  # noqa: ARG001
) -> Float[np.ndarray, " frame"]:
    """Mean under a Gaussian around each frame, over recorded time."""
    width = WIDTH_S / frames.frame_s
    recorded = np.maximum(smoothed(frames.recorded_share, width), LEAST_RECORDED)
    return smoothed(counts, width) / recorded


def before(
    frames: Frames, counts: Float[np.ndarray, " frame"], mean: float
) -> Float[np.ndarray, " frame"]:
    """Mean of the frames before each, forgotten exponentially; the mean before an epoch begins."""
    found = np.empty(len(counts))
    decaying_mean(counts, frames.first_frames, np.exp(-frames.frame_s / WIDTH_S), mean, found)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowPatterns:
    r"""Factors of the slow changes of log rates (compare Yu et al. 2009, J Neurophysiol 102:614).

    .. math:: y_j(t) = \bar y_j + \sum_r l_{jr} p_r(t) + ε_j(t), \qquad
              p_r \sim N(0, 1), \; ε_j \sim N(0, ψ_j)

    with :math:`y_j` the logarithm of a neuron's smoothed counts against their mean.

    Attributes
    ----------
    loadings
        :math:`l_{jr}`; 0 of neurons that do not fire.
    noise_variance
        :math:`ψ_j`.
    mean_log
        :math:`\bar y_j`.
    rate_hz
        Mean rate of each neuron.
    """

    loadings: Float[np.ndarray, "neuron pattern"]
    noise_variance: Float[np.ndarray, " neuron"]
    mean_log: Float[np.ndarray, " neuron"]
    rate_hz: Float[np.ndarray, " neuron"]

    @classmethod
    def none(cls, n_neurons: int) -> Self:
        """No pattern."""
        return cls(
            loadings=np.zeros((n_neurons, 0)),
            noise_variance=np.ones(n_neurons),
            mean_log=np.zeros(n_neurons),
            rate_hz=np.zeros(n_neurons),
        )

    @classmethod
    def of(cls, timeline: Timeline, rate_hz: Float[np.ndarray, " neuron"], n_patterns: int) -> Self:
        """So many patterns that explain the most of a recording with these mean rates."""
        if n_patterns == 0:
            return cls.none(len(rate_hz))
        # Its import takes half a second, which only those who look for patterns pay.
        from sklearn.decomposition import FactorAnalysis

        firing = np.flatnonzero(rate_hz > 0)
        log_rates = _log_rates(Frames.of(timeline), rate_hz, firing)
        found = FactorAnalysis(n_components=n_patterns, svd_method="lapack").fit(log_rates)

        def of_all(of_firing: np.ndarray, of_silent: float) -> np.ndarray:
            values = np.full((len(rate_hz), *of_firing.shape[1:]), of_silent)
            values[firing] = of_firing
            return values

        return cls(
            loadings=of_all(found.components_.T, 0.0),
            noise_variance=of_all(found.noise_variance_, 1.0),
            mean_log=of_all(found.mean_, 0.0),
            rate_hz=rate_hz,
        )

    @property
    def n_patterns(self) -> int:
        """How many there are."""
        return self.loadings.shape[1]

    def first(self, n_patterns: int) -> Self:
        """The first of them."""
        return replace(self, loadings=self.loadings[:, :n_patterns])

    def says(
        self, neuron: int, frames: Frames, smoothing: Smoothing
    ) -> Float[np.ndarray, "frame pattern"]:
        r""":math:`l_{jr} (y_j(t) - \bar y_j) / ψ_j`: what one neuron says of each pattern."""
        if self.n_patterns == 0 or self.rate_hz[neuron] == 0:
            return np.zeros((len(frames.scored), self.n_patterns))
        log_rate = _log_rate(frames, neuron, self.rate_hz[neuron], smoothing)
        weights = self.loadings[neuron] / self.noise_variance[neuron]
        return (log_rate - self.mean_log[neuron])[:, None] * weights

    def precision_without(self, neuron: int) -> Float[np.ndarray, "pattern pattern"]:
        """How surely all other neurons tell of the patterns."""
        others = np.arange(len(self.loadings)) != neuron
        loadings = self.loadings[others]
        told = (loadings / self.noise_variance[others, None]).T @ loadings
        return np.eye(self.n_patterns) + told


class PatternState:
    """The patterns of a recording as all neurons but one tell of them.

    Parameters
    ----------
    patterns
        How the rates of neurons follow them.
    timeline
        The spikes.
    smoothing
        `around` each time, or `before` it, where spikes are predicted.
    """

    def __init__(self, patterns: SlowPatterns, timeline: Timeline, smoothing: Smoothing) -> None:
        self._patterns, self._smoothing = patterns, smoothing
        self._frames = Frames.of(timeline)
        self._said = np.zeros((len(self._frames.scored), patterns.n_patterns))
        for neuron in range(timeline.n_neurons):
            self._said += patterns.says(neuron, self._frames, smoothing)

    def without(self, neuron: int) -> Float32[np.ndarray, "bin pattern"]:
        """Posterior mean of each pattern, given all other neurons."""
        said = self._said - self._patterns.says(neuron, self._frames, self._smoothing)
        mean = np.linalg.solve(self._patterns.precision_without(neuron), said.T).T
        return self._frames.in_bins(mean)


def _log_rates(
    frames: Frames, rate_hz: Float[np.ndarray, " neuron"], neurons: Int[np.ndarray, " some"]
) -> Float[np.ndarray, "frame some"]:
    """Log rates of some neurons in scored frames, of many frames in some."""
    scored = np.flatnonzero(frames.scored)
    chosen = scored[:: 1 + len(scored) // _MOST_FRAMES]
    found = [
        _log_rate(frames, neuron, rate_hz[neuron], around)[chosen] for neuron in neurons.tolist()
    ]
    return np.stack(found, axis=1)


def _log_rate(
    frames: Frames, neuron: int, rate_hz: float, smoothing: Smoothing
) -> Float[np.ndarray, " frame"]:
    """:math:`y_j`: log of a neuron's smoothed counts against their mean."""
    mean = rate_hz * frames.frame_s
    return np.log(smoothing(frames, frames.counts(neuron), mean) / mean + FLOOR)
