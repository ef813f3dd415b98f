"""The quadratic approximation of the likelihood in which pair networks are trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.circuit_gnn.spike_prediction.link_path import SharedDerivatives
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import Estimate

_RIDGE = 1e-3
_LEAST = 1e-9


class QuadraticLikelihood(NamedTuple):
    """Quadratic form of the negative log-likelihood around a point, one per postsynaptic neuron.

    The parameters of a neuron are its features' coefficients and, last, what all neurons share: the
    shape of the link, where it may change.
    """

    gradient: Float64[Tensor, "neuron parameter"]
    fisher: Float64[Tensor, "neuron parameter parameter"]
    n_shared: int = 0

    @classmethod
    def around(cls, estimate: Estimate, with_link: bool = False) -> "QuadraticLikelihood":
        """The form around an estimate, of neurons that decide.

        Networks share what they learn, so any other neuron counts for nothing here.

        Parameters
        ----------
        with_link
            Whether the shape of the link may change.
        """
        d, decides = estimate.derivatives, estimate.decides
        gradient, fisher, n_shared = d.gradient, d.fisher, 0
        if with_link:
            link = SharedDerivatives.of(estimate)
            gradient = np.concatenate([gradient, link.gradient], axis=1)
            across, n_shared = link.cross, link.gradient.shape[1]
            fisher = np.block([[fisher, across], [across.transpose(0, 2, 1), link.fisher]])
        gradient, fisher = gradient * decides[:, None], fisher * decides[:, None, None]
        return cls(torch.from_numpy(gradient), torch.from_numpy(fisher), n_shared)

    def with_prior_of_others(self, estimate: Estimate) -> "QuadraticLikelihood":
        """The form with the prior of what is not a weight: own history and covariates."""
        n_features = estimate.values.shape[1]
        other = ~estimate.is_weight & estimate.decides[:, None]
        gradient, fisher = self.gradient.clone(), self.fisher.clone()
        gradient[:, :n_features] -= torch.from_numpy(other * estimate.prior_gradient)
        precision = torch.from_numpy(other * estimate.prior_precision)
        fisher.diagonal(dim1=1, dim2=2)[:, :n_features] += precision
        return self._replace(gradient=gradient, fisher=fisher)

    def nats(self, change: Float64[Tensor, "neuron parameter"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the parameters change."""
        curved = torch.bmm(self.fisher, change[:, :, None])[:, :, 0]
        return (change * (0.5 * curved - self.gradient)).sum()


class ConditionalOptimum(NamedTuple):
    """Optimum of all other parameters, given a change d of the weights.

    Own history, covariates and bias of neuron i change by offset_i - by_weights_i·d_i - by_link_i·ψ
    and the link by ψ = link_offset - Σ_i link_by_weights_i·d_i.
    """

    offset: Float64[Tensor, "neuron parameter"]
    by_weights: Float64[Tensor, "neuron parameter pre"]
    by_link: Float64[Tensor, "neuron parameter shared"]
    link_offset: Float64[Tensor, " shared"]
    link_by_weights: Float64[Tensor, "neuron pre shared"]

    @classmethod
    def of(cls, form: QuadraticLikelihood, n_sources: int) -> "ConditionalOptimum":
        """Eliminate what is not a weight: of every neuron its own, then the link.

        The first `n_sources` parameters of a neuron are weights, but for that of its own trace.
        """
        n, p = form.gradient.shape
        own_end = p - form.n_shared
        weight = is_weight(n, p, n_sources)
        own = ~weight
        own[:, own_end:] = False
        curvature = torch.where(own[:, :, None] & own[:, None, :], form.fisher, 0.0)
        curvature += torch.diag_embed(torch.where(own, _RIDGE, 1.0).double())
        right = torch.cat([form.gradient[:, :, None], form.fisher], dim=2)
        solved = torch.linalg.solve(curvature, torch.where(own[:, :, None], right, 0.0))
        is_source = weight[:, :n_sources]
        offset, by_link = solved[:, :, 0], solved[:, :, 1 + own_end :]
        by_weights = solved[:, :, 1 : n_sources + 1] * is_source[:, None, :]
        to_link = form.fisher[:, :, own_end:]
        link_fisher = (to_link[:, own_end:] - to_link.mT @ by_link).sum(0)
        gradient = form.gradient[:, own_end:] - torch.einsum("ipl,ip->il", to_link, offset)
        link_by_weights = to_link[:, :n_sources] * is_source[:, :, None] - by_weights.mT @ to_link
        inverse = torch.linalg.pinv(link_fisher, hermitian=True)
        return cls(
            offset, by_weights, by_link, inverse @ gradient.sum(0), link_by_weights @ inverse
        )

    def link(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, " shared"]:
        """Change of the link when the weights between neurons change."""
        return self.link_offset - torch.einsum("ij,ijl->l", change, self.link_by_weights)

    def given(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every neuron when the weights between neurons change."""
        n, p = self.offset.shape
        link = self.link(change)
        optimum = self.offset - torch.bmm(self.by_weights, change[:, :, None])[:, :, 0]
        optimum = optimum - self.by_link @ link
        none = torch.zeros(n, p - change.shape[1] - len(link), dtype=torch.float64)
        return optimum + torch.cat([change, none, link.expand(n, len(link))], dim=1)


def is_weight(
    n_neurons: int, n_parameters: int, n_sources: int
) -> Bool[Tensor, "neuron parameter"]:
    """The parameters that are weights between two neurons."""
    entries = torch.zeros(n_neurons, n_parameters, dtype=torch.bool)
    entries[:, :n_sources] = ~torch.eye(n_neurons, n_sources, dtype=torch.bool)
    return entries


class WeightLikelihood(NamedTuple):
    """The quadratic form of the weights alone: all other parameters at their conditional optimum.

    Rise of the negative log-likelihood = Σ_i (½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ) - ½ |λ - Σ_i Lᵢdᵢ|², up to a
    constant; the last term is what the link gives back. It costs one product per neuron and step.
    """

    curvature: Float64[Tensor, "post pre pre"]
    slope: Float64[Tensor, "post pre"]
    link_slope: Float64[Tensor, " shared"]
    across: Float64[Tensor, "post pre shared"]

    @classmethod
    def of(
        cls, form: QuadraticLikelihood, others: ConditionalOptimum, n_sources: int
    ) -> "WeightLikelihood":
        """Put the conditional optimum of all else into the form."""
        p = form.gradient.shape[1]
        one = torch.eye(p, dtype=torch.float64)
        by_weights = one[:, :n_sources] - others.by_weights
        by_link = one[:, p - form.n_shared :] - others.by_link
        left = form.gradient - torch.einsum("ipq,iq->ip", form.fisher, others.offset)
        curved_by_link = form.fisher @ by_link
        size, vectors = torch.linalg.eigh((by_link.mT @ curved_by_link).sum(0))
        root = vectors * torch.where(size > _LEAST * size.abs().sum(), size, torch.inf).rsqrt()
        return cls(
            curvature=by_weights.mT @ form.fisher @ by_weights,
            slope=torch.einsum("ips,ip->is", by_weights, left),
            link_slope=torch.einsum("ipl,ip->l", by_link, left) @ root,
            across=by_weights.mT @ curved_by_link @ root,
        )

    def nats(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the weights change, up to a constant."""
        link = self.link_slope - torch.einsum("ij,ijl->l", change, self.across)
        of_weights = _QuadraticForm.apply(change, self.curvature, self.slope)
        return of_weights - 0.5 * link.square().sum()


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
