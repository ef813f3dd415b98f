"""Fisher scoring: Newton-like steps of every neuron's parameters, and of the link they share."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64

from spikeweft.circuit_gnn.spike_prediction.likelihood import (
    LikelihoodDerivatives,
    log_likelihood,
)
from spikeweft.circuit_gnn.spike_prediction.link_path import (
    LinkPath,
    SharedDerivatives,
    bounded_newton_step,
)
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    Estimate,
    NeuronParameters,
    evaluate,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import TraceParts
from spikeweft.runtime.parallel import side_by_side
from spikeweft.runtime.positive_definite import solved

_STEADY = 1e-6
_LEAST_DAMPING = 1e-9
_LARGEST_RATE_CHANGE = 2.0
LARGEST_LINK_STEP = 1.0
"""The farthest that a step moves the link; after a step that failed it goes less far."""

_LENGTHS = (1.0, 2.0, 4.0)


class FisherScoring:
    """Steps up the penalised likelihood; a neuron that would become less likely stays."""

    def step(self, traces: TraceParts, estimate: Estimate) -> Estimate:
        """One step of every neuron's parameters at a fixed link."""
        gradient = estimate.derivatives.gradient - estimate.prior_gradient
        curvature = partial(self.step_curvature, estimate)
        steps = self._solve(estimate, curvature, gradient[:, :, None])[:, :, 0]
        steps *= estimate.step_length[:, None]
        steps = _within_trust(steps, estimate.derivatives)
        trial = evaluate(traces, replace(estimate.parameters, values=estimate.values + steps))
        gain = trial.penalised - estimate.penalised
        better = gain > -_STEADY
        promised = np.einsum("if,if->i", steps, gradient)
        length = _better_length(estimate.step_length, promised, gain)
        damping = np.where(better, estimate.damping / 8, estimate.damping * 8)
        return replace(
            estimate,
            values=np.where(better[:, None], trial.values, estimate.values),
            derivatives=_choose(better, trial.derivatives, estimate.derivatives),
            damping=np.clip(damping, _LEAST_DAMPING, 1e6),
            step_length=np.where(better, length, 1.0),
        )

    def joint_step(self, traces: TraceParts, estimate: Estimate) -> Estimate:
        """One step of the link and of all neurons, which must raise the evidence.

        It goes as far along its path as the likelihood rises.
        """
        if not estimate.is_possible:
            return replace(estimate, link_radius=estimate.link_radius / 4)
        path = self._joint_path(estimate)
        reached, length = estimate.shared_penalised, 0.0
        for further in _LENGTHS:
            nats = _shared_penalised(traces, path.at(further))
            if not nats > reached:
                break
            reached, length = nats, further
        if length > 0.0:
            radius = min(2 * estimate.link_radius, LARGEST_LINK_STEP)
            trial = evaluate(traces, replace(path.at(length), link_radius=radius))
            if trial.log_evidence() > estimate.log_evidence():
                return trial
        return replace(estimate, link_radius=estimate.link_radius / 4)

    def step_curvature(
        self, estimate: Estimate, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """What a step divides the slope by: both Fisher informations, and the prior's precision.

        Their sum, not their mean: where the model expects spikes and there are none, only one of
        them knows of any curvature.
        """
        return estimate.with_prior(estimate.derivatives.both_informations(neurons), neurons)

    def _joint_path(self, estimate: Estimate) -> LinkPath:
        """Solve the normal equations of all neurons, bordered by those of what they share."""
        d, decides, shared = estimate.derivatives, estimate.decides, SharedDerivatives.of(estimate)
        slope = d.gradient - estimate.prior_gradient
        slopes = np.concatenate([slope[:, :, None], shared.cross], axis=2)
        solved = self._solve(estimate, partial(_of_spikes, estimate), slopes)
        free, response = solved[:, :, 0], solved[:, :, 1:]
        curvature = shared.fisher - np.einsum("ifa,ifb->iab", shared.cross, response)
        slope = shared.gradient - np.einsum("ifa,if->ia", shared.cross, free)
        step = bounded_newton_step(curvature[decides].sum(0), slope[decides].sum(0), estimate)
        return LinkPath.along(estimate, step, _within_trust(free, d) - response @ step)

    def _solve(
        self,
        estimate: Estimate,
        curvature: Callable[[slice], Float64[np.ndarray, "neuron feature feature"]],
        right: Float[np.ndarray, "neuron feature column"],
    ) -> Float64[np.ndarray, "neuron feature column"]:
        """Apply the inverse of the damped curvature of each neuron."""

        def solve(neurons: slice) -> Float64[np.ndarray, "neuron feature column"]:
            curved, pushed = curvature(neurons), right[neurons]
            diagonal = np.einsum("iff->if", curved)
            diagonal += estimate.damping[neurons, None] * (diagonal + 1e-3)
            if estimate.weights_fixed:
                curved = estimate.without_fixed(curved, neurons)
                pushed = np.where(estimate.is_weight[neurons, :, None], 0.0, pushed)
            return solved(torch.from_numpy(curved), torch.from_numpy(pushed)).numpy()

        return np.concatenate(side_by_side(solve, estimate.batches))


def _of_spikes(estimate: Estimate, neurons: slice) -> Float64[np.ndarray, "neuron feature feature"]:
    """Information that spikes show, and the prior's precision."""
    return estimate.with_prior(estimate.derivatives.fisher[neurons].astype(np.float64), neurons)


def _better_length(
    length: Float[np.ndarray, " neuron"],
    promised: Float[np.ndarray, " neuron"],
    gain: Float[np.ndarray, " neuron"],
) -> Float[np.ndarray, " neuron"]:
    """The length that would have gained most along the last step, were the likelihood a parabola.

    The Fisher information of the spikes overstates the curvature while the model is still wrong.
    """
    shortfall = np.maximum(promised - gain, 1e-3 * np.abs(promised) + 1e-9)
    return np.clip(length * promised / (2 * shortfall), 0.7, 3.0)


def _within_trust(
    steps: Float[np.ndarray, "neuron feature"], derivatives: LikelihoodDerivatives
) -> Float[np.ndarray, "neuron feature"]:
    """Shorten steps that change the log rate at a neuron's spikes by more than two, rms."""
    curved = (derivatives.fisher @ steps.astype(np.float32)[:, :, None])[:, :, 0]
    squared = np.einsum("if,if->i", steps, curved)
    # A long step along which nothing changes may come out below zero by rounding.
    change = np.sqrt(np.maximum(squared / np.maximum(derivatives.n_spikes, 1), 0.0))
    return steps / np.maximum(1.0, change / _LARGEST_RATE_CHANGE)[:, None]


def _shared_penalised(traces: TraceParts, parameters: NeuronParameters) -> float:
    """Penalised log-likelihood of the neurons that decide what all share."""
    values, link = parameters.values, parameters.link
    nats = log_likelihood(traces, values, link, in_dead_time=False)
    return float((nats - parameters.penalty(parameters.values))[parameters.decides].sum())


def _choose(
    better: Bool[np.ndarray, " neuron"], new: LikelihoodDerivatives, old: LikelihoodDerivatives
) -> LikelihoodDerivatives:
    """The new derivatives, in which the neurons that did not improve get back their old ones."""
    worse = ~better
    for name in LikelihoodDerivatives.__slots__:
        if worse.any() and name != "n_spikes":
            getattr(new, name)[worse] = getattr(old, name)[worse]
    return new
