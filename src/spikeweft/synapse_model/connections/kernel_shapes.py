"""What one spike may do to another neuron: a dictionary of latencies, shapes and strengths."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

SHORTEST_LATENCY_S, LONGEST_LATENCY_S = 0.001, 0.02

RISE_AND_DECAY_S = (
    (
        (0.0, 0.001),
        (0.0, 0.003),
        (0.001, 0.0015),
        (0.001, 0.003),
        (0.002, 0.0025),
        (0.002, 0.004),
        (0.003, 0.008),
    ),
    (
        (0.0, 0.003),
        (0.0, 0.008),
        (0.0, 0.02),
        (0.001, 0.0015),
        (0.002, 0.004),
        (0.003, 0.008),
        (0.005, 0.02),
    ),
)
"""Exponential decays after a sudden onset, and some that rise; of excitation, of inhibition, which
lasts longer. Excitation as long as that would be taken for what a shared state leaves."""

STRENGTHS = (0.2, 0.35, 0.55, 0.85, 1.3, 1.9, 2.8)
"""Largest change of the log rate."""

_ROUNDING_S = 1e-9

_NEGLIGIBLE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelShapes:
    """All kernels of height 1, and all those of either sign and every strength.

    Attributes
    ----------
    latencies_s
        When an effect may begin.
    heights
        Kernels of height 1 at each lag from one step on, excitatory first.
    log_factor
        Change of the log rate by each kernel, excitatory first; kernels in order of strength,
        latency, shape.
    excess
        The factor on the rate that it is, less 1.
    """

    latencies_s: Float[np.ndarray, " latency"]
    heights: Float[np.ndarray, "2 latency shape lag"]
    log_factor: Float[np.ndarray, "2 kernel lag"]
    excess: Float[np.ndarray, "2 kernel lag"]

    @classmethod
    def of(cls, step_s: float, n_lags: int) -> Self:
        """The dictionary on lags of this step."""
        lags_s = np.arange(1, n_lags + 1) * step_s
        shortest = max(step_s, SHORTEST_LATENCY_S)
        latencies_s = np.arange(shortest, max(LONGEST_LATENCY_S, shortest) + _ROUNDING_S, step_s)
        heights = np.array(
            [
                [
                    [kernel_after(lags_s - latency_s, *times_s, step_s) for times_s in of_kind]
                    for latency_s in latencies_s
                ]
                for of_kind in RISE_AND_DECAY_S
            ]
        )
        strong = np.array(STRENGTHS)[None, :, None, None, None] * heights[:, None]
        sign = np.array([1.0, -1.0])[:, None, None]
        log_factor = sign * strong.reshape(2, -1, n_lags)
        return cls(
            latencies_s=latencies_s,
            heights=heights,
            log_factor=log_factor.astype(np.float32),
            excess=np.expm1(log_factor).astype(np.float32),
        )

    @property
    def dims(self) -> tuple[int, int, int]:
        """How many strengths, latencies and shapes there are."""
        return len(STRENGTHS), *self.heights.shape[1:3]


def peak_time(rise_s: float, decay_s: float) -> float:
    """When a kernel that rises is largest, since its onset (s)."""
    return float(np.log(decay_s / rise_s) * rise_s * decay_s / (decay_s - rise_s))


def kernel_after(
    since_onset_s: Float[np.ndarray, "*lag"], rise_s: float, decay_s: float, step_s: float
) -> Float[np.ndarray, "*lag"]:
    """A kernel of height 1; one that rises is read in the middle of each step."""
    started = since_onset_s > -_ROUNDING_S
    since_s = np.maximum(since_onset_s, 0.0)
    if rise_s == 0:
        kernel = np.exp(-since_s / decay_s)
    else:
        peak_s = peak_time(rise_s, decay_s)
        at_s = since_s + step_s / 2
        risen, highest = (np.exp(-t / decay_s) - np.exp(-t / rise_s) for t in (at_s, peak_s))
        kernel = risen / highest
    return np.where(started & (kernel >= _NEGLIGIBLE), kernel, 0.0)
