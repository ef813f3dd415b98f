"""Poisson regressions with the direction among the causes: baselines, and quick weights.

The log rate of a neuron in a bin is a constant, plus circular harmonics of the direction, plus
exponential traces of its own and all others' spikes with two time constants. Each of the three
causes can be left out. A fit takes seconds, so controls can be repeated many times.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int
from scipy.signal import lfilter
from torch import Tensor

from spikeweft.baselines.glm.batched_lbfgs import minimise_each
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import covariate_columns
from spikeweft.data.recording import Recording
from spikeweft.evaluation.prediction import PredictionScore, bits_per_spike
from spikeweft.runtime.parallel import side_by_side

BIN_S = 0.01

TAUS_S = (0.02, 0.1)
"""Time constants of the traces."""

N_HARMONICS = 8

UNSCORED_S = 0.1
"""Start of each epoch that is neither fitted nor scored, because its past is unknown."""

_RIDGE = 1.0

_CHUNK = 16384

_FLATTEST = 1e-6

_NEGLIGIBLE = 1e-7

_N_DIRECTION_BINS = 120

_INFORMATION_BINS = 15000


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """What the rate of a neuron may depend on, beside a constant."""

    direction: bool = True
    own_spikes: bool = True
    others_spikes: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """A recording as these regressions see it.

    Attributes
    ----------
    columns
        Traces of all neurons at each time constant in turn, the direction's harmonics, and one.
    counts
        Spikes in each bin.
    exposure_s
        Length of each bin; zero where it is not scored.
    """

    columns: Float32[Tensor, "time column"]
    counts: Float32[Tensor, "time neuron"]
    exposure_s: Float32[Tensor, " time"]
    recording: Recording

    @property
    def n_neurons(self) -> int:
        """How many neurons there are."""
        return self.counts.shape[1]

    def allowed(self, causes: Causes) -> Bool[Tensor, "neuron column"]:
        """Which columns may move which neuron."""
        n = self.n_neurons
        own = torch.eye(n, dtype=torch.bool)
        traces = (own & causes.own_spikes) | (~own & causes.others_spikes)
        others = self.columns.shape[1] - len(TAUS_S) * n
        direction = torch.full((n, others), causes.direction)
        direction[:, -1] = True
        return torch.cat([*[traces] * len(TAUS_S), direction], dim=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Regression:
    """A fitted regression of all neurons.

    Attributes
    ----------
    coefficients
        One per column of the design; zero where a cause was left out.
    covariance
        Of each neuron's coefficients (inverse Fisher information).
    null_rate_hz
        Mean rates where it was fitted, the null of `score`.
    """

    causes: Causes
    coefficients: Float[np.ndarray, "neuron column"]
    covariance: Float[np.ndarray, "neuron column column"]
    null_rate_hz: Float[np.ndarray, " neuron"]

    def log_rate(self, design: Design) -> Float32[Tensor, "time neuron"]:
        """Logarithm of the rate in Hz in each bin."""
        theta = torch.from_numpy(self.coefficients).float()
        return torch.cat(side_by_side(lambda part: design.columns[part] @ theta.T, _chunks(design)))

    def score(self, design: Design) -> PredictionScore:
        """Bits per spike over `null_rate_hz`."""
        log_rate, exposure = self.log_rate(design), design.exposure_s[:, None]
        scored = design.counts * (exposure > 0)
        likelihood = (scored * log_rate - exposure * log_rate.exp()).sum(0, dtype=torch.float64)
        return bits_per_spike(
            likelihood.numpy(),
            scored.sum(0).round().long().numpy(),
            float(exposure.sum(dtype=torch.float64)),
            self.null_rate_hz,
        )

    def connectivity(self, design: Design) -> Connectivity:
        """Coupling of each pair: change of log rate times its duration, in seconds, per spike."""
        n = design.n_neurons
        area_s = [BIN_S / (1 - decay_per_bin(tau)) for tau in TAUS_S]
        weights = np.zeros((n, n))
        variance = np.zeros((n, n))
        for k, a in enumerate(area_s):
            weights += a * self.coefficients[:, k * n : (k + 1) * n]
            for m, b in enumerate(area_s):
                block = self.covariance[:, k * n : (k + 1) * n, m * n : (m + 1) * n]
                variance += a * b * np.einsum("ijj->ij", block)
        np.fill_diagonal(weights, 0.0)
        fired = self.null_rate_hz > 0
        known = fired[:, None] & fired[None, :]
        return Connectivity(
            weights=weights,
            neuron_ids=design.recording.neuron_ids,
            standard_error=np.where(known, np.sqrt(variance), np.inf),
            angle_rad=design.recording.preferred_angle_rad,
            metadata={
                "estimator": "Poisson regression",
                "unit": "change of the postsynaptic log rate times its duration (s)",
                "direction_among_causes": int(self.causes.direction),
            },
        )


def design_of(recording: Recording, angle: str | None, ahead_s: float = 0.0) -> Design:
    """Columns of a recording; without the direction's where no angle is named.

    The direction is that of `ahead_s` later.
    """
    binned = recording.counts(BIN_S)
    middle_s = binned.start_s + binned.exposure_s / 2
    direction = np.zeros((len(middle_s), 0))
    if angle is not None:
        direction = covariate_columns(
            recording.covariates[angle].at(middle_s + ahead_s),
            is_angle=True,
            n_harmonics=N_HARMONICS,
        )
    columns = [
        *(traces(binned.counts, binned.epoch, tau_s) for tau_s in TAUS_S),
        direction,
        np.ones((len(middle_s), 1)),
    ]
    since_s = binned.start_s - recording.epochs_s[binned.epoch, 0]
    exposure_s = np.where(since_s > UNSCORED_S - 1e-6, binned.exposure_s, 0.0)
    return Design(
        columns=torch.from_numpy(np.concatenate(columns, axis=1).astype(np.float32)),
        counts=torch.from_numpy(binned.counts.astype(np.float32)),
        exposure_s=torch.from_numpy(exposure_s.astype(np.float32)),
        recording=recording,
    )


def traces(
    counts: Int[np.ndarray, "time neuron"], epoch: Int[np.ndarray, " time"], tau_s: float
) -> Float[np.ndarray, "time neuron"]:
    """Decaying sums of the spikes in the bins before, from zero in every epoch."""
    starts = np.flatnonzero(np.diff(epoch, prepend=-1))
    summed = np.concatenate(
        [
            lfilter([0.0, 1.0], [1.0, -decay_per_bin(tau_s)], part, axis=0)
            for part in np.split(counts.astype(float), starts[1:])
        ]
    )
    # Values that have all but decayed would become denormal numbers, a hundred times slower.
    return np.where(summed > _NEGLIGIBLE, summed, 0.0)


def fit_regression(design: Design, causes: Causes) -> Regression:
    """Fit all neurons by maximum likelihood, with a prior that only matters for silent neurons."""
    allowed = design.allowed(causes)
    scored = design.counts * (design.exposure_s > 0)[:, None]
    n_spikes, exposure_s = scored.sum(0).double(), float(design.exposure_s.sum())
    start = torch.zeros(allowed.shape, dtype=torch.float64)
    start[:, -1] = torch.log(n_spikes.clamp(min=0.5) / exposure_s)
    if causes.direction:
        start = _tuning_alone(design, scored, start)
    inverse = _inverse_information(design, scored, allowed, start)
    fit = minimise_each(
        _objective(design, scored, allowed),
        lambda gradient: torch.einsum("ifg,ig->if", inverse, gradient),
        start,
        n_spikes > 0,
    )
    return Regression(
        causes=causes,
        coefficients=fit.point.numpy(),
        covariance=inverse.numpy(),
        null_rate_hz=(n_spikes / exposure_s).numpy(),
    )


def _tuning_alone(
    design: Design, scored: Float32[Tensor, "time neuron"], start: Float[Tensor, "neuron column"]
) -> Float[Tensor, "neuron column"]:
    """Coefficients of the direction alone, from bins pooled by direction, as a starting point."""
    n_traces = len(TAUS_S) * design.n_neurons
    phase = torch.atan2(design.columns[:, n_traces + N_HARMONICS], design.columns[:, n_traces])
    index = (
        ((phase / (2 * torch.pi) + 0.5) * _N_DIRECTION_BINS).long().clamp(max=_N_DIRECTION_BINS - 1)
    )
    centre = ((torch.arange(_N_DIRECTION_BINS) + 0.5) / _N_DIRECTION_BINS - 0.5) * 2 * torch.pi
    harmonics = covariate_columns(centre.numpy(), is_angle=True, n_harmonics=N_HARMONICS)
    together = torch.zeros(_N_DIRECTION_BINS, scored.shape[1]).index_add_(0, index, scored)
    exposure_s = torch.zeros(_N_DIRECTION_BINS).index_add_(0, index, design.exposure_s)
    columns = torch.cat(
        [torch.zeros(_N_DIRECTION_BINS, n_traces), torch.from_numpy(harmonics).float()], dim=1
    )
    few = Design(
        columns=torch.cat([columns, torch.ones(_N_DIRECTION_BINS, 1)], dim=1),
        counts=together,
        exposure_s=exposure_s,
        recording=design.recording,
    )
    allowed = few.allowed(Causes(own_spikes=False, others_spikes=False))
    inverse = _inverse_information(few, together, allowed, start)
    return minimise_each(
        _objective(few, together, allowed),
        lambda gradient: torch.einsum("ifg,ig->if", inverse, gradient),
        start,
        together.sum(0) > 0,
    ).point


def _objective(
    design: Design,
    scored: Float32[Tensor, "time neuron"],
    allowed: Bool[Tensor, "neuron column"],
) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    penalty = _penalty(allowed)

    def objective(point: Tensor) -> tuple[Tensor, Tensor]:
        single = point.float()

        def of_chunk(part: slice) -> tuple[Tensor, Tensor]:
            columns, spikes = design.columns[part], scored[part]
            log_rate = columns @ single.T
            expected = log_rate.exp() * design.exposure_s[part, None]
            value = (expected - spikes * log_rate).sum(0, dtype=torch.float64)
            return value, ((expected - spikes).T @ columns).double()

        values, gradients = zip(*side_by_side(of_chunk, _chunks(design)), strict=True)
        value = torch.stack(values).sum(0) + 0.5 * (penalty * point**2).sum(1)
        return value, (torch.stack(gradients).sum(0) + penalty * point) * allowed

    return objective


def _inverse_information(
    design: Design,
    scored: Float32[Tensor, "time neuron"],
    allowed: Bool[Tensor, "neuron column"],
    point: Float[Tensor, "neuron column"],
) -> Float[Tensor, "neuron column column"]:
    """Inverse Fisher information of the allowed coefficients.

    It is the mean of the observed information, at each spike, and of the information that the model
    at `point` expects, at every n-th bin.
    """
    penalty = _penalty(allowed)
    every = max(1, len(scored) // _INFORMATION_BINS)
    some = design.columns[::every]
    expected = design.exposure_s[::every, None] * (some @ point.float().T).exp() * every

    def of_neuron(neuron: int) -> Tensor:
        used = allowed[neuron]
        fired = torch.nonzero(scored[:, neuron])[:, 0]
        at = design.columns[fired][:, used]
        shown = at.T @ (scored[fired, neuron, None] * at)
        part = some[:, used]
        information = (shown + part.T @ (expected[:, neuron, None] * part)).double() / 2
        information += torch.diag(penalty[neuron, used] + _FLATTEST)
        inverse = torch.zeros(len(used), len(used), dtype=torch.float64)
        inverse[torch.outer(used, used)] = torch.linalg.inv(information).flatten()
        return inverse

    return torch.stack(side_by_side(of_neuron, range(design.n_neurons)))


def _penalty(allowed: Bool[Tensor, "neuron column"]) -> Float[Tensor, "neuron column"]:
    penalty = torch.full(allowed.shape, _RIDGE, dtype=torch.float64)
    penalty[:, -1] = 0.0
    return penalty


def _chunks(design: Design) -> list[slice]:
    n = len(design.counts)
    return [slice(i, min(i + _CHUNK, n)) for i in range(0, n, _CHUNK)]


def decay_per_bin(tau_s: float) -> float:
    """Factor by which a trace decays in one bin."""
    return float(np.exp(-BIN_S / tau_s))
