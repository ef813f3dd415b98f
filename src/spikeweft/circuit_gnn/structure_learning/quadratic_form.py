"""The quadratic approximation of the likelihood in which pair networks are trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.circuit_gnn.spike_prediction.likelihood import LikelihoodDerivatives

_RIDGE = 1e-3


class QuadraticLikelihood(NamedTuple):
    """Quadratic form of the negative log-likelihood around a point, one per postsynaptic neuron.

    The parameters of a neuron are its features' coefficients; the link stays as it is.
    """

    gradient: Float64[Tensor, "neuron parameter"]
    fisher: Float64[Tensor, "neuron parameter parameter"]

    @classmethod
    def around(
        cls, derivatives: LikelihoodDerivatives, decides: Bool[np.ndarray, " neuron"]
    ) -> "QuadraticLikelihood":
        """The form around the point at which the derivatives were taken, of neurons that decide.

        Networks share what they learn, so any other neuron counts for nothing here.
        """
        gradient = derivatives.gradient * decides[:, None]
        fisher = derivatives.fisher * decides[:, None, None]
        return cls(torch.from_numpy(gradient), torch.from_numpy(fisher))

    def nats(self, change: Float64[Tensor, "neuron parameter"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the parameters change."""
        curved = torch.bmm(self.fisher, change[:, :, None])[:, :, 0]
        return (change * (0.5 * curved - self.gradient)).sum()


class ConditionalOptimum(NamedTuple):
    """Optimum of all other parameters of a neuron, given a change d of its weights.

    Own history, covariates and bias of neuron i change by offset_i - by_weights_i·d_i.
    """

    offset: Float64[Tensor, "neuron parameter"]
    by_weights: Float64[Tensor, "neuron parameter pre"]

    @classmethod
    def of(cls, form: QuadraticLikelihood, n_sources: int) -> "ConditionalOptimum":
        """Eliminate what is not a weight.

        The first `n_sources` parameters of a neuron are weights, but for that of its own trace.
        """
        n, p = form.gradient.shape
        weight = is_weight(n, p, n_sources)
        own = ~weight
        curvature = torch.where(own[:, :, None] & own[:, None, :], form.fisher, 0.0)
        curvature += torch.diag_embed(torch.where(own, _RIDGE, 1.0).double())
        right = torch.cat([form.gradient[:, :, None], form.fisher[:, :, :n_sources]], dim=2)
        solved = torch.linalg.solve(curvature, torch.where(own[:, :, None], right, 0.0))
        by_weights = solved[:, :, 1:] * weight[:, None, :n_sources]
        return cls(solved[:, :, 0], by_weights)

    def given(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every neuron when the weights between neurons change."""
        optimum = self.offset - torch.bmm(self.by_weights, change[:, :, None])[:, :, 0]
        n_others = optimum.shape[1] - change.shape[1]
        return optimum + torch.nn.functional.pad(change, (0, n_others))


def is_weight(
    n_neurons: int, n_parameters: int, n_sources: int
) -> Bool[Tensor, "neuron parameter"]:
    """The parameters that are weights between two neurons."""
    entries = torch.zeros(n_neurons, n_parameters, dtype=torch.bool)
    entries[:, :n_sources] = ~torch.eye(n_neurons, n_sources, dtype=torch.bool)
    return entries


class WeightLikelihood(NamedTuple):
    """The quadratic form of the weights alone: all other parameters at their conditional optimum.

    Rise of the negative log-likelihood = Σ_i (½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ), up to a constant. It costs one
    product per neuron and step.
    """

    curvature: Float64[Tensor, "post pre pre"]
    slope: Float64[Tensor, "post pre"]

    @classmethod
    def of(
        cls, form: QuadraticLikelihood, others: ConditionalOptimum, n_sources: int
    ) -> "WeightLikelihood":
        """Put the conditional optimum of own history and bias into the form."""
        p = form.gradient.shape[1]
        by_weights = torch.eye(p, n_sources, dtype=torch.float64) - others.by_weights
        left = form.gradient - torch.einsum("ipq,iq->ip", form.fisher, others.offset)
        return cls(
            curvature=by_weights.mT @ form.fisher @ by_weights,
            slope=torch.einsum("ips,ip->is", by_weights, left),
        )

    def nats(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the weights change, up to a constant."""
        return _QuadraticForm.apply(change, self.curvature, self.slope)


class _QuadraticForm(torch.autograd.Function):
    """Σ_i ½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ; its slope Kᵢdᵢ - hᵢ is at hand, so that no K is read twice."""

    @staticmethod
    def forward(ctx: Any, change: Tensor, curvature: Tensor, slope: Tensor) -> Tensor:
        curved = torch.bmm(curvature, change[:, :, None])[:, :, 0]
        ctx.save_for_backward(curved - slope)
        return (change * (0.5 * curved - slope)).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        (slope_here,) = ctx.saved_tensors
        return grad_outputs[0] * slope_here, None, None
