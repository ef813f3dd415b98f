"""Fisher scoring: Newton-like steps of every neuron's parameters, and of the link they share."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Bool, Float

from spikeweft.circuit_gnn.spike_prediction.likelihood import LikelihoodDerivatives
from spikeweft.circuit_gnn.spike_prediction.link import POWER_RANGE, Link
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    Estimate,
    NeuronParameters,
    evaluate,
)
from spikeweft.circuit_gnn.spike_prediction.traces import TraceParts

_STEADY = 1e-6
_LEAST_DAMPING = 1e-9
_LARGEST_RATE_CHANGE = 2.0
_LARGEST_LINK_STEP = 1.0


class FisherScoring:
    """Steps up the penalised likelihood; a neuron that would become less likely stays."""

    def step(self, traces: TraceParts, estimate: Estimate) -> Estimate:
        """One step of every neuron's parameters at a fixed link."""
        gradient = estimate.derivatives.gradient - estimate.prior_gradient
        steps = self._solve(estimate, gradient) * estimate.step_length[:, None]
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
        """One step of the link and of all neurons, which must make the whole more likely."""
        change, values = self._joint_change(estimate)
        link = Link(estimate.link.power + change[0], estimate.link.log_gain + change[1])
        trial = evaluate(traces, replace(estimate.parameters, values=values, link=link))
        if not np.sum(trial.penalised - estimate.penalised) > 0:
            return replace(estimate, link_radius=estimate.link_radius / 4)
        return replace(trial, link_radius=min(2 * estimate.link_radius, _LARGEST_LINK_STEP))

    def sharpened(self, parameters: NeuronParameters, factor: float) -> NeuronParameters:
        """Bend the softplus more sharply relative to the drive, or less by a factor below one.

        High rates stay as they are.
        """
        link = parameters.link
        changed = replace(
            parameters,
            values=parameters.values * factor,
            link=Link(link.power, link.log_gain - link.power * float(np.log(factor))),
            precision=parameters.precision / factor**2,
        )
        return changed.with_careful_steps()

    def step_curvature(self, estimate: Estimate) -> Float[np.ndarray, "neuron feature feature"]:
        """What a step divides the slope by: both Fisher informations, and the prior's precision.

        Their sum, not their mean: where the model expects spikes and there are none, only one of
        them knows of any curvature.
        """
        return estimate.posterior_precision + estimate.derivatives.information

    def _joint_change(
        self, estimate: Estimate
    ) -> tuple[Float[np.ndarray, " 2"], Float[np.ndarray, "neuron feature"]]:
        """Solve the normal equations of all neurons, bordered by the link's."""
        d = estimate.derivatives
        free = self._solve(estimate, d.gradient - estimate.prior_gradient)
        response = np.stack([self._solve(estimate, d.link_cross[:, :, k]) for k in range(2)], 2)
        schur = d.link_fisher.sum(0) - np.einsum("ifa,ifb->ab", d.link_cross, response)
        score = d.link_gradient.sum(0) - np.einsum("ifa,if->a", d.link_cross, free)
        change = _bounded_link_change(schur, score, estimate)
        return change, estimate.values + _within_trust(free, d) - response @ change

    def _solve(
        self, estimate: Estimate, right: Float[np.ndarray, "neuron feature"]
    ) -> Float[np.ndarray, "neuron feature"]:
        """Apply the inverse of the damped curvature of each neuron."""
        curved = self.step_curvature(estimate)
        diagonal = np.einsum("iff->if", curved)
        diagonal += estimate.damping[:, None] * (diagonal + 1e-3)
        if estimate.weights_fixed:
            free = ~estimate.is_weight
            curved = np.where(free[:, :, None] & free[:, None, :], curved, np.eye(free.shape[1]))
            right = np.where(free, right, 0.0)
        solved = torch.linalg.solve(torch.from_numpy(curved), torch.from_numpy(right))
        return solved.numpy()


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
    squared = np.einsum("if,ifg,ig->i", steps, derivatives.fisher, steps)
    # A long step along which nothing changes may come out below zero by rounding.
    change = np.sqrt(np.maximum(squared / np.maximum(derivatives.n_spikes, 1), 0.0))
    return steps / np.maximum(1.0, change / _LARGEST_RATE_CHANGE)[:, None]


def _bounded_link_change(
    schur: Float[np.ndarray, "2 2"], score: Float[np.ndarray, " 2"], estimate: Estimate
) -> Float[np.ndarray, " 2"]:
    """Newton step of (power, log gain) within the link's radius and the range of powers."""
    damped, radius = schur + 1e-9 * np.eye(2), estimate.link_radius
    change = np.linalg.solve(damped, score)
    change *= min(1.0, radius / max(abs(change[0]), abs(change[1]), 1e-12))
    power = np.clip(estimate.link.power + change[0], *POWER_RANGE) - estimate.link.power
    if power != change[0]:
        gain = (score[1] - damped[1, 0] * power) / damped[1, 1]
        change = np.array([power, np.clip(gain, -radius, radius)])
    return change


def _choose(
    better: Bool[np.ndarray, " neuron"], new: LikelihoodDerivatives, old: LikelihoodDerivatives
) -> LikelihoodDerivatives:
    """The new derivatives of the neurons that improved, the old of the others."""

    def pick(name: str) -> np.ndarray:
        a, b = getattr(new, name), getattr(old, name)
        return np.where(better.reshape(-1, *[1] * (a.ndim - 1)), a, b)

    return LikelihoodDerivatives(**{name: pick(name) for name in LikelihoodDerivatives.__slots__})
