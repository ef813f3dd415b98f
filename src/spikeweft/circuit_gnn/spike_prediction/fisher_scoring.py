"""Free weights: Fisher scoring of every postsynaptic row, together with the link they share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.spike_prediction.likelihood import Geometry, geometry
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.traces import TraceParts

POWER_RANGE = (1.0, 4.0)


"""Powers the link may take; from 1 on, every row has one maximum."""


_STEADY = 1e-6


_LEAST_DAMPING = 1e-9


_LARGEST_RATE_CHANGE = 2.0


_LARGEST_LINK_STEP = 1.0


_FIRST_LINK_STEP = 0.5


_NUISANCE_PRECISION = 1e-3


_FIRST_PRECISION = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFit:
    """Parameters of every row and the shared link, with the likelihood's geometry there."""

    rows: Float[np.ndarray, "neuron feature"]
    link: Link
    precision: float
    """Of the Gaussian prior of weights around the mean of their row, which is free."""

    geometry: Geometry
    damping: Float[np.ndarray, " neuron"]
    stride: Float[np.ndarray, " neuron"]
    n_sources: int
    """Columns that are neurons, observed or hidden; further columns are covariates."""

    link_radius: float = 1.0
    weights_fixed: bool = False
    step_curvature: "StepCurvature" = field(default_factory=lambda: full_curvature)
    """What a step divides the slope by."""

    @property
    def penalised(self) -> Float[np.ndarray, " neuron"]:
        """Log-likelihood of each row less its prior's penalty."""
        return self.geometry.log_likelihood - penalty(self.rows, self)


StepCurvature = Callable[[RowFit], Float[np.ndarray, "neuron feature feature"]]


"""Curvature of each row's penalised likelihood, as a step takes it to be."""


def start_rows(traces: TraceParts, link: Link, n_hidden: int = 0) -> RowFit:
    """No connection at all: every neuron fires at its mean rate."""
    n_neurons, n_features = traces.n_neurons, traces.n_features
    rate = (traces.n_spikes + 0.5) / (traces.exposure_s + 1.0)
    rows = np.zeros((n_neurons, n_features))
    rows[:, -1] = inverse_link(rate, link)
    return RowFit(
        rows=rows,
        link=link,
        precision=_FIRST_PRECISION,
        geometry=geometry(traces, rows, link),
        damping=np.ones(n_neurons),
        stride=np.ones(n_neurons),
        n_sources=n_neurons + n_hidden,
    )


def resume_rows(traces: TraceParts, fit: RowFit, *, damping: float = 1e-3) -> RowFit:
    """The same parameters on other data, or after they were changed: steps start carefully."""
    n_neurons = len(fit.rows)
    return replace(
        fit,
        geometry=geometry(traces, fit.rows, fit.link),
        damping=np.full(n_neurons, damping),
        stride=np.ones(n_neurons),
        link_radius=_FIRST_LINK_STEP,
    )


def inverse_link(rate_hz: Float[np.ndarray, " neuron"], link: Link) -> Float[np.ndarray, " neuron"]:
    """The drive at which the link gives a rate."""
    softplus = np.exp((np.log(rate_hz) - link.log_gain) / link.power)
    return softplus + np.log(-np.expm1(-softplus))


def row_step(traces: TraceParts, fit: RowFit) -> RowFit:
    """One step of every row at a fixed link; a row that would become less likely stays."""
    gradient = fit.geometry.gradient - pull(fit)
    steps = _within_trust(_solve(fit, gradient) * fit.stride[:, None], fit.geometry)
    rows = fit.rows + steps
    trial = geometry(traces, rows, fit.link)
    gain = trial.log_likelihood - penalty(rows, fit) - fit.penalised
    better = gain > -_STEADY
    promised = np.einsum("if,if->i", steps, gradient)
    damping = np.clip(np.where(better, fit.damping / 8, fit.damping * 8), _LEAST_DAMPING, 1e6)
    return replace(
        fit,
        rows=np.where(better[:, None], rows, fit.rows),
        geometry=_choose(better, trial, fit.geometry),
        damping=damping,
        stride=np.where(better, _better_stride(fit.stride, promised, gain), 1.0),
    )


def _better_stride(stride: np.ndarray, promised: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """The stride that would have gained most along the last step, were the likelihood a parabola.

    The Fisher information of the spikes overstates the curvature while the model is still wrong.
    """
    shortfall = np.maximum(promised - gain, 1e-3 * np.abs(promised) + 1e-9)
    return np.clip(stride * promised / (2 * shortfall), 0.7, 3.0)


def link_step(traces: TraceParts, fit: RowFit) -> RowFit:
    """One joint step of the link and of all rows, which must make the whole more likely."""
    change, rows = _joint_step(fit)
    link = Link(fit.link.power + change[0], fit.link.log_gain + change[1])
    trial = geometry(traces, rows, link)
    gain = np.sum(trial.log_likelihood - penalty(rows, fit) - fit.penalised)
    if not gain > 0:
        return replace(fit, link_radius=fit.link_radius / 4)
    radius = min(2 * fit.link_radius, _LARGEST_LINK_STEP)
    return replace(fit, rows=rows, link=link, geometry=trial, link_radius=radius)


def _joint_step(fit: RowFit) -> tuple[np.ndarray, np.ndarray]:
    """Solve the normal equations of the rows, bordered by the link's."""
    g = fit.geometry
    free = _solve(fit, g.gradient - pull(fit))
    response = np.stack([_solve(fit, g.link_cross[:, :, k]) for k in range(2)], axis=2)
    schur = g.link_fisher.sum(0) - np.einsum("ifa,ifb->ab", g.link_cross, response)
    score = g.link_gradient.sum(0) - np.einsum("ifa,if->a", g.link_cross, free)
    change = _bounded_link_change(schur, score, fit)
    return change, fit.rows + _within_trust(free, g) - response @ change


def _solve(fit: RowFit, right: Float[np.ndarray, "neuron feature"]) -> np.ndarray:
    """Apply the inverse of the damped curvature of each row."""
    curved = fit.step_curvature(fit)
    diagonal = np.einsum("iff->if", curved)
    diagonal += fit.damping[:, None] * (diagonal + 1e-3)
    if fit.weights_fixed:
        free = ~is_weight(fit.rows, fit.n_sources)
        curved = np.where(free[:, :, None] & free[:, None, :], curved, np.eye(free.shape[1]))
        right = np.where(free, right, 0.0)
    solved = torch.linalg.solve(torch.from_numpy(curved), torch.from_numpy(right))
    return solved.numpy()


def curvature(fit: RowFit) -> Float[np.ndarray, "neuron feature feature"]:
    """Fisher information of each row and the precision of its prior."""
    return with_prior(fit.geometry.information, fit)


def full_curvature(fit: RowFit) -> Float[np.ndarray, "neuron feature feature"]:
    """The sum of both Fisher informations, and the prior's precision.

    Not their mean: where the model expects spikes and there are none, only one of them knows of any
    curvature.
    """
    return curvature(fit) + fit.geometry.information


def with_prior(
    curved: Float[np.ndarray, "neuron feature feature"], fit: RowFit
) -> Float[np.ndarray, "neuron feature feature"]:
    """Add the prior's precision to an information, in place."""
    weight = is_weight(fit.rows, fit.n_sources)
    np.einsum("iff->if", curved)[:] += np.where(weight, fit.precision, _NUISANCE_PRECISION)
    n = fit.n_sources
    together = weight[:, :n, None] & weight[:, None, :n]
    curved[:, :n, :n] -= together * (fit.precision / (n - 1))
    return curved


def is_weight(
    rows: Float[np.ndarray, "neuron feature"], n_sources: int
) -> Bool[np.ndarray, "neuron feature"]:
    """The entries that are weights between neurons, not own history, covariates or bias."""
    entries = np.zeros(rows.shape, dtype=bool)
    entries[:, :n_sources] = True
    np.fill_diagonal(entries, False)
    return entries


def pull(fit: RowFit) -> Float[np.ndarray, "neuron feature"]:
    """Slope of the prior's penalty."""
    return _precision(fit.rows, fit) * _deviation(fit.rows, fit)


def _within_trust(steps: np.ndarray, g: Geometry) -> np.ndarray:
    """Shorten steps that would change the log rate at a row's spikes by more than one, rms."""
    squared = np.einsum("if,ifg,ig->i", steps, g.fisher, steps) / np.maximum(g.n_spikes, 1)
    # A long step along which nothing changes may come out below zero by rounding.
    change = np.sqrt(np.maximum(squared, 0.0))
    return steps / np.maximum(1.0, change / _LARGEST_RATE_CHANGE)[:, None]


def _bounded_link_change(schur: np.ndarray, score: np.ndarray, fit: RowFit) -> np.ndarray:
    """Newton step of (power, log gain) within the link's radius and the range of powers."""
    damped = schur + 1e-9 * np.eye(2)
    change = np.linalg.solve(damped, score)
    change *= min(1.0, fit.link_radius / max(abs(change[0]), abs(change[1]), 1e-12))
    low, high = POWER_RANGE
    power = np.clip(fit.link.power + change[0], low, high) - fit.link.power
    if power != change[0]:
        gain = (score[1] - damped[1, 0] * power) / damped[1, 1]
        change = np.array([power, np.clip(gain, -fit.link_radius, fit.link_radius)])
    return change


def penalty(rows: Float[np.ndarray, "neuron feature"], fit: RowFit) -> Float[np.ndarray, " neuron"]:
    """Negative log prior density of each row under the fit's prior, up to a constant."""
    return 0.5 * np.sum(_precision(rows, fit) * _deviation(rows, fit) ** 2, axis=1)


def _precision(rows: np.ndarray, fit: RowFit) -> np.ndarray:
    return np.where(is_weight(rows, fit.n_sources), fit.precision, _NUISANCE_PRECISION)


def _deviation(rows: np.ndarray, fit: RowFit) -> np.ndarray:
    """Distance of each weight from the mean of its row, of other entries from zero.

    The row's mean has no prior: it takes what the spikes say about all weights together, so that
    weights about which they say nothing each are like those about which they do. Nor has the bias.
    """
    weight = is_weight(rows, fit.n_sources)
    mean = np.sum(rows, axis=1, where=weight) / (fit.n_sources - 1)
    distance = np.where(weight, rows - mean[:, None], rows)
    distance[:, -1] = 0.0
    return distance


def weight_variance(fit: RowFit) -> Float[np.ndarray, "post pre"]:
    """Posterior variance of every free weight (Laplace), given the link.

    It is infinite in the row of a neuron that never fires, or never hears another: nothing informs
    it, and a prior around the row's own mean leaves that mean open.
    """
    covariance, singular = torch.linalg.inv_ex(torch.from_numpy(curvature(fit)))
    informed = (fit.geometry.n_spikes > 0) & (singular.numpy() == 0)
    variance = np.einsum("iff->if", covariance.numpy())[:, : fit.n_sources]
    return np.where(informed[:, None], variance, np.inf)


def estimate_precision(fit: RowFit) -> float:
    """Empirical Bayes: the prior's precision under which the weights are typical (MacKay 1992)."""
    entries = is_weight(fit.rows, fit.n_sources)[:, : fit.n_sources]
    deviation = _deviation(fit.rows, fit)[:, : fit.n_sources][entries]
    if not deviation.any():  # no step has been taken yet, so they say nothing of their spread
        return fit.precision
    return float(np.sum(np.maximum(determined(fit)[entries], 1e-6)) / np.sum(deviation**2))


def determined(fit: RowFit) -> Float[np.ndarray, "post pre"]:
    """How far spikes determine each weight, from 0, its prior alone, to 1 (MacKay 1992, γ)."""
    return np.clip(1.0 - fit.precision * weight_variance(fit), 0.0, 1.0)


def sharpen(traces: TraceParts, fit: RowFit, factor: float) -> RowFit:
    """Bend the softplus more sharply relative to the drive, leaving high rates as they are."""
    rows = fit.rows * factor
    link = Link(fit.link.power, fit.link.log_gain - fit.link.power * float(np.log(factor)))
    precision = fit.precision / factor**2
    return resume_rows(traces, replace(fit, rows=rows, link=link, precision=precision))


class LinkRule(NamedTuple):
    """What a fit may do with the link that all neurons share.

    Attributes
    ----------
    starts
        Powers from which the fit starts, each with the nats by which the log gain is below the mean
        log rate there.
    step
        A step of all rows and, where it may move, of the link.
    bend
        A change of the link's bend by a factor.
    dampings
        How stiffly the link answers to changed weights, in nats per spike; held-out spikes choose.
    """

    starts: Mapping[float, float]
    step: Callable[[TraceParts, RowFit], RowFit]
    bend: Callable[[TraceParts, RowFit, float], RowFit]
    dampings: tuple[float, ...]


LEARNED_LINK = LinkRule(
    starts={1.0: 0.5, 2.5: 1.85},
    step=link_step,
    bend=sharpen,
    # The quadratic form overstates how far a link with a sharp bend should move.
    dampings=(0.004, 0.04),
)


"""A power of a softplus, of which both and the gain are learned."""


def _choose(better: Bool[np.ndarray, " neuron"], new: Geometry, old: Geometry) -> Geometry:
    """The new geometry of the rows that improved, the old of the others."""

    def pick(name: str) -> np.ndarray:
        a, b = getattr(new, name), getattr(old, name)
        return np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return Geometry(**{name: pick(name) for name in Geometry.__slots__})
