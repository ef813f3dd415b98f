"""Connections and what they have in common, in turn: expectation-maximisation over all pairs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.runtime.parallel import side_by_side
from spikeweft.synapse_model.connections.cell_types import probability_excitatory
from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.estimated_chances import chance_of, distribution_of
from spikeweft.synapse_model.connections.indirect_bumps import IndirectBumps
from spikeweft.synapse_model.connections.kernel_shapes import KernelShapes
from spikeweft.synapse_model.connections.pair_counts import PairCounts
from spikeweft.synapse_model.connections.pair_inference import PairInference, average
from spikeweft.synapse_model.connections.pair_posterior import (
    PairPosterior,
    chunks,
    posterior_of,
)
from spikeweft.synapse_model.connections.smooth_null import (
    MULTIPLES,
    USUAL,
    SmoothNull,
    broad_components,
    covariances,
    estimate_variances,
)

_MOST_PAIRS, _MOST_NULL_PAIRS = 1500, 200
"""From more, what pairs have in common is estimated from a random choice."""

_FIRST_VARIANCE = 0.003

_LIKELY_UNCONNECTED = 0.8
"""Share of all pairs, those with the smallest residuals, that the first null is estimated from."""

_N_ITERATIONS, _N_BROAD = 6, 2

_PRIOR_SPREAD = 0.5
"""Pairs of each multiple that are added to those there are."""

_FIRST_SCORING_STEPS, _SCORING_STEPS = 4, 2


def infer_connections(
    counts: PairCounts, known_excitatory: Float[np.ndarray, " neuron"], rng: np.random.Generator
) -> PairInference:
    """Connections of all pairs, and what connections have in common.

    Twice: what hidden neurons pass on is always symmetric in time, or it may be skewed as chains of
    two connections are, and then it looks like slow connections. Spikes do not tell which is true;
    the answers are averaged.

    Parameters
    ----------
    counts
        All pairs.
    known_excitatory
        1 of each neuron that is known to excite, 0 of those that inhibit, NaN of the others.
    rng
        Chooses the pairs of large recordings.
    """
    first = _first_prior(counts, known_excitatory, rng)
    priors = [
        _learned(counts, replace(first, indirect=IndirectBumps.first(counts.lags_s, skewed)), rng)
        for skewed in (False, True)
    ]
    return weigh_connections(counts, priors)


def weigh_connections(counts: PairCounts, priors: Sequence[ConnectionPrior]) -> PairInference:
    """Connections of all pairs, where it is known what they have in common, on average."""
    shapes = KernelShapes.of(counts.step_s, counts.n_lags)
    components = covariances(counts.lags_s)
    return average([_of_all(counts, shapes, _nulls(components, prior), prior) for prior in priors])


def _learned(
    counts: PairCounts, prior: ConnectionPrior, rng: np.random.Generator
) -> ConnectionPrior:
    """What connections have in common, starting from this."""
    shapes = KernelShapes.of(counts.step_s, counts.n_lags)
    components = covariances(counts.lags_s)
    for iteration in range(_N_ITERATIONS):
        chosen = _choose(np.arange(counts.n_pairs), _MOST_PAIRS, rng)
        prior = _updated(counts.of(chosen), shapes, components, prior, iteration >= _N_BROAD, rng)
    return prior


def _first_prior(
    counts: PairCounts, known_excitatory: Float[np.ndarray, " neuron"], rng: np.random.Generator
) -> ConnectionPrior:
    shapes = KernelShapes.of(counts.step_s, counts.n_lags)
    misfit = ((counts.observed - counts.expected) ** 2 / (counts.expected + 1)).sum(1)
    ordinary = np.flatnonzero(misfit <= np.quantile(misfit, _LIKELY_UNCONNECTED))
    rows = _choose(ordinary, _MOST_NULL_PAIRS, rng)
    broad = broad_components()
    variances = estimate_variances(
        counts.of(rows),
        np.ones(len(rows)),
        np.full(len(rows), USUAL),
        covariances(counts.lags_s),
        np.where(broad, _FIRST_VARIANCE, 0.0),
        broad,
        _FIRST_SCORING_STEPS,
    )
    return ConnectionPrior.first(shapes, known_excitatory, variances, counts.lags_s)


def _nulls(
    components: Float[np.ndarray, "component lag lag"], prior: ConnectionPrior
) -> list[SmoothNull]:
    """The null of each multiple of the variances."""
    return [SmoothNull.of(components, multiple * prior.variances) for multiple in MULTIPLES]


def _choose(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= most else np.sort(rng.choice(rows, most, replace=False))


def _updated(
    counts: PairCounts,
    shapes: KernelShapes,
    components: Float[np.ndarray, "component lag lag"],
    prior: ConnectionPrior,
    narrow_too: bool,
    rng: np.random.Generator,
) -> ConnectionPrior:
    """The prior from the posterior of these pairs."""
    nulls = _nulls(components, prior)
    parts = side_by_side(
        lambda rows: posterior_of(counts.of(rows), shapes, nulls, prior), _rows(counts)
    )
    number = np.sum([_counted(part) for part in parts], axis=0).reshape(2, *shapes.dims)
    of_type = np.stack([prior.excitatory, 1 - prior.excitatory], axis=1)
    n_pairs = (of_type[counts.second] + of_type[counts.first]).sum(0)
    excitatory = _types(counts, parts, prior)
    seen = np.union1d(counts.first, counts.second)
    multiple = np.concatenate([part.multiple for part in parts])
    smooth = np.concatenate([part.smooth for part in parts])
    rows = _choose(np.flatnonzero(smooth > 0.5), _MOST_NULL_PAIRS, rng)
    return replace(
        prior,
        sent=chance_of(number.sum((1, 2, 3)), n_pairs),
        strength=distribution_of(number.sum((2, 3))),
        latency=distribution_of(number.sum((1, 3))),
        shape=distribution_of(number.sum((1, 2))),
        spread=(multiple.sum(0) + _PRIOR_SPREAD) / (len(multiple) + _PRIOR_SPREAD * len(MULTIPLES)),
        excitatory=excitatory,
        excitatory_share=(excitatory[seen].sum() + 1) / (len(seen) + 2),
        variances=estimate_variances(
            counts.of(rows),
            smooth[rows] ** 2,
            multiple[rows].argmax(1),
            components,
            prior.variances,
            broad_components() | narrow_too,
            _SCORING_STEPS,
        ),
        indirect=prior.indirect.updated(np.concatenate([part.bumps for part in parts])),
    )


def _counted(part: PairPosterior) -> Float[np.ndarray, "2 kernel"]:
    """Connections by kernel, each counted by its probability.

    The kernels sum to the probability already: doubtful connections count less than they would,
    since misfit of many pairs would otherwise raise the chance of a connection, which makes more of
    them doubtful, and so on.
    """
    return np.einsum("pdk,pdkn->kn", part.probability.astype(np.float32), part.kernels)


def _rows(counts: PairCounts) -> list[np.ndarray]:
    return [np.arange(counts.n_pairs)[part] for part in chunks(counts.n_pairs)]


def _types(
    counts: PairCounts, parts: list[PairPosterior], prior: ConnectionPrior
) -> Float[np.ndarray, " neuron"]:
    factor = np.concatenate([part.log_bayes_factor for part in parts])
    inferred = probability_excitatory(
        np.concatenate([factor[:, 0], factor[:, 1]]),
        np.concatenate([counts.second, counts.first]),
        len(prior.excitatory),
        prior.sent,
        prior.excitatory_share,
    )
    return prior.with_known(inferred)


class _Moments(NamedTuple):
    """Of the kernels of each pair, direction and kind: sums over kernels by their probability."""

    kernel: Float[np.ndarray, "pair direction lag"]
    area: Float[np.ndarray, "pair direction"]
    squared_area: Float[np.ndarray, "pair direction"]
    latency_s: Float[np.ndarray, "pair direction 2"]
    squared_latency: Float[np.ndarray, "pair direction 2"]

    @classmethod
    def of(cls, kernels: np.ndarray, shapes: KernelShapes) -> "_Moments":
        areas = shapes.log_factor.sum(2)
        at_s = np.broadcast_to(shapes.latencies_s[:, None], shapes.dims).ravel()
        return cls(
            np.einsum("pdka,kal->pdl", kernels, shapes.log_factor, optimize=True),
            np.einsum("pdka,ka->pd", kernels, areas),
            np.einsum("pdka,ka->pd", kernels, areas**2),
            kernels @ at_s,
            kernels @ at_s**2,
        )


def _of_all(
    counts: PairCounts, shapes: KernelShapes, nulls: list[SmoothNull], prior: ConnectionPrior
) -> PairInference:
    """The posterior of every pair under the final prior, with the types that all of them say."""

    def of_rows(rows: np.ndarray) -> tuple[PairPosterior, _Moments]:
        posterior = posterior_of(counts.of(rows), shapes, nulls, prior)
        without_kernels = posterior._replace(kernels=np.zeros((0, 2, 2, 0)), bumps=np.zeros((0, 0)))
        return without_kernels, _Moments.of(posterior.kernels, shapes)

    parts, moments = map(list, zip(*side_by_side(of_rows, _rows(counts)), strict=True))
    prior = replace(prior, excitatory=_types(counts, parts, prior))
    factor = np.concatenate([part.log_bayes_factor for part in parts])
    under = np.concatenate([part.probability for part in parts])
    kernel, area, squared_area, latency_s, squared_latency = (
        np.concatenate(values) for values in zip(*moments, strict=True)
    )
    pre = np.stack([counts.second, counts.first], axis=1)
    probability = _given_type(factor, prior, pre)
    likelier = under.argmax(2)[..., None]

    def of_likelier(sums: np.ndarray) -> np.ndarray:
        weight = np.maximum(np.take_along_axis(under, likelier, 2), np.finfo(float).tiny)
        return (np.take_along_axis(sums, likelier, 2) / weight)[..., 0]

    mean_s = of_likelier(latency_s)
    spread_s = np.sqrt(np.maximum(of_likelier(squared_latency) - mean_s**2, 0.0))
    area_sd = np.sqrt(np.maximum(squared_area - area**2, 0.0))
    n = len(prior.excitatory)
    values = (kernel, area, area_sd, mean_s, spread_s)
    return PairInference(
        _ordered(probability, counts, _unseen(prior)),
        *(_ordered(value, counts, np.zeros((n, n, *value.shape[2:]))) for value in values),
        priors=(prior,),
    )


def _unseen(prior: ConnectionPrior) -> Float[np.ndarray, "post pre 2"]:
    """Probability of each kind of connection of pairs that show nothing; the diagonal is 0."""
    n = len(prior.excitatory)
    of_type = np.stack([prior.excitatory, 1 - prior.excitatory], axis=1)
    between = ~np.eye(n, dtype=bool)
    return between[:, :, None] * of_type * prior.sent


def _given_type(
    log_bayes_factor: Float[np.ndarray, "pair direction 2"],
    prior: ConnectionPrior,
    pre: np.ndarray,
) -> Float[np.ndarray, "pair direction 2"]:
    """Probability of each kind of connection: of the type, times that of sending, if of it."""
    log_odds = np.log(prior.sent) - np.log1p(-prior.sent) + log_bayes_factor
    of_type = np.stack([prior.excitatory, 1 - prior.excitatory], axis=1)[pre]
    return of_type / (1 + np.exp(-np.clip(log_odds, -500, 500)))


def _ordered(values: np.ndarray, counts: PairCounts, matrix: np.ndarray) -> np.ndarray:
    """Values of pairs and directions put into a matrix [post, pre]."""
    matrix[counts.first, counts.second] = values[:, 0]
    matrix[counts.second, counts.first] = values[:, 1]
    return matrix
