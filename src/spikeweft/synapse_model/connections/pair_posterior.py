"""The ten states of a pair, weighed: nine of connections, and a peak that hidden neurons made.

In nine of them there is no, an excitatory or an inhibitory connection in each direction; in the
tenth a pair that is not connected shows an indirect bump. A state's evidence is integrated over the
bumps of the null (Laplace) and over all kernels, with the mean of what they multiply the counts by
in the place of each (a variational bound): given the bumps, the two directions touch different lags
and are independent.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.indirect_bumps import IndirectBumps
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.pair_counts import PairCounts
from spikeweft.synapse_model.connections.smooth_null import SmoothNull

_STATES = [(1, 0), (2, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)]
"""Forward (to the first neuron) and backward: 0 none, 1 excitatory, 2 inhibitory."""

CHUNK = 400

_FIRST_STEPS, _NEXT_STEPS = 6, 3

_START = 0.5
"""Share of the null's own bumps from which a connection's are looked for."""

_LEAST_FACTOR = 1e-3


class PairPosterior(NamedTuple):
    """What the spikes say of each pair, by direction (to the first neuron, to the second).

    Attributes
    ----------
    probability
        Of an excitatory, an inhibitory connection.
    log_bayes_factor
        Of each against none, whatever the other direction is.
    smooth
        Probability that there is none in either direction, and no indirect bump.
    multiple
        Probability of each multiple of the null's variances.
    bumps
        Probability of each indirect bump.
    kernels
        Probability of each kernel of each connection; sums to `probability`.
    """

    probability: Float[np.ndarray, "pair direction 2"]
    log_bayes_factor: Float[np.ndarray, "pair direction 2"]
    smooth: Float[np.ndarray, " pair"]
    multiple: Float[np.ndarray, "pair multiple"]
    bumps: Float[np.ndarray, "pair bump"]
    kernels: Float[np.ndarray, "pair direction 2 kernel"]


def chunks(n_pairs: int) -> list[slice]:
    """The pairs in parts whose kernels fit into memory."""
    return [slice(start, start + CHUNK) for start in range(0, n_pairs, CHUNK)]


def posterior_of(
    counts: PairCounts, shapes: KernelShapes, nulls: Sequence[SmoothNull], prior: ConnectionPrior
) -> PairPosterior:
    """The posterior of some pairs, few enough for memory; `nulls` are those of each multiple."""
    parts = [_evidence(counts, shapes, null, prior) for null in nulls]
    by_bumps = [_indirect_evidence(counts, null, prior.indirect) for null in nulls]
    log_evidence = np.stack([evidence for evidence, _ in parts])
    log_indirect = np.stack([evidence for evidence, _ in by_bumps])
    for evidence in (log_evidence, log_indirect):
        evidence += np.log(prior.spread).reshape(-1, *(1 for _ in evidence.shape[1:]))
    log_smooth = log_evidence[:, :, 0, 0] + np.log1p(-prior.indirect.chance)
    log_indirect += np.log(prior.indirect.chance)
    log_evidence[:, :, 0, 0] = np.logaddexp(log_smooth, log_indirect)
    share_smooth = np.exp(log_smooth - log_evidence[:, :, 0, 0])
    log_chance = [_log_state_chance(prior.chance[pre]) for pre in (counts.second, counts.first)]
    joint = log_evidence + log_chance[0][None, :, :, None] + log_chance[1][None, :, None, :]
    posterior = np.exp(joint - logsumexp(joint, axis=(0, 2, 3))[None, :, None, None])
    forward = logsumexp(log_evidence + log_chance[1][None, :, None, :], axis=(0, 3))
    backward = logsumexp(log_evidence + log_chance[0][None, :, :, None], axis=(0, 2))
    unconnected = posterior[:, :, 0, 0]
    indirect = unconnected * (1 - share_smooth)
    return PairPosterior(
        probability=np.stack([posterior.sum((0, 3))[:, 1:], posterior.sum((0, 2))[:, 1:]], axis=1),
        log_bayes_factor=np.stack(
            [forward[:, 1:] - forward[:, :1], backward[:, 1:] - backward[:, :1]], axis=1
        ),
        smooth=(unconnected * share_smooth).sum(0),
        multiple=posterior.sum((2, 3)).T,
        bumps=np.einsum("mp,mpb->pb", indirect, np.stack([bumps for _, bumps in by_bumps])),
        kernels=_mean_kernels(posterior, [kernels for _, kernels in parts], shapes),
    )


Kernels = dict[tuple[int, int, int], Float[np.ndarray, "pair kernel"]]
"""Probability of each kernel, by direction and state (forward, backward)."""


class _Directions:
    """The connections of some pairs, given the bumps: their evidence and their kernels."""

    def __init__(self, counts: PairCounts, shapes: KernelShapes, prior: ConnectionPrior) -> None:
        n_lags = counts.n_lags
        self._expected, self._shapes = counts.expected, shapes
        self._sides = (slice(n_lags + 1, None), slice(n_lags - 1, None, -1))
        observed, log_kernel = counts.observed.astype(np.float32), prior.log_kernel
        self._support = [
            [
                observed[:, side] @ shapes.log_factor[k].T + log_kernel[k].astype(np.float32)
                for k in (0, 1)
            ]
            for side in self._sides
        ]
        self.kernels: Kernels = {}

    def weigh(
        self, state: tuple[int, int], factor: Float[np.ndarray, "pair lag"]
    ) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, "pair lag"]]:
        """Log evidence of a state's connections, and what they multiply the counts by."""
        mean = (self._expected * factor).astype(np.float32)
        log_sum, connected = np.zeros(len(mean)), np.ones_like(self._expected)
        for direction, side in enumerate(self._sides):
            kind = state[direction] - 1
            if kind < 0:
                continue
            excess = self._shapes.excess[kind]
            log_weight = self._support[direction][kind] - mean[:, side] @ excess.T
            largest = log_weight.max(1, keepdims=True)
            weight = np.exp(log_weight - largest)
            norm = weight.sum(1, keepdims=True)
            self.kernels[(direction, *state)] = weight / norm
            log_sum += (largest + np.log(norm))[:, 0]
            multiple = 1 + self.kernels[(direction, *state)] @ excess
            connected[:, side] = np.maximum(multiple, _LEAST_FACTOR)
        return log_sum, connected


def _evidence(
    counts: PairCounts, shapes: KernelShapes, null: SmoothNull, prior: ConnectionPrior
) -> tuple[Float[np.ndarray, "pair 3 3"], Kernels]:
    """Log evidence of each state under one null, and the kernels of its connections."""
    observed, expected = counts.observed, counts.expected
    directions = _Directions(counts, shapes, prior)
    at_rest = np.zeros((counts.n_pairs, len(null.basis)))
    alone = null.climb(at_rest, observed, expected, _FIRST_STEPS)
    evidence = np.empty((counts.n_pairs, 3, 3))
    evidence[:, 0, 0] = null.log_evidence(alone, observed, expected)
    bumps: dict[tuple[int, int], np.ndarray] = {}
    for state in _STATES:
        forward, backward = state
        v = _START * alone
        if forward and backward:
            v = bumps[forward, 0] + bumps[0, backward] - alone
        _, connected = directions.weigh(state, null.factor(v))
        v = null.climb(v, observed, expected * connected, _NEXT_STEPS)
        log_sum, connected = directions.weigh(state, null.factor(v))
        bumps[state] = v
        evidence[:, forward, backward] = log_sum + null.log_evidence(
            v, observed, expected, connected
        )
    return evidence, directions.kernels


def _indirect_evidence(
    counts: PairCounts, null: SmoothNull, indirect: IndirectBumps
) -> tuple[Float[np.ndarray, " pair"], Float[np.ndarray, "pair bump"]]:
    """Log evidence of an indirect bump under one null, and the probability of each."""
    observed, expected = counts.observed, counts.expected
    support = observed.astype(np.float32) @ indirect.log_factor.T
    support += indirect.log_bump.astype(np.float32)

    def weigh(
        factor: Float[np.ndarray, "pair lag"],
    ) -> tuple[np.ndarray, Float[np.ndarray, "pair bump"], Float[np.ndarray, "pair lag"]]:
        log_weight = support - (expected * factor).astype(np.float32) @ indirect.excess.T
        log_sum = logsumexp(log_weight, axis=1, keepdims=True)
        bumps = np.exp(log_weight - log_sum)
        return log_sum[:, 0], bumps, 1.0 + bumps @ indirect.excess

    at_rest = np.zeros((counts.n_pairs, len(null.basis)))
    v = _START * null.climb(at_rest, observed, expected, _FIRST_STEPS)
    v = null.climb(v, observed, expected * weigh(null.factor(v))[2], _NEXT_STEPS)
    log_sum, bumps, connected = weigh(null.factor(v))
    return log_sum + null.log_evidence(v, observed, expected, connected), bumps


def _log_state_chance(chance: Float[np.ndarray, "pair 2"]) -> Float[np.ndarray, "pair 3"]:
    chance = np.clip(chance, 1e-12, 1.0)
    return np.log(np.concatenate([1 - chance.sum(1, keepdims=True), chance], axis=1))


def _mean_kernels(
    posterior: Float[np.ndarray, "scale pair 3 3"], by_scale: list[Kernels], shapes: KernelShapes
) -> Float[np.ndarray, "pair direction 2 kernel"]:
    mean = np.zeros((posterior.shape[1], 2, 2, shapes.excess.shape[1]), dtype=np.float32)
    for of_scale, kernels in zip(posterior, by_scale, strict=True):
        for (direction, forward, backward), probability in kernels.items():
            kind = (forward, backward)[direction] - 1
            mean[:, direction, kind] += of_scale[:, forward, backward, None] * probability
    return mean
