"""Poisson GLM whose inputs share one coupling filter: the GLM that the published model faced."""

from dataclasses import replace
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spikeweft.baselines.glm.batched_lbfgs import Coefficients, minimise_each
from spikeweft.baselines.glm.binned_glm import BinnedGLM
from spikeweft.baselines.glm.poisson_regression import (
    Curvature,
    Design,
    bins_within,
)
from spikeweft.baselines.glm.spike_history import SpikeHistory, raised_cosine_basis
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import check_enough_neurons
from spikeweft.runtime.parallel import shares, side_by_side

_AREA_S = 0.005  # of the filter, as of each raised cosine of the other GLM

_FILTER_RIDGE = 1.0

_MAX_ROUNDS = 20

_SAME_FILTER = 1e-3

_SHORTEST_STEP = 1e-3

_NO_RANK = 1e-6

_STRETCH = 512  # bins; what they hold stays in the processor's cache

Taps = Float[Tensor, " lag"]


class SharedFilterGLM(BinnedGLM):
    r"""Poisson GLM with a weight per input and one coupling filter for all (Yoon 2025, baselines).

    .. math:: \log λ_i(t) = b_i + \sum_j W_{ij} \sum_l f_l n_j(t - l)

    From the paper are the exponential link, one weight vector per neuron, the one filter of 32
    raised cosines over 2τ (τ = 10 ms), quasi-Newton steps, and the warm start: one neuron is
    fitted first, and its weights, shifted along the ring, are where the others start. Chosen:

    - the filter is the same for all postsynaptic neurons too;
    - a neuron's own spikes are an input like any other, seen through the same filter, and W_ii is
      left out of the circuit;
    - bins of 1 ms. A filter then has 20 values, which 32 cosines determine more than once: the
      cosines are averaged within bins and reduced to their 20 singular vectors;
    - weak Gaussian priors, so that few spikes still give finite weights;
    - for a fixed filter the weights are a convex problem, for fixed weights the filter is one:
      they are fitted in turn until the filter stays;
    - the shift goes by the order of the preferred directions. Where these are not known there is
      no ring, and all neurons start without connections.

    Parameters
    ----------
    bin_s
        Bin width in seconds, rounded to a multiple of the time resolution.
    history_window_s
        How far the filter reaches back, 2τ.
    n_basis
        Raised cosines of the filter.
    ridge
        Strength of the Gaussian prior on weights: the area under a coupling filter, the change of
        log rate times its duration, has standard deviation 5 ms/√ridge.

    Attributes
    ----------
    coupling_filter_
        The shared filter over lags, of area 5 ms if it were all positive; the first lag is the
        bin just before.
    bin_s_
        Bin width used.
    n_rounds_, converged_
        How often weights and filter were fitted in turn, and whether each neuron's weights came
        within 0.01 nats, and the filter within a thousandth of its peak, of where they rest.
    """

    coupling_filter_: Float[np.ndarray, " lag"]

    def __init__(
        self,
        *,
        bin_s: float = 0.001,
        history_window_s: float = 0.02,
        n_basis: int = 32,
        ridge: float = 0.1,
    ) -> None:
        self.bin_s = bin_s
        self.history_window_s = history_window_s
        self.n_basis = n_basis
        self.ridge = ridge

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons or no epoch longer than the history
            window, or where a setting makes no sense.
        """
        check_enough_neurons(X)
        self._check_settings()
        self.bin_s_ = self._whole_bin_s(X)
        prior = _FilterPrior.of(self.n_basis, self._n_lags(), self.bin_s_)
        self.null_rate_hz_ = X.rate_hz
        design = Design.of(X, _history(prior.mean), self.bin_s_, self.history_window_s)
        start = _Fit(design.constant_rates(), prior.mean)
        order = _ring_order(X)
        if order is not None:
            start = self._warm_start(design, start, prior, order)
        self._keep(self._alternate(design, start, prior), X)
        return self

    def _check_settings(self) -> None:
        self._check_times()
        if not 0 < self.ridge < np.inf:
            raise InputError(f"a ridge of {self.ridge} is no prior; choose one above 0")
        if self.n_basis < 1:
            raise InputError(f"{self.n_basis} raised cosines make no filter; choose 1 or more")

    def _n_lags(self) -> int:
        n_lags = bins_within(self.history_window_s, self.bin_s_)
        if n_lags < 1:
            raise InputError(
                f"a history window of {self.history_window_s:g} s is shorter than a bin of "
                f"{self.bin_s_:g} s; choose a longer window or shorter bins"
            )
        return n_lags

    def _design(self, X: Recording) -> Design:
        history = SpikeHistory(self.coupling_filter_[:, None])
        return Design.of(X, history, self.bin_s_, self.history_window_s)

    def _warm_start(
        self, design: Design, start: "_Fit", prior: "_FilterPrior", order: np.ndarray
    ) -> "_Fit":
        """Weights of one neuron, shifted along the ring to every other, and their filter."""
        first = int(design.n_spikes.argmax())
        alone = replace(design, spikes=design.spikes[:, [first]])
        fit = self._alternate(alone, _Fit(start.coefficients[[first]], start.taps), prior)
        coefficients = start.coefficients.clone()
        position = np.argsort(order)
        for neuron in torch.nonzero(design.n_spikes > 0)[:, 0].tolist():
            shift = position[first] - position[neuron]
            source = order[(position + shift) % len(order)]
            coefficients[neuron, :-1] = fit.coefficients[0, source]
        coefficients[:, :-1][:, design.counts.sum(0) == 0] = 0.0
        return _Fit(coefficients, fit.taps)

    def _alternate(self, design: Design, start: "_Fit", prior: "_FilterPrior") -> "_Fit":
        """Weights for the filter, then the filter for the weights, until it stays."""
        fit, n_spikes = start, design.n_spikes
        penalty = torch.full_like(fit.coefficients, self.ridge)
        penalty[:, -1] = 0
        curvature = Curvature.of(replace(design, history=_history(fit.taps)))

        def precondition(gradient: Coefficients) -> Coefficients:
            return curvature.newton_step(gradient, n_spikes, self.ridge)

        for n_rounds in range(1, _MAX_ROUNDS + 1):
            now = replace(design, history=_history(fit.taps))
            weights = minimise_each(
                now.penalised(penalty), precondition, fit.coefficients, n_spikes > 0
            )
            taps = _better_filter(now, _Fit(weights.point, fit.taps), prior)
            scale = float(taps.abs().sum() / prior.mean.abs().sum())
            change = float((taps / scale - fit.taps).abs().max() / fit.taps.abs().max())
            fit = _Fit(
                weights.point, fit.taps, weights.converged & (change < _SAME_FILTER), n_rounds
            )
            if change < _SAME_FILTER:
                break
            fit = fit.with_filter(taps, scale)
        return fit

    def _keep(self, fit: "_Fit", X: Recording) -> None:
        self.coupling_filter_ = fit.taps.numpy()
        self._coefficients = fit.coefficients
        self.converged_, self.n_rounds_ = fit.converged.numpy(), fit.n_rounds
        weights = fit.coefficients[:, :-1].numpy() * self.coupling_filter_.sum()
        np.fill_diagonal(weights, 0.0)
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": "Poisson GLM, shared filter", "bin_s": self.bin_s_},
        )


class _Fit(NamedTuple):
    """Weights and constants, the filter they were fitted with, and how the fit came to rest."""

    coefficients: Coefficients
    taps: Taps
    converged: Tensor = torch.zeros(0, dtype=torch.bool)
    n_rounds: int = 0

    def with_filter(self, taps: Taps, scale: float) -> Self:
        """The same rates of a filter divided by a scale, which the weights take over."""
        coefficients = self.coefficients.clone()
        coefficients[:, :-1] *= scale
        return self._replace(coefficients=coefficients, taps=taps / scale)


class _FilterPrior(NamedTuple):
    """A Gaussian prior on the coefficients of the cosines, around an exponential filter.

    `directions` are singular vectors of the cosines times singular values, so that one unit along
    each is equally likely.
    """

    mean: Taps
    directions: Float[Tensor, "lag direction"]

    @classmethod
    def of(cls, n_basis: int, n_lags: int, bin_s: float) -> Self:
        """The prior of the filter whose e-folding time is half the window, τ."""
        n_fine = 4 * n_basis  # cosines may be narrower than a bin, and must not be missed
        fine = raised_cosine_basis(n_basis, n_lags * n_fine, bin_s / n_fine)
        cosines = torch.from_numpy(fine.reshape(n_lags, n_fine, n_basis).mean(1))
        vectors, values, _ = torch.linalg.svd(cosines, full_matrices=False)
        kept = vectors[:, values > _NO_RANK * values[0]]
        exponential = torch.exp(-2 * (torch.arange(n_lags, dtype=torch.float64) + 0.5) / n_lags)
        mean = kept @ (kept.T @ exponential)
        scale = _AREA_S / (bin_s * mean.abs().sum())
        return cls(scale * mean, kept * values[: kept.shape[1]])


class _FilterMoments(NamedTuple):
    """What the likelihood's dependence on the filter takes, summed over bins."""

    at_spikes: Float[Tensor, " lag"]
    expected: Float[Tensor, " neuron"]
    expected_past: Float[Tensor, "neuron lag"]
    information: Float[Tensor, "lag lag"]


def _better_filter(design: Design, fit: _Fit, prior: _FilterPrior) -> Taps:
    """One Newton step of the filter, baselines following it, halved until it is an improvement."""
    moments, n_spikes = _filter_moments(design, fit), design.n_spikes
    mean_past = moments.expected_past / moments.expected[:, None]
    gradient = moments.at_spikes - n_spikes @ mean_past
    information = moments.information - moments.expected_past.T @ mean_past
    G = prior.directions
    away = torch.linalg.lstsq(G, fit.taps - prior.mean).solution
    downhill = G.T @ gradient - _FILTER_RIDGE * away
    curvature = G.T @ information @ G + _FILTER_RIDGE * torch.eye(G.shape[1])
    direction = torch.linalg.solve(curvature, downhill)

    def posterior(length: float) -> float:
        coefficients = fit.coefficients.clone()
        coefficients[:, -1] -= length * (mean_past @ (G @ direction))
        stepped = replace(design, history=_history(fit.taps + length * G @ direction))
        deviation = away + length * direction
        log_prior = -0.5 * _FILTER_RIDGE * float(deviation @ deviation)
        return float(stepped.log_likelihood(coefficients)[0].sum()) + log_prior

    length, before = 1.0, posterior(0.0)
    while not posterior(length) >= before:
        length /= 2
        if length < _SHORTEST_STEP:
            return fit.taps
    return fit.taps + length * G @ direction


def _filter_moments(design: Design, fit: _Fit) -> _FilterMoments:
    n_lags = len(fit.taps)
    weights = fit.coefficients[:, :-1].float().T
    constants = fit.coefficients[:, -1].float()
    oldest_first = fit.taps.flip(0).float()

    def of_stretch(part: slice) -> list[Tensor]:
        seen = slice(max(part.start - n_lags, 0), part.stop)
        drive = torch.zeros(part.stop - part.start + n_lags, design.n_neurons)
        drive[seen.start - seen.stop :] = torch.from_numpy(design.counts[seen]).float() @ weights
        past = drive[:-1].unfold(0, n_lags, 1).contiguous()
        expected = design.exposure_s[part, None].float() * torch.exp(
            past @ oldest_first + constants
        )
        spikes = torch.from_numpy(design.spikes[part]).float()
        flat = past.flatten(0, 1)
        return [
            spikes.flatten() @ flat,
            expected.sum(0),
            torch.einsum("tn,tnl->nl", expected, past),
            flat.T @ (expected.reshape(-1, 1) * flat),
        ]

    def of_share(share: list[slice]) -> list[Tensor]:
        sums = [term.double() for term in of_stretch(share[0])]
        for part in share[1:]:
            for total, term in zip(sums, of_stretch(part), strict=True):
                total += term
        return sums

    sums = side_by_side(of_share, shares(design.stretches(_STRETCH)))
    at_spikes, expected, past, information = (
        torch.stack(terms).sum(0) for terms in zip(*sums, strict=True)
    )
    return _FilterMoments(at_spikes.flip(0), expected, past.flip(1), information.flip(0, 1))


def _history(taps: Taps) -> SpikeHistory:
    return SpikeHistory(taps[:, None].numpy())


def _ring_order(X: Recording) -> np.ndarray | None:
    """Neurons in the order of their preferred directions, where all are known."""
    angle = X.preferred_angle_rad
    return None if angle is None or np.isnan(angle).any() else np.argsort(angle)
