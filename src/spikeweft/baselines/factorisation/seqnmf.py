"""Sequences of spikes found by convolutive matrix factorisation, read as a circuit (a baseline)."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float, Float32, Int

from spikeweft.baselines.factorisation.component_number import n_components
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, check_enough_neurons, check_whole_numbers

N_LAGS = 2
"""Length L of a sequence in bins (published)."""

PENALTY = 1e-3
"""Weight λ of the x-ortho penalty (published)."""

N_STEPS = 100
"""Rounds of multiplicative updates, as in the authors' toolbox."""

HIDDEN_FRACTION = 0.05
"""Share of all counts, drawn at random, that a number of components is judged by (chosen)."""

N_SEARCH_BINS = 12_000
"""Bins from the start of the recording on which numbers of components are compared (chosen)."""

_TINY = np.finfo(np.float32).tiny


class SeqNMF(CircuitEstimator):
    r"""SeqNMF (Mackevicius et al. 2019) with the read-out of Yoon (2025).

    Spike counts are written as a sum of K sequences of L = 2 bins, each with a course in time,
    :math:`x_{nt} ≈ \sum_{kl} w_{nkl} h_{k,t-l}`, all nonnegative, with the x-ortho penalty
    λ = 0.001 on sequences that explain the same spikes. The circuit is

    .. math:: Ŵ = \frac1K \sum_k \Big(\sum_t h_{kt}\Big)\, w_{\cdot k 1} w_{\cdot k 0}^\top

    with the row for the neurons that fire in the second bin, after those in the column. (The paper
    has the transpose, which on its symmetric networks scores alike.) The weights are never
    negative: they say who fires before whom, not who excites or inhibits whom. A score that scales
    them may do so by a negative factor.

    The bin width is not published. Nor is K: it is the smallest number after which another
    sequence explains less than 1 % more of counts that were left out of a fit to the first
    `N_SEARCH_BINS` (`components.n_components`).

    Parameters
    ----------
    bin_s
        Width of a bin; a sequence lasts two.
    n_components
        Number of sequences K; None for that of the rule.
    random_state
        Seed of the courses that the updates start from, and of the counts that are held out.

    Attributes
    ----------
    connectivity_
        The inferred circuit.
    n_components_
        Number of sequences K.
    sequences_
        The sequences and their courses.
    """

    n_components_: int
    sequences_: "Sequences"

    def __init__(
        self, *, bin_s: float = 0.01, n_components: int | None = None, random_state: int = 0
    ) -> None:
        self.bin_s = bin_s
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit.

        Raises
        ------
        InputError
            Where the settings or the recording cannot be used.
        """
        check_enough_neurons(X)
        check_whole_numbers(self)
        if X.duration_s < N_LAGS * self.bin_s:
            raise InputError(
                f"a recording of {X.duration_s:g} s is shorter than a sequence of {N_LAGS} bins of "
                f"{self.bin_s:g} s; use a longer recording or shorter bins"
            )
        counts = padded_counts(X, self.bin_s)
        early, rng = counts[:N_SEARCH_BINS], np.random.default_rng(self.random_state)
        held_out = np.flatnonzero(rng.random(early.shape, dtype=np.float32) < HIDDEN_FRACTION)
        self.n_components_ = n_components(
            self.n_components, lambda k: self._held_out_power(early, held_out, k)
        )
        self.sequences_ = self._factorise(counts, held_out[:0], self.n_components_)
        self.connectivity_ = Connectivity(
            weights=read_out(self.sequences_),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "squared spike counts"},
        )
        return self

    def _held_out_power(
        self,
        counts: Float32[np.ndarray, "time neuron"],
        held_out: Int[np.ndarray, " entry"],
        k: int,
    ) -> float:
        """Share of the power of held-out counts that sequences fitted to the others explain."""
        expected = self._factorise(counts, held_out, k).expected()
        power = float(np.sum(counts.ravel()[held_out] ** 2))
        left = float(np.sum((counts.ravel()[held_out] - expected.ravel()[held_out]) ** 2))
        return 1 - left / power if power > 0 else 0.0

    def _factorise(
        self,
        counts: Float32[np.ndarray, "time neuron"],
        held_out: Int[np.ndarray, " entry"],
        k: int,
    ) -> "Sequences":
        counts = counts.copy()
        rng = np.random.default_rng(self.random_state)
        sequences = start(counts, k, rng)
        for step in range(N_STEPS):
            # The last round, as in the authors' toolbox, only serves the fit.
            penalty = PENALTY if step < N_STEPS - 1 else 0.0
            sequences = updated(sequences, counts, penalty, held_out)
        return sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequences:
    """Sequences of spikes, and when they occur."""

    pattern: Float32[np.ndarray, "lag neuron component"]
    course: Float32[np.ndarray, "time component"]

    def expected(self) -> Float32[np.ndarray, "time neuron"]:
        """The counts that the sequences account for."""
        return _lagged(self.course) @ self.patterns.T

    def found_in(
        self, counts: Float32[np.ndarray, "time neuron"]
    ) -> Float32[np.ndarray, "time component"]:
        """How much of each sequence the counts hold from each moment on."""
        parts = np.split(counts @ self.patterns, N_LAGS, axis=1)
        return sum((delayed(part, -lag) for lag, part in enumerate(parts)), 0 * self.course)

    @property
    def patterns(self) -> Float32[np.ndarray, "neuron column"]:
        """The patterns of all lags side by side, a column per lag and component."""
        return np.concatenate(self.pattern, axis=1)


def updated(
    sequences: Sequences,
    counts: Float32[np.ndarray, "time neuron"],
    penalty: float,
    held_out: Int[np.ndarray, " entry"],
) -> Sequences:
    """One round of multiplicative updates (Mackevicius et al. 2019, table 1), of courses first.

    Held-out entries of the counts are overwritten by what is expected there, so that they do not
    pull. The toolbox also shifts sequences to their centre, which means little for two lags and is
    left out.
    """
    others = penalty * (1 - np.eye(sequences.course.shape[1], dtype=np.float32))
    expected = sequences.expected()
    _fill_in(counts, expected, held_out)
    found = sequences.found_in(counts)
    course = sequences.course * found
    course /= sequences.found_in(expected) + _blurred(found) @ others + _TINY
    size = np.sqrt(np.sum(course**2, axis=0)) + _TINY
    halfway = Sequences(pattern=sequences.pattern * size, course=course / size)
    expected = halfway.expected()
    _fill_in(counts, expected, held_out)
    past = _lagged(halfway.course)
    # The penalty blurs the counts; to blur the courses comes to the same and is less work.
    against = _by_lag(counts.T @ _blurred(past)) @ others
    ratio = _by_lag(counts.T @ past) / (_by_lag(expected.T @ past) + against + _TINY)
    return Sequences(pattern=halfway.pattern * ratio, course=halfway.course)


def start(
    counts: Float32[np.ndarray, "time neuron"], k: int, rng: np.random.Generator
) -> Sequences:
    """Random courses of patterns that are all the mean: the start treats all neurons alike."""
    course = rng.random((len(counts), k), dtype=np.float32)
    pattern = np.broadcast_to(counts.mean(axis=0)[:, None], (N_LAGS, counts.shape[1], k))
    return Sequences(pattern=pattern.copy(), course=course)


def read_out(sequences: Sequences) -> Float[np.ndarray, "post pre"]:
    r"""The circuit :math:`\frac1K \sum_k (\sum_t h_{kt}) w_{\cdot k1} w_{\cdot k0}^\top`."""
    first, second = sequences.pattern.astype(float)
    weights = (second * sequences.course.sum(axis=0, dtype=float)) @ first.T / first.shape[1]
    np.fill_diagonal(weights, 0.0)
    return weights


def padded_counts(X: Recording, bin_s: float) -> Float32[np.ndarray, "time neuron"]:
    """Counts with an empty bin after every epoch, so that no sequence runs across a gap."""
    binned = X.counts(bin_s)
    ends = np.append(np.flatnonzero(np.diff(binned.epoch)) + 1, len(binned.counts))
    return np.insert(binned.counts, ends, 0, axis=0).astype(np.float32)


def delayed(
    course: Float32[np.ndarray, "time column"], lag: int
) -> Float32[np.ndarray, "time column"]:
    """The course `lag` bins later, or earlier where negative; what comes in is zero."""
    moved = np.zeros_like(course)
    if lag >= 0:
        moved[lag:] = course[: len(course) - lag]
    else:
        moved[:lag] = course[-lag:]
    return moved


def _lagged(
    course: Float32[np.ndarray, "time component"],
) -> Float32[np.ndarray, "time column"]:
    """The course at every lag side by side, a column per lag and component."""
    return np.concatenate([delayed(course, lag) for lag in range(N_LAGS)], axis=1)


def _by_lag(
    columns: Float32[np.ndarray, "neuron column"],
) -> Float32[np.ndarray, "lag neuron component"]:
    return np.stack(np.split(columns, N_LAGS, axis=1))


def _fill_in(
    counts: Float32[np.ndarray, "time neuron"],
    expected: Float32[np.ndarray, "time neuron"],
    held_out: Int[np.ndarray, " entry"],
) -> None:
    counts.reshape(-1)[held_out] = expected.reshape(-1)[held_out]


def _blurred(course: Float32[np.ndarray, "time column"]) -> Float32[np.ndarray, "time column"]:
    """Sum over all bins less than a sequence's length away."""
    return sum((delayed(course, lag) for lag in range(1 - N_LAGS, N_LAGS)), 0 * course)
