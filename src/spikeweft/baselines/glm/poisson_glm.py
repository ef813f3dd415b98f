"""Poisson GLM with free coupling filters, the standard method of the field."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spikeweft.baselines.glm.batched_lbfgs import Coefficients, Minimum, minimise_each
from spikeweft.baselines.glm.binned_glm import BinnedGLM
from spikeweft.baselines.glm.needed_memory import needed_memory_mb
from spikeweft.baselines.glm.poisson_regression import (
    Curvature,
    Design,
    bins_within,
)
from spikeweft.baselines.glm.spike_history import SpikeHistory, raised_cosine_basis
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate, named_covariates
from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION, HISTORY_WINDOW_S, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import check_enough_neurons

RIDGES = (300.0, 30.0, 3.0, 0.3)
"""Ridges tried where none is given, from the stiffest, the quickest to fit, on."""

_WEAK_RIDGE = 0.1


class PoissonGLM(BinnedGLM):
    """Poisson GLM of every neuron's spikes given the spikes of all before (Pillow et al. 2008).

    The log rate of a neuron is a constant plus its own and all others' spike counts in the bins
    before, seen through filters that are free sums of raised cosines. A weight is the sum of its
    coupling filter over lags: the change of log rate that one presynaptic spike leaves, times the
    bins it lasts. It is fitted by penalised maximum likelihood; the problem is convex.

    Parameters
    ----------
    bin_s
        Bin width in seconds, rounded to a multiple of the time resolution. Finer bins resolve
        faster synapses and cost time in proportion.
    history_window_s
        How far the filters reach back.
    n_basis
        Raised cosines per filter.
    ridge
        Strength of the Gaussian prior on the area under each cosine of a coupling filter, the
        change of log rate times its duration, of standard deviation 5 ms/√ridge. Where none is
        given, the one of `RIDGES` that predicts the last tenth of the recording best from the
        rest is used, so that neurons with few spikes are not overfitted; the circuit is then
        fitted on all of it.
    covariates
        Names of covariates that also drive the neurons: angles as `n_harmonics` circular
        harmonics, others linearly, an event by all its bumps.
    n_harmonics
        Harmonics of each angle; 8 resolve tuning curves of about 20° half width.

    Attributes
    ----------
    coupling_filters_
        Change of log rate per spike, (post, pre, lag), the own history on the diagonal; the first
        lag is the bin just before.
    baseline_rate_hz_
        Rate of each neuron after a history window without any spike.
    bin_s_, ridge_
        Bin width and ridge used.
    n_iter_, converged_
        Iterations of the final fit, and whether each neuron came within the tolerance: a Newton
        decrement (gradient times step, by the curvature that the steps have shown) of 0.01 nats.
    """

    coupling_filters_: Float[np.ndarray, "post pre lag"]
    baseline_rate_hz_: Float[np.ndarray, " neuron"]

    def __init__(
        self,
        *,
        bin_s: float = 0.002,
        history_window_s: float = HISTORY_WINDOW_S,
        n_basis: int = 3,
        ridge: float | None = None,
        covariates: Sequence[str] = (),
        n_harmonics: int = 8,
    ) -> None:
        self.bin_s = bin_s
        self.history_window_s = history_window_s
        self.n_basis = n_basis
        self.ridge = ridge
        self.covariates = covariates
        self.n_harmonics = n_harmonics

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit of a recording; `y` is ignored (scikit-learn's convention).

        Raises
        ------
        InputError
            Where the recording has fewer than two neurons, no epoch longer than the history
            window or lacks a covariate, or where a setting makes no sense.
        """
        check_enough_neurons(X)
        self._check_settings()
        self.bin_s_ = self._whole_bin_s(X)
        self._history = SpikeHistory(self._basis())
        names = named_covariates(X.covariates, self.covariates)
        self._scale = {name: _location_and_spread(X, name) for name in names}
        self.null_rate_hz_ = X.rate_hz
        design = self._design(X)
        start, curvature = design.constant_rates(), Curvature.of(design)
        if self.ridge is None:
            self.ridge_, start = self._choose_ridge(X, start, curvature)
        else:
            self.ridge_ = float(self.ridge)
        self._keep(self._maximise(design, self.ridge_, start, curvature), X)
        return self

    def needed_memory_mb(self, X: Recording) -> float:
        """Memory in MiB that a fit takes beside what is in use already."""
        names = named_covariates(X.covariates, self.covariates)
        n_columns = (2 * self.n_harmonics if X.covariates[name].is_angle else 1 for name in names)
        n_bins = X.duration_s / self._whole_bin_s(X)
        return needed_memory_mb(X.n_neurons, n_bins, self.n_basis, sum(n_columns))

    def _check_settings(self) -> None:
        self._check_times()
        if self.ridge is not None and not 0 <= self.ridge < np.inf:
            raise InputError(f"a ridge of {self.ridge} is no penalty; choose 0 or more, or None")
        if self.n_harmonics < 1:
            raise InputError(f"n_harmonics is {self.n_harmonics}; choose 1 or more")

    def _basis(self) -> Float[np.ndarray, "lag basis"]:
        n_lags = bins_within(self.history_window_s, self.bin_s_)
        if not 1 <= self.n_basis <= n_lags:
            raise InputError(
                f"{self.n_basis} basis functions do not fit the {n_lags} bins of {self.bin_s_:g} s "
                f"in a history window of {self.history_window_s:g} s; choose between 1 and the "
                "number of bins, or a longer window"
            )
        return raised_cosine_basis(self.n_basis, n_lags, self.bin_s_)

    def _choose_ridge(
        self, X: Recording, start: Coefficients, curvature: Curvature
    ) -> tuple[float, Coefficients]:
        """The ridge that predicts the end of the recording best, and what it was fitted to."""
        early, late = split(X, BASELINE_VALIDATION_FRACTION)
        if any(len(scored_epochs(part, self.history_window_s)) == 0 for part in (early, late)):
            return RIDGES[0], start
        train, held_out = self._design(early), self._design(late)
        best_score, best_ridge, best = -np.inf, RIDGES[0], start
        for ridge in RIDGES:
            start = self._maximise(train, ridge, best, curvature).point
            score = held_out.log_likelihood(start)[0].sum().item()
            if not score > best_score:
                break
            best_score, best_ridge, best = score, ridge, start
        return best_ridge, best

    def _maximise(
        self, design: Design, ridge: float, start: Coefficients, curvature: Curvature
    ) -> Minimum:
        """Coefficients of highest penalised likelihood."""
        penalty, n_spikes = self._penalty(design, ridge), design.n_spikes

        def precondition(gradient: Coefficients) -> Coefficients:
            return curvature.newton_step(gradient, n_spikes, ridge)

        return minimise_each(design.penalised(penalty), precondition, start, n_spikes > 0)

    def _penalty(self, design: Design, ridge: float) -> Coefficients:
        """The ridge on couplings; next to none on own history and covariates, none on the rate."""
        n, n_basis = design.n_neurons, self._history.n_basis
        penalty = torch.full((n, design.n_features), min(ridge, _WEAK_RIDGE), dtype=torch.float64)
        other = ~torch.eye(n, dtype=torch.bool).repeat(1, n_basis)
        penalty[:, : n_basis * n][other] = ridge
        penalty[:, -1] = 0
        return penalty

    def _keep(self, fit: Minimum, X: Recording) -> None:
        basis, n = self._history.basis, X.n_neurons
        self._coefficients = fit.point
        self.baseline_rate_hz_ = np.exp(fit.point[:, -1].numpy())
        self.n_iter_, self.converged_ = fit.n_iter, fit.converged.numpy()
        coupling = fit.point[:, : basis.shape[1] * n].numpy().reshape(n, basis.shape[1], n)
        self.coupling_filters_ = np.einsum("lk,ikj->ijl", basis, coupling)
        weights = self.coupling_filters_.sum(2)
        np.fill_diagonal(weights, 0.0)
        self.connectivity_ = Connectivity(
            weights=weights,
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={
                "method": "Poisson GLM",
                "bin_s": self.bin_s_,
                "ridge": self.ridge_,
                **({"covariates": ", ".join(self.covariates)} if self.covariates else {}),
            },
        )

    def _design(self, X: Recording) -> Design:
        design = Design.of(X, self._history, self.bin_s_, self.history_window_s)
        return replace(design, covariates=self._covariate_features(X))

    def _covariate_features(self, X: Recording) -> Float[Tensor, "time covariate"]:
        binned = X.counts(self.bin_s_)
        middle_s = binned.start_s + binned.exposure_s / 2
        columns = [np.zeros((len(middle_s), 0))]
        for name, (location, spread) in self._scale.items():
            covariate = _covariate(X, name)
            value = covariate.at(middle_s)
            if covariate.is_angle:
                phase = value[:, None] * np.arange(1, self.n_harmonics + 1)
                columns += [np.cos(phase), np.sin(phase)]
            else:
                columns.append((value[:, None] - location) / spread)
        return torch.from_numpy(np.concatenate(columns, axis=1)).float()


def _covariate(X: Recording, name: str) -> Covariate:
    (found,) = named_covariates(X.covariates, [name])
    return X.covariates[found]


def _location_and_spread(X: Recording, name: str) -> tuple[float, float]:
    """Mean and standard deviation of a covariate, so that its coefficient has no unit."""
    values = _covariate(X, name).values
    if not np.all(np.isfinite(values)):
        raise InputError(f"covariate {name!r} holds values that are not finite; interpolate them")
    return float(values.mean()), float(values.std()) or 1.0
