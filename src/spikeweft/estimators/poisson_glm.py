"""Poisson GLM with free coupling filters: the yardstick that everybody uses today."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimators.base import SpikePredictor, check_enough_neurons
from spikeweft.filters import SpikeHistory, raised_cosine_basis
from spikeweft.recording import Covariate, Recording, SpikeCounts
from spikeweft.threads import side_by_side
from spikeweft.windows import scored_epochs

RIDGES = (300.0, 30.0, 3.0, 0.3)
"""Ridges tried where none is given, from the stiffest, the quickest to fit, on."""

_WEAK_RIDGE = 0.1
_HELD_OUT = 0.1
_CHUNK = 8192
_N_PIECES = 16
_CURVATURE_BYTES = 2**28
_SPIKES_PER_FEATURE = 50
_N_CORRECTIONS = 15
_MAX_ITER = 300
_TOLERANCE_NATS = 0.01
_SHORTEST_STEP = 1e-6
_FLATTEST = 1e-9
_ROUNDING = 1e-6

Rows = Float[Tensor, "neuron feature"]
Objective = Callable[[Rows], tuple[Float[Tensor, " neuron"], Rows]]


class PoissonGLM(SpikePredictor):
    """Poisson GLM of every neuron's spikes given the spikes of all before (Pillow et al. 2008).

    The log rate of a neuron is a constant plus its own and all others' spike counts in the bins
    before, seen through filters that are free sums of raised cosines. A weight is the sum of its
    coupling filter over lags: the change of log rate that one presynaptic spike leaves, times the
    bins it lasts. It is fitted by penalised maximum likelihood; the problem is convex.

    Parameters
    ----------
    bin_s
        Bin width in seconds, made a whole number of the recording's ticks. Finer bins resolve
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
        harmonics, others linearly.
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
        history_window_s: float = 0.1,
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
        self.bin_s_ = X.tick_s * max(1, round(self.bin_s / X.tick_s))
        self._history = SpikeHistory(self._basis())
        self._scale = {name: _location_and_spread(X, name) for name in self.covariates}
        self.null_rate_hz_ = X.rate_hz
        bins = self._bins(X)
        start, curvature = bins.constant_rates(), _Curvature.of(bins)
        if self.ridge is None:
            self.ridge_, start = self._choose_ridge(X, start, curvature)
        else:
            self.ridge_ = float(self.ridge)
        self._keep(self._maximise(bins, self.ridge_, start, curvature), X)
        return self

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time.

        The rate is constant within a bin. A neuron that never fired in the fit is given the rate
        of half a spike in all.

        Raises
        ------
        InputError
            Where the recording has other neurons, lacks a covariate, or nothing can be scored.
        """
        self.check_fitted(X)
        return self._bins(X).log_likelihood(self._coefficients)[0].numpy()

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        In the first history window of an epoch, whose past is not known, it is the mean rate.

        Raises
        ------
        InputError
            Where the recording has other neurons or lacks a covariate.
        """
        self.check_fitted(X)
        bins = self._bins(X)
        rate_hz = np.where(
            bins.exposure_s.numpy()[:, None] > 0,
            bins.rates_hz(self._coefficients).numpy(),
            self.null_rate_hz_,
        )
        return _integrate(rate_hz, X.counts(self.bin_s_).exposure_s, X.counts(bin_s).exposure_s)

    def _check_settings(self) -> None:
        for name, time_s in (("bin", self.bin_s), ("history window", self.history_window_s)):
            if not 0 < time_s < np.inf:
                raise InputError(f"a {name} of {time_s} s holds no spikes; choose one above 0 s")
        if self.ridge is not None and not 0 <= self.ridge < np.inf:
            raise InputError(f"a ridge of {self.ridge} is no penalty; choose 0 or more, or None")
        if self.n_harmonics < 1:
            raise InputError(f"n_harmonics is {self.n_harmonics}; choose 1 or more")

    def _basis(self) -> Float[np.ndarray, "lag basis"]:
        n_lags = int(self.history_window_s / self.bin_s_ + _ROUNDING)
        if not 1 <= self.n_basis <= n_lags:
            raise InputError(
                f"{self.n_basis} basis functions do not fit the {n_lags} bins of {self.bin_s_:g} s "
                f"in a history window of {self.history_window_s:g} s; choose between 1 and the "
                "number of bins, or a longer window"
            )
        return raised_cosine_basis(self.n_basis, n_lags, self.bin_s_)

    def _choose_ridge(
        self, X: Recording, start: Rows, curvature: "_Curvature"
    ) -> tuple[float, Rows]:
        """The ridge that predicts the end of the recording best, and what it was fitted to."""
        early, late = X.between(0.0, 1.0 - _HELD_OUT), X.between(1.0 - _HELD_OUT, 1.0)
        if any(len(scored_epochs(part, self.history_window_s)) == 0 for part in (early, late)):
            return RIDGES[0], start
        train, held_out = self._bins(early), self._bins(late)
        best_score, best_ridge, best = -np.inf, RIDGES[0], start
        for ridge in RIDGES:
            start = self._maximise(train, ridge, best, curvature).point
            score = held_out.log_likelihood(start)[0].sum().item()
            if score <= best_score:
                break
            best_score, best_ridge, best = score, ridge, start
        return best_ridge, best

    def _maximise(
        self, bins: "_Bins", ridge: float, start: Rows, curvature: "_Curvature"
    ) -> "Minimum":
        """Coefficients of highest penalised likelihood."""
        penalty, n_spikes = self._penalty(bins, ridge), bins.n_spikes

        def objective(point: Rows) -> tuple[Float[Tensor, " neuron"], Rows]:
            value, gradient = bins.log_likelihood(point)
            return 0.5 * (penalty * point**2).sum(1) - value, penalty * point - gradient

        def precondition(gradient: Rows) -> Rows:
            return curvature.newton_step(gradient, n_spikes, ridge)

        return minimise_rows(objective, precondition, start, n_spikes > 0)

    def _penalty(self, bins: "_Bins", ridge: float) -> Rows:
        """The ridge on couplings; next to none on own history and covariates, none on the rate."""
        n, n_basis = bins.n_neurons, self._history.n_basis
        penalty = torch.full((n, bins.n_features), min(ridge, _WEAK_RIDGE), dtype=torch.float64)
        other = ~torch.eye(n, dtype=torch.bool).repeat(1, n_basis)
        penalty[:, : n_basis * n][other] = ridge
        penalty[:, -1] = 0
        return penalty

    def _keep(self, fit: "Minimum", X: Recording) -> None:
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
            metadata={"method": "Poisson GLM", "bin_s": self.bin_s_, "ridge": self.ridge_},
        )

    def _bins(self, X: Recording) -> "_Bins":
        epochs_s = scored_epochs(X, self.history_window_s)
        if len(epochs_s) == 0:
            raise InputError(
                f"no epoch is longer than the history window of {self.history_window_s:g} s; use "
                "longer epochs or a shorter window"
            )
        scored = X.restrict(epochs_s)
        target = replace(
            X, spike_times_s=scored.spike_times_s, spike_neurons=scored.spike_neurons
        ).counts(self.bin_s_)
        known_from_s = X.epochs_s[target.epoch, 0] + self.history_window_s
        exposure_s = target.exposure_s - np.maximum(known_from_s - target.start_s, 0.0)
        exposure_s[exposure_s < _ROUNDING * self.bin_s_] = 0.0
        return _Bins(
            history=self._history,
            counts=X.counts(self.bin_s_).counts,
            spikes=target.counts,
            exposure_s=torch.from_numpy(exposure_s),
            covariates=self._covariate_features(X, target),
        )

    def _covariate_features(
        self, X: Recording, binned: SpikeCounts
    ) -> Float[Tensor, "time covariate"]:
        middle_s = binned.start_s + binned.exposure_s / 2
        columns = [np.zeros((len(middle_s), 0))]
        for name, (location, spread) in self._scale.items():
            value = _covariate(X, name).at(middle_s)
            if _covariate(X, name).is_angle:
                phase = value[:, None] * np.arange(1, self.n_harmonics + 1)
                columns += [np.cos(phase), np.sin(phase)]
            else:
                columns.append((value[:, None] - location) / spread)
        return torch.from_numpy(np.concatenate(columns, axis=1)).float()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bins:
    """A recording as the GLM sees it; only the scored part of a bin counts as exposure."""

    history: SpikeHistory
    counts: Int[np.ndarray, "time neuron"]
    spikes: Int[np.ndarray, "time neuron"]
    exposure_s: Float[Tensor, " time"]
    covariates: Float[Tensor, "time covariate"]

    @property
    def n_neurons(self) -> int:
        return self.counts.shape[1]

    @property
    def n_features(self) -> int:
        return self.n_neurons * self.history.n_basis + self.covariates.shape[1] + 1

    @property
    def n_spikes(self) -> Float[Tensor, " neuron"]:
        return torch.from_numpy(self.spikes.sum(0)).double()

    def constant_rates(self) -> Rows:
        """Coefficients of the mean rates; half a spike in all for a neuron that never fired."""
        coefficients = torch.zeros(self.n_neurons, self.n_features, dtype=torch.float64)
        coefficients[:, -1] = torch.log(self.n_spikes.clamp(min=0.5) / self.exposure_s.sum())
        return coefficients

    @property
    def chunks(self) -> list[slice]:
        """Stretches of bins whose design matrix fits into memory, which as a whole would not."""
        edges = [*range(0, len(self.counts), _CHUNK), len(self.counts)]
        return [slice(*pair) for pair in pairwise(edges)]

    def features(self, part: slice) -> Float[Tensor, "bin feature"]:
        """Design matrix of some bins."""
        past = self.history(self.counts, part.start, part.stop)
        return torch.cat([past, self.covariates[part], torch.ones(len(past), 1)], dim=1)

    def log_likelihood(self, coefficients: Rows) -> tuple[Float[Tensor, " neuron"], Rows]:
        """Log-likelihood of each neuron in nats and its gradient, summed in double precision."""
        single = coefficients.float()

        def of_chunk(part: slice) -> tuple[Tensor, Tensor]:
            features = self.features(part)
            log_rate = features @ single.T
            spikes = torch.from_numpy(self.spikes[part]).float()
            expected = self.exposure_s[part, None].float() * torch.exp(log_rate)
            value = (spikes * log_rate - expected).sum(0, dtype=torch.float64)
            return value, ((spikes - expected).T @ features).double()

        def of_pile(pile: list[slice]) -> tuple[Tensor, Tensor]:
            value, gradient = of_chunk(pile[0])
            for part in pile[1:]:
                more_value, more_gradient = of_chunk(part)
                value += more_value
                gradient += more_gradient
            return value, gradient

        values, gradients = zip(*side_by_side(of_pile, _deal(self.chunks)), strict=True)
        return torch.stack(values).sum(0), torch.stack(gradients).sum(0)

    def rates_hz(self, coefficients: Rows) -> Float[Tensor, "time neuron"]:
        """Rate in each bin, whether its past is known or not."""
        single = coefficients.float()
        rates = side_by_side(lambda part: torch.exp(self.features(part) @ single.T), self.chunks)
        return torch.cat(rates)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Curvature:
    """Fisher information per spike of each neuron's coefficients, in its eigenvectors.

    For the exponential link it is, at the optimum of a model that is right, the mean outer product
    of the features at a neuron's spikes: known before the fit. Where neurons are so many that all
    matrices would not fit into memory, neighbours share one.
    """

    groups: list[slice]
    power: Float[Tensor, "group feature"]
    axes: Float[Tensor, "group feature feature"]

    @classmethod
    def of(cls, bins: _Bins) -> Self:
        """Curvature at as many spikes as it takes to be a good guide, from all of the recording."""
        groups = _groups(bins.n_neurons, bins.n_features)
        spikes_needed = _SPIKES_PER_FEATURE * bins.n_features * len(groups)
        stride = max(1, int(bins.n_spikes.sum() / spikes_needed))
        moment, n_spikes = _moments_at_spikes(bins, groups, bins.chunks[::stride])
        of_all = moment.sum(0) / n_spikes.sum().clamp(min=1)
        few = bins.n_features  # a neuron with fewer spikes leans on the others'

        def eigenvectors(group: int) -> tuple[Tensor, Tensor]:
            mean = (moment[group] + few * of_all) / (n_spikes[group] + few)
            return tuple(torch.linalg.eigh(mean.double()))

        power, axes = zip(*side_by_side(eigenvectors, range(len(groups))), strict=True)
        return cls(groups=groups, power=torch.stack(power), axes=torch.stack(axes))

    def newton_step(self, gradient: Rows, n_spikes: Float[Tensor, " neuron"], ridge: float) -> Rows:
        """Gradient over curvature, of neurons with so many spikes under a ridge."""
        step = torch.empty_like(gradient)
        for members, power, axes in zip(self.groups, self.power, self.axes, strict=True):
            floor = power.clamp(min=_FLATTEST * float(power[-1]))
            curvature = n_spikes[members, None].clamp(min=1) * floor + ridge
            step[members] = (gradient[members] @ axes / curvature) @ axes.T
        # Rounding shall not connect a neuron that never fires.
        return torch.where(gradient == 0, 0.0, step)


class Minimum(NamedTuple):
    """Where `minimise_rows` came to rest."""

    point: Rows
    converged: Bool[Tensor, " neuron"]
    n_iter: int


class _Correction(NamedTuple):
    """A step of every row, the change of gradient along it, and 1 over their product."""

    step: Rows
    change: Rows
    inverse_curvature: Float[Tensor, " neuron"]


def minimise_rows(
    objective: Objective,
    precondition: Callable[[Rows], Rows],
    start: Rows,
    free: Bool[Tensor, " neuron"],
) -> Minimum:
    """Minimise independent convex functions, one per row, side by side by L-BFGS.

    One product of matrices serves all rows, yet each row steps and stops on its own: a step that
    does not lower its function is not taken and the next is shorter. A row is done once its
    Newton decrement, about twice its function above the minimum, is below 0.01. Rows that are
    not `free` stay where they start.
    """
    point, moving, converged = start, free, ~free
    value, gradient = objective(point)
    length = torch.ones_like(value)
    corrections: list[_Correction] = []
    for n_iter in range(_MAX_ITER):
        direction = -_inverse_hessian_product(gradient, corrections, precondition)
        converged = converged | (-(gradient * direction).sum(1) < _TOLERANCE_NATS)
        moving = moving & ~converged & (length > _SHORTEST_STEP)
        if not moving.any():
            return Minimum(point, converged, n_iter)
        step = torch.where(moving[:, None], length[:, None] * direction, 0.0)
        new_value, new_gradient = objective(point + step)
        better = moving & (new_value < value)
        corrections.append(_correction(step, new_gradient - gradient, better))
        del corrections[:-_N_CORRECTIONS]
        point = torch.where(better[:, None], point + step, point)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        value = torch.where(better, new_value, value)
        length = torch.where(better, 1.0, torch.where(moving, 0.3 * length, length))
    return Minimum(point, converged, _MAX_ITER)


def _correction(step: Rows, change: Rows, taken: Bool[Tensor, " neuron"]) -> _Correction:
    curvature = (step * change).sum(1)
    used = taken & (curvature > 0)
    return _Correction(
        torch.where(used[:, None], step, 0.0),
        torch.where(used[:, None], change, 0.0),
        torch.where(used, 1 / curvature, 0.0),
    )


def _inverse_hessian_product(
    gradient: Rows, corrections: Sequence[_Correction], precondition: Callable[[Rows], Rows]
) -> Rows:
    """The two loops of L-BFGS (Nocedal 1980), for all rows at once."""
    product, along = gradient, []
    for step, change, inverse_curvature in reversed(corrections):
        along.append((inverse_curvature * (step * product).sum(1))[:, None])
        product = product - along[-1] * change
    product = precondition(product)
    for (step, change, inverse_curvature), seen in zip(corrections, reversed(along), strict=True):
        found = (inverse_curvature * (change * product).sum(1))[:, None]
        product = product + (seen - found) * step
    return product


def _groups(n_neurons: int, n_features: int) -> list[slice]:
    """Neighbouring neurons, in as many groups as there may be matrices."""
    n_groups = min(n_neurons, max(1, _CURVATURE_BYTES // (8 * n_features**2)))
    edges = np.linspace(0, n_neurons, n_groups + 1).round().astype(int).tolist()
    return [slice(*pair) for pair in pairwise(edges)]


class _Moments(NamedTuple):
    """Sums over each group's spikes: of the outer products of the features there, and of 1."""

    moment: Float[Tensor, "group feature feature"]
    n_spikes: Float[Tensor, " group"]


def _moments_at_spikes(bins: _Bins, groups: list[slice], chunks: list[slice]) -> _Moments:
    n_features = bins.n_features
    sums = _Moments(torch.zeros(len(groups), n_features, n_features), torch.zeros(len(groups)))
    for part in chunks:
        _add_moments(sums, bins.features(part), torch.from_numpy(bins.spikes[part]), groups)
    return sums


def _add_moments(
    sums: _Moments,
    features: Float[Tensor, "bin feature"],
    spikes: Int[Tensor, "bin neuron"],
    groups: list[slice],
) -> None:
    def add(group: int) -> None:
        of_group = spikes[:, groups[group]].sum(1).float()
        fired = torch.nonzero(of_group)[:, 0]
        at_spikes = features[fired]
        sums.moment[group].addmm_(at_spikes.T, of_group[fired, None] * at_spikes)
        sums.n_spikes[group] += of_group.sum()

    side_by_side(add, range(len(groups)))


def _deal(chunks: list[slice]) -> list[list[slice]]:
    """Chunks in a few piles, so that few sums are kept, the same on any number of processors."""
    return [pile for first in range(_N_PIECES) if (pile := chunks[first::_N_PIECES])]


def _covariate(X: Recording, name: str) -> Covariate:
    if name not in X.covariates:
        known = ", ".join(X.covariates) or "none"
        raise InputError(
            f"the recording has no covariate {name!r}; choose among those it has: {known}"
        )
    return X.covariates[name]


def _location_and_spread(X: Recording, name: str) -> tuple[float, float]:
    """Mean and standard deviation of a covariate, so that its coefficient has no unit."""
    values = _covariate(X, name).values
    if not np.all(np.isfinite(values)):
        raise InputError(f"covariate {name!r} holds values that are not finite; interpolate them")
    return float(values.mean()), float(values.std()) or 1.0


def _integrate(
    rate_hz: Float[np.ndarray, "time neuron"],
    from_exposure_s: Float[np.ndarray, " time"],
    to_exposure_s: Float[np.ndarray, " other_time"],
) -> Float[np.ndarray, "other_time neuron"]:
    """Expected counts in other bins, of a rate that is constant within bins of the same epochs."""
    edge_s = np.concatenate([[0.0], np.cumsum(from_exposure_s)])
    counted = np.cumsum(rate_hz * from_exposure_s[:, None], axis=0)
    counted = np.vstack([np.zeros_like(counted[:1]), counted])
    new_edge_s = np.clip(np.concatenate([[0.0], np.cumsum(to_exposure_s)]), 0.0, edge_s[-1])
    bin_ = np.clip(np.searchsorted(edge_s, new_edge_s, side="right") - 1, 0, len(rate_hz) - 1)
    expected = counted[bin_] + rate_hz[bin_] * (new_edge_s - edge_s[bin_])[:, None]
    return np.diff(expected, axis=0)
