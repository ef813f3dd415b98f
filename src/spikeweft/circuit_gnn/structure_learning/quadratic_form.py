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

    The parameters of a neuron are its features' coefficients and, last, the shared link's two.
    """

    gradient: Float64[Tensor, "neuron parameter"]
    fisher: Float64[Tensor, "neuron parameter parameter"]

    @classmethod
    def around(cls, derivatives: LikelihoodDerivatives) -> "QuadraticLikelihood":
        """The form around the point at which the derivatives were taken."""
        gradient = np.concatenate([derivatives.gradient, derivatives.link_gradient], axis=1)
        across = derivatives.link_cross
        fisher = np.block(
            [[derivatives.fisher, across], [across.transpose(0, 2, 1), derivatives.link_fisher]]
        )
        return cls(torch.from_numpy(gradient), torch.from_numpy(fisher))

    def nats(self, change: Float64[Tensor, "neuron parameter"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the parameters change."""
        curved = torch.bmm(self.fisher, change[:, :, None])[:, :, 0]
        return (change * (0.5 * curved - self.gradient)).sum()


class ConditionalOptimum(NamedTuple):
    """Optimum of all other parameters, given a change d of the weights.

    Own history and bias of neuron i change by offset_i - by_weights_i·d_i - by_link_i·ψ, and the
    link by ψ = link_offset - Σ_i link_by_weights_i·d_i. The link is damped, because the quadratic
    form holds only near the point where it was taken.
    """

    offset: Float64[Tensor, "neuron parameter"]
    by_weights: Float64[Tensor, "neuron parameter pre"]
    by_link: Float64[Tensor, "neuron parameter 2"]
    link_offset: Float64[Tensor, " 2"]
    link_by_weights: Float64[Tensor, "neuron pre 2"]

    @classmethod
    def of(
        cls, form: QuadraticLikelihood, n_sources: int, link_damping: float
    ) -> "ConditionalOptimum":
        """Eliminate own history and bias of every neuron, then the link.

        The first `n_sources` parameters of a neuron are weights, but for that of its own trace.
        """
        n, p = form.gradient.shape
        weight = is_weight(n, p, n_sources)
        own = ~weight
        own[:, -2:] = False
        curvature = torch.where(own[:, :, None] & own[:, None, :], form.fisher, 0.0)
        curvature += torch.diag_embed(torch.where(own, _RIDGE, 1.0).double())
        right = torch.cat([form.gradient[:, :, None], form.fisher], dim=2)
        solved = torch.linalg.solve(curvature, torch.where(own[:, :, None], right, 0.0))
        offset, by_link = solved[:, :, 0], solved[:, :, -2:]
        is_source = weight[:, :n_sources]
        by_weights = solved[:, :, 1 : n_sources + 1] * is_source[:, None, :]
        to_link = form.fisher[:, :, -2:]
        link_fisher = (to_link[:, -2:] - to_link.mT @ by_link).sum(0)
        link_fisher += link_damping * torch.eye(2, dtype=torch.float64)
        link_gradient = (form.gradient[:, -2:] - torch.einsum("ipl,ip->il", to_link, offset)).sum(0)
        link_by_weights = to_link[:, :n_sources] * is_source[:, :, None] - by_weights.mT @ to_link
        inverse = torch.linalg.inv(link_fisher)
        return cls(offset, by_weights, by_link, inverse @ link_gradient, link_by_weights @ inverse)

    def link(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, " 2"]:
        """Change of the link when the weights between neurons change."""
        return self.link_offset - torch.einsum("ij,ijl->l", change, self.link_by_weights)

    def given(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every neuron when the weights between neurons change."""
        link = self.link(change)
        optimum = self.offset - torch.bmm(self.by_weights, change[:, :, None])[:, :, 0]
        optimum = optimum - self.by_link @ link
        n, n_sources = change.shape
        none = torch.zeros(n, optimum.shape[1] - n_sources - 2, dtype=torch.float64)
        return optimum + torch.cat([change, none, link.expand(n, 2)], dim=1)


def is_weight(
    n_neurons: int, n_parameters: int, n_sources: int
) -> Bool[Tensor, "neuron parameter"]:
    """The parameters that are weights between two neurons."""
    entries = torch.zeros(n_neurons, n_parameters, dtype=torch.bool)
    entries[:, :n_sources] = ~torch.eye(n_neurons, n_sources, dtype=torch.bool)
    return entries


class WeightLikelihood(NamedTuple):
    """The quadratic form of the weights alone: all other parameters at their conditional optimum.

    Rise of the negative log-likelihood = Σ_i (½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ + ψ·Lᵢdᵢ) + ½ ψ·Λψ - λ·ψ. It costs
    one product per neuron and step, where going through all parameters costs four wider ones.
    """

    curvature: Float64[Tensor, "post pre pre"]
    slope: Float64[Tensor, "post pre"]
    across: Float64[Tensor, "post pre 2"]
    link_curvature: Float64[Tensor, "2 2"]
    link_slope: Float64[Tensor, " 2"]
    others: ConditionalOptimum

    @classmethod
    def of(
        cls, form: QuadraticLikelihood, others: ConditionalOptimum, n_sources: int
    ) -> "WeightLikelihood":
        """Put the conditional optimum of own history and bias into the form."""
        p = form.gradient.shape[1]
        by_weights = torch.eye(p, n_sources, dtype=torch.float64) - others.by_weights
        by_link = torch.eye(p, dtype=torch.float64)[:, -2:] - others.by_link
        curved = form.fisher @ by_weights
        curved_by_link = form.fisher @ by_link
        left = form.gradient - torch.einsum("ipq,iq->ip", form.fisher, others.offset)
        return cls(
            curvature=by_weights.mT @ curved,
            slope=torch.einsum("ips,ip->is", by_weights, left),
            across=curved.mT @ by_link,
            link_curvature=(by_link.mT @ curved_by_link).sum(0),
            link_slope=torch.einsum("ipl,ip->l", by_link, left),
            others=others,
        )

    def nats(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the weights change, up to a constant."""
        link = self.others.link(change)
        with_link = torch.einsum("ijl,ij->l", self.across, change) - self.link_slope
        of_weights = _QuadraticForm.apply(change, self.curvature, self.slope)
        return of_weights + link @ (with_link + 0.5 * self.link_curvature @ link)


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
