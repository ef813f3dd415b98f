"""The synaptic kernel: how a presynaptic spike acts on a postsynaptic neuron as time passes.

k(t) = Σ_m share_m · exp(-(t - δ)/τ_m) / τ_m for t > δ, and nothing before

Shares are not negative and sum to one, so that the kernel has unit area. All pairs share it. A
trace is the sum of kernels over past spikes, in units in which it steps up by one at each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

TAU_RANGE_S = (1e-3, 1.0)
"""Time constants that a kernel may have."""

LONGEST_LATENCY_S = 0.02

_SHORTEST_LATENCY_S = 1e-4
_LATENCY_UNIT_S = 2e-3

_LEAST_SHARE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class SynapticKernel:
    """A mixture of exponentials that starts some time after a spike, the same for all pairs.

    Attributes
    ----------
    taus_s
        Time constant of each exponential.
    shares
        Share of each exponential in the kernel's area.
    latency_s
        Time from a spike to the start of its effect.
    """

    taus_s: tuple[float, ...]
    shares: tuple[float, ...] = (1.0,)
    latency_s: float = 0.0

    @classmethod
    def exponential(cls, tau_s: float) -> Self:
        """A single exponential without latency."""
        return cls(taus_s=(float(tau_s),))

    @property
    def area_s(self) -> float:
        """Area under a kernel that steps up by one."""
        return 1.0 / sum(share / tau for share, tau in zip(self.shares, self.taus_s, strict=True))

    @property
    def amplitudes(self) -> tuple[float, ...]:
        """By how much each exponential steps up where the kernel steps up by one."""
        pairs = zip(self.shares, self.taus_s, strict=True)
        return tuple(self.area_s * share / tau for share, tau in pairs)

    @property
    def mean_lag_s(self) -> float:
        """Mean time from a spike to its effect: the time constant, where there is only one."""
        pairs = zip(self.shares, self.taus_s, strict=True)
        return self.latency_s + sum(share * tau for share, tau in pairs)

    @property
    def fluctuation(self) -> float:
        """√∫k², to which the fluctuation of a trace that Poisson spikes leave is proportional."""
        taus_s, amplitudes = np.array(self.taus_s), np.array(self.amplitudes)
        overlap_s = 1.0 / np.add.outer(1.0 / taus_s, 1.0 / taus_s)
        return float(np.sqrt(amplitudes @ overlap_s @ amplitudes))

    @property
    def n_parameters(self) -> int:
        """Numbers that spikes determine: time constants, shares but one, and a latency if any."""
        return 2 * len(self.taus_s) - 1 + (self.latency_s > 0.0)

    @property
    def coordinates(self) -> tuple[float, ...]:
        """The kernel as numbers: log τ, the log odds of further shares, and a latency, if any."""
        odds = (np.log(share / self.shares[0]) for share in self.shares[1:])
        latency = [self.latency_s / _LATENCY_UNIT_S] if self.latency_s > 0.0 else []
        return (*(float(np.log(tau)) for tau in self.taus_s), *map(float, odds), *latency)

    def at(self, coordinates: Sequence[float] | np.ndarray, shortest_s: float = 0.0) -> Self:
        """The kernel of other coordinates, within what it may be."""
        n = len(self.taus_s)
        low, high = max(TAU_RANGE_S[0], shortest_s), TAU_RANGE_S[1]
        taus = np.clip(np.exp(np.asarray(coordinates[:n])), low, high)
        odds = np.exp(np.clip([0.0, *coordinates[n : 2 * n - 1]], -50.0, 50.0))
        shares = np.maximum(odds / odds.sum(), _LEAST_SHARE if n > 1 else 0.0)
        shares /= shares.sum()
        latency_s = self.latency_s
        if latency_s > 0.0:
            asked_s = coordinates[-1] * _LATENCY_UNIT_S
            latency_s = float(np.clip(asked_s, _SHORTEST_LATENCY_S, LONGEST_LATENCY_S))
        return type(self)(
            taus_s=tuple(map(float, taus)),
            shares=tuple(map(float, shares)),
            latency_s=latency_s,
        )

    def moved(self, k: int, change: float, shortest_s: float = 0.0) -> Self:
        """The kernel with its k-th coordinate changed."""
        coordinates = np.array(self.coordinates)
        coordinates[k] += change
        return self.at(coordinates, shortest_s)

    def __str__(self) -> str:
        parts = [
            f"{1e3 * tau:.3g} ms" + (f" ({100 * share:.0f} %)" if len(self.taus_s) > 1 else "")
            for tau, share in zip(self.taus_s, self.shares, strict=True)
        ]
        latency = f" after {1e3 * self.latency_s:.3g} ms" if self.latency_s > 0.0 else ""
        return " + ".join(parts) + latency
