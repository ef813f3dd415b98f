r"""What a pair that is not connected may show: smooth bumps of estimated width and strength.

.. math:: n(l) \sim \mathrm{Poisson}(e(l)\, e^{b(l)}), \qquad b \sim N(0, \sum_g s_g^2 K_g)

with Gaussian covariances :math:`K_g` of several widths, and bumps around lag 0, as synchrony makes
them. Some pairs show more of it than others: the variances of each pair are multiplied by one row
of `MULTIPLES`.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import nnls

from spikeweft.synapse_model.connections.pair_counts import PairCounts

WIDTHS_S = (0.0015, 0.003, 0.006, 0.012, 0.025, 0.1)

WIDTHS_AT_ZERO_S = (0.001, 0.002, 0.004)

WIDTH_OF_A_SIDE_S = 0.025
"""Of bumps that begin at lag 0: where two neurons share a state, and the history of only one of
them tells of it, only lags at which the other is the later one show more than expected."""

NARROW_S = 0.005
"""Narrower components are left out at first: sharp peaks are taken for connections before they are
taken for what all pairs show."""

_N_COMPONENTS = len(WIDTHS_S) + len(WIDTHS_AT_ZERO_S) + 1

_MUCH = np.full(_N_COMPONENTS, 8.0)

_MUCH_BUT_BROAD = np.array(
    [
        *(1.0 if width_s <= NARROW_S else 8.0 for width_s in WIDTHS_S),
        *(1.0 for _ in WIDTHS_AT_ZERO_S),
        8.0,
    ]
)

MULTIPLES = np.array(
    [np.full(_N_COMPONENTS, 1 / 16), np.ones(_N_COMPONENTS), _MUCH, _MUCH_BUT_BROAD]
)
"""By how much a pair's variances differ: less of all, as usual, more of all, more of what is broad.
Without the last, pairs with much slow co-modulation would hide sharp connections."""

USUAL = 1
"""The row of `MULTIPLES` that leaves the variances as they are."""

_NEGLIGIBLE_VARIANCE = 1e-5

_NEGLIGIBLE_SHARE = 2e-3

_LARGEST_LOG_FACTOR = 8.0

_LONGEST_STEP = 1.5

_PRIOR_PAIRS = 5.0
"""As many pairs without any bumps are added to those that estimate the variances, so that one pair
alone does not explain itself."""

_GREATEST_GROWTH, _GROWTH_FROM_ZERO, _DAMPING = 8.0, 0.02, 0.7


def covariances(lags_s: Float[np.ndarray, " lag"]) -> Float[np.ndarray, "component lag lag"]:
    """The components of the null's covariance, of unit variance."""
    apart_s = lags_s[:, None] - lags_s
    anywhere = [np.exp(-0.5 * (apart_s / width_s) ** 2) for width_s in WIDTHS_S]
    bumps = [np.exp(-0.5 * (lags_s / width_s) ** 2) for width_s in WIDTHS_AT_ZERO_S]
    side = np.exp(-0.5 * (lags_s / WIDTH_OF_A_SIDE_S) ** 2)
    later, earlier = side * (lags_s > 0), side * (lags_s < 0)
    one_sided = np.outer(later, later) + np.outer(earlier, earlier)
    return np.array([*anywhere, *(np.outer(bump, bump) for bump in bumps), one_sided])


def broad_components() -> np.ndarray:
    """Which components are there from the start."""
    broad = [width_s > NARROW_S for width_s in WIDTHS_S]
    return np.array([*broad, *(True for _ in WIDTHS_AT_ZERO_S), True])


@dataclass(frozen=True, slots=True)
class SmoothNull:
    """Bumps as sums of orthogonal functions of unit prior variance, b = v · basis.

    Attributes
    ----------
    basis
        The functions.
    products
        Products of any two of them, those above the diagonal, for the curvature.
    """

    basis: Float[np.ndarray, "function lag"]
    products: Float[np.ndarray, "lag twofunctions"]

    @classmethod
    def of(
        cls,
        components: Float[np.ndarray, "component lag lag"],
        variances: Float[np.ndarray, " component"],
    ) -> Self:
        """The null of these variances, without functions that hardly matter."""
        values, vectors = np.linalg.eigh(np.tensordot(variances, components, 1))
        kept = values > max(_NEGLIGIBLE_SHARE * values[-1], _NEGLIGIBLE_VARIANCE)
        basis = (vectors[:, kept] * np.sqrt(values[kept])).T
        above = np.triu_indices(len(basis))
        return cls(basis, np.ascontiguousarray((basis[above[0]] * basis[above[1]]).T))

    def factor(self, v: Float[np.ndarray, "pair function"]) -> Float[np.ndarray, "pair lag"]:
        """What the bumps multiply the expected counts by."""
        return np.exp(np.clip(v @ self.basis, -_LARGEST_LOG_FACTOR, _LARGEST_LOG_FACTOR))

    def precision(
        self, mean: Float[np.ndarray, "pair lag"]
    ) -> Float[np.ndarray, "pair function function"]:
        """Posterior precision of the coefficients, where these counts are expected."""
        n = len(self.basis)
        above = np.triu_indices(n)
        precision = np.empty((len(mean), n, n))
        precision[:, above[0], above[1]] = precision[:, above[1], above[0]] = mean @ self.products
        precision[:, np.arange(n), np.arange(n)] += 1.0
        return precision

    def climb(
        self,
        v: Float[np.ndarray, "pair function"],
        observed: Float[np.ndarray, "pair lag"],
        expected: Float[np.ndarray, "pair lag"],
        n_steps: int,
    ) -> Float[np.ndarray, "pair function"]:
        """Newton steps to the most probable coefficients."""
        for _ in range(n_steps):
            mean = expected * self.factor(v)
            gradient = (observed - mean) @ self.basis.T - v
            step = np.linalg.solve(self.precision(mean), gradient[..., None])[..., 0]
            longest = np.abs(step).max(axis=1, keepdims=True, initial=1e-9)
            v = v + step * np.minimum(1.0, _LONGEST_STEP / longest)
        return v

    def log_evidence(
        self,
        v: Float[np.ndarray, "pair function"],
        observed: Float[np.ndarray, "pair lag"],
        expected: Float[np.ndarray, "pair lag"],
        connected: Float[np.ndarray, "pair lag"] | float = 1.0,
    ) -> Float[np.ndarray, " pair"]:
        """Laplace's approximation around `v`, up to what all states of a pair have in common.

        `connected` is what a connection multiplies the counts by; its own share of the
        likelihood is left to the caller.
        """
        factor = self.factor(v)
        likelihood = (observed * np.log(factor) - expected * factor).sum(1)
        curvature = np.linalg.slogdet(self.precision(expected * connected * factor))[1]
        return likelihood - 0.5 * (v**2).sum(1) - 0.5 * curvature


def estimate_variances(
    counts: PairCounts,
    weights: Float[np.ndarray, " pair"],
    multiples: Int[np.ndarray, " pair"],
    components: Float[np.ndarray, "component lag lag"],
    variances: Float[np.ndarray, " component"],
    allowed: np.ndarray,
    n_steps: int,
) -> Float[np.ndarray, " component"]:
    """Variances of most evidence of pairs that are not connected, by Fisher scoring.

    With α = n - μ at the most probable bumps and P = (K + μ⁻¹)⁻¹, the score of a component is
    ½(αᵀK_g α - tr K_g P), its information with another ½ tr(K_g P K_h P), as for variances of
    Gaussian processes (Rasmussen & Williams 2006, section 5.4); none is negative.

    Parameters
    ----------
    weights
        How sure it is that a pair is not connected.
    multiples
        Which of the `MULTIPLES` each pair has.
    allowed
        Components that may have any.
    """
    for _ in range(n_steps):
        score, information = np.zeros(len(components)), np.zeros((len(components),) * 2)
        for row in np.unique(multiples):
            rows, multiple = multiples == row, MULTIPLES[row]
            null = SmoothNull.of(components, multiple * variances)
            scaled = multiple[:, None, None] * components
            of_rows = _score(counts.of(rows), weights[rows], scaled, null)
            score += of_rows[0]
            information += of_rows[1]
        target = score + information @ variances
        information *= 1 + _PRIOR_PAIRS / max(weights.sum(), 1e-9)
        unit = np.sqrt(np.diag(information)) + 1e-12
        curvature = (information / unit[:, None] / unit)[np.ix_(allowed, allowed)]
        found = np.zeros(len(components))
        found[allowed] = nnls(curvature, (target / unit)[allowed])[0]
        capped = np.minimum(found / unit, _GREATEST_GROWTH * variances + _GROWTH_FROM_ZERO)
        variances = np.where(allowed, (1 - _DAMPING) * variances + _DAMPING * capped, 0.0)
    return variances


def _score(
    counts: PairCounts,
    weights: Float[np.ndarray, " pair"],
    components: Float[np.ndarray, "component lag lag"],
    null: SmoothNull,
) -> tuple[Float[np.ndarray, " component"], Float[np.ndarray, "component component"]]:
    """Score and information of the components, summed over pairs of one multiple."""
    n = len(components)
    score, information = np.zeros(n), np.zeros((n, n))
    at_rest = np.zeros((counts.n_pairs, len(null.basis)))
    v = null.climb(at_rest, counts.observed, counts.expected, 6)
    mean = counts.expected * null.factor(v)
    residual, precision = counts.observed - mean, null.precision(mean)
    for pair in range(counts.n_pairs):
        seen = null.basis * mean[pair]
        P = np.diag(mean[pair]) - seen.T @ np.linalg.solve(precision[pair], seen)
        KP = components @ P
        fit = np.einsum("l,glm,m->g", residual[pair], components, residual[pair], optimize=True)
        score += 0.5 * weights[pair] * (fit - np.trace(KP, axis1=1, axis2=2))
        transposed = KP.transpose(0, 2, 1).reshape(n, -1)
        information += 0.5 * weights[pair] * KP.reshape(n, -1) @ transposed.T
    return score, information
