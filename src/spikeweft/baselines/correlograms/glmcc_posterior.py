"""The posterior of GLMCC for one correlogram, and its maximum."""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Int
from numba import njit

SMOOTHNESS = 4000.0
"""2 / γ, with the authors' γ = 5·10⁻⁴ per ms for bins of 1 ms."""

_LOWEST_J, _HIGHEST_J = -3.0, 5.0

_MOST_STEPS, _MOST_HALVINGS = 200, 30

_CONVERGED = 1e-7


class PairFits(NamedTuple):
    """The maximum of the posterior for each correlogram, at the delay that is most probable.

    Attributes
    ----------
    strength
        J of the connection that acts at positive lags, then of that at negative ones.
    baseline
        Counts per bin without a connection at the lags at which each would act.
    delay
        Index of the delay.
    """

    strength: Float[np.ndarray, "pair direction"]
    baseline: Float[np.ndarray, "pair direction"]
    delay: Int[np.ndarray, " pair"]


def fit_pairs(
    counts: Float[np.ndarray, "pair lag"],
    effects: Float[np.ndarray, "delay lag"],
    smoothness: float,
) -> PairFits:
    """Fit each correlogram with each delay.

    Parameters
    ----------
    counts
        Correlograms with lag 0 in the middle, none of them empty.
    effects
        f at each lag by delay, of a connection that acts at positive lags; zero at all others.
    smoothness
        Weight of half the squared difference of neighbouring log baselines.
    """
    n_pairs = len(counts)
    found = PairFits(
        np.zeros((n_pairs, 2)), np.zeros((n_pairs, 2)), np.zeros(n_pairs, dtype=np.int64)
    )
    _fit_all(counts, effects, smoothness, *found)
    return found


def log_posterior(
    counts: Float[np.ndarray, " lag"],
    effect: Float[np.ndarray, " lag"],
    smoothness: float,
    log_baseline: Float[np.ndarray, " lag"],
    strength: Float[np.ndarray, " direction"],
) -> float:
    """Log likelihood of Poisson counts and log prior, but for constants."""
    return _log_posterior(counts, effect, smoothness, log_baseline, strength)


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles these; their callers are checked
def _fit_all(counts, effects, smoothness, strengths, baselines, delays):
    for pair in range(len(counts)):
        best = -np.inf
        log_baseline = np.full(counts.shape[1], np.log(counts[pair].mean()))
        for delay in range(len(effects)):
            effect, strength = effects[delay], np.zeros(2)
            value = _maximise(counts[pair], effect, smoothness, log_baseline, strength)
            if value <= best:
                continue
            best, delays[pair], strengths[pair] = value, delay, strength
            for direction in range(2):
                acting = effect if direction == 0 else effect[::-1]
                baselines[pair, direction] = _mean_under(np.exp(log_baseline), acting)


@njit(cache=True, nogil=True)
@no_type_check
def _mean_under(baseline, effect):
    """Mean of the baseline where the effect is at least 1 / e of its largest."""
    total, n = 0.0, 0
    for lag in range(len(effect)):
        if effect[lag] > np.exp(-1.0):
            total += baseline[lag]
            n += 1
    return total / max(n, 1)


@njit(cache=True, nogil=True)
@no_type_check
def _maximise(counts, effect, smoothness, log_baseline, strength):
    """Newton's method from the values given, which it changes; the log posterior reached."""
    value = _log_posterior(counts, effect, smoothness, log_baseline, strength)
    for _ in range(_MOST_STEPS):
        baseline_step, strength_step = _newton_step(
            counts, effect, smoothness, log_baseline, strength
        )
        size, gain = 1.0, 0.0
        for _ in range(_MOST_HALVINGS):
            next_baseline = log_baseline + size * baseline_step
            next_strength = np.minimum(
                np.maximum(strength + size * strength_step, _LOWEST_J), _HIGHEST_J
            )
            gain = _log_posterior(counts, effect, smoothness, next_baseline, next_strength) - value
            if gain >= 0:
                log_baseline[:], strength[:] = next_baseline, next_strength
                value += gain
                break
            size /= 2
        if gain < _CONVERGED:
            break
    return value


@njit(cache=True, nogil=True)
@no_type_check
def _log_posterior(counts, effect, smoothness, log_baseline, strength):
    n, value = len(counts), 0.0
    for lag in range(n):
        log_mean = log_baseline[lag] + strength[0] * effect[lag] + strength[1] * effect[n - 1 - lag]
        value += counts[lag] * log_mean - np.exp(log_mean)
        if lag > 0:
            value -= smoothness / 2 * (log_baseline[lag] - log_baseline[lag - 1]) ** 2
    return value


@njit(cache=True, nogil=True)
@no_type_check
def _newton_step(counts, effect, smoothness, log_baseline, strength):
    """Step of the log baseline, whose information has three diagonals, and of both strengths."""
    back = effect[::-1]
    mean = np.exp(log_baseline + strength[0] * effect + strength[1] * back)
    excess = counts - mean
    slope = excess.copy()
    for lag in range(1, len(counts)):
        pull = smoothness * (log_baseline[lag] - log_baseline[lag - 1])
        slope[lag - 1] += pull
        slope[lag] -= pull
    sides = np.empty((len(counts), 3))
    sides[:, 0], sides[:, 1], sides[:, 2] = slope, mean * effect, mean * back
    _solve(mean, smoothness, sides)
    information, wanted = np.zeros((2, 2)), np.zeros(2)
    for row in range(2):
        own = effect if row == 0 else back
        wanted[row] = np.sum(own * excess) - np.sum(mean * own * sides[:, 0])
        information[row, row] = np.sum(mean * own**2)
        for column in range(2):
            information[row, column] -= np.sum(mean * own * sides[:, 1 + column])
        information[row, row] += 1e-12
    _hold_at_limits(information, wanted, strength)
    determinant = information[0, 0] * information[1, 1] - information[0, 1] * information[1, 0]
    step = np.empty(2)
    step[0] = (wanted[0] * information[1, 1] - wanted[1] * information[0, 1]) / determinant
    step[1] = (wanted[1] * information[0, 0] - wanted[0] * information[1, 0]) / determinant
    return sides[:, 0] - sides[:, 1] * step[0] - sides[:, 2] * step[1], step


@njit(cache=True, nogil=True)
@no_type_check
def _hold_at_limits(information, wanted, strength):
    """Let no strength leave its range: one at a limit that would move outwards stays."""
    for row in range(2):
        outwards = (strength[row] <= _LOWEST_J and wanted[row] < 0) or (
            strength[row] >= _HIGHEST_J and wanted[row] > 0
        )
        if outwards:
            information[row, 1 - row], information[1 - row, row] = 0.0, 0.0
            information[row, row], wanted[row] = 1.0, 0.0


@njit(cache=True, nogil=True)
@no_type_check
def _solve(diagonal, smoothness, sides):
    """Solve (diagonal + smoothness · differences of neighbours) x = sides, in place."""
    n = len(diagonal)
    scale = np.empty(n)
    for lag in range(n):
        pivot = diagonal[lag] + smoothness * ((lag > 0) + (lag < n - 1))
        if lag > 0:
            pivot -= smoothness * scale[lag - 1]
            sides[lag] += smoothness * sides[lag - 1]
        scale[lag] = smoothness / pivot
        sides[lag] /= pivot
    for lag in range(n - 2, -1, -1):
        sides[lag] += scale[lag] * sides[lag + 1]
