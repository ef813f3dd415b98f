"""The quadratic approximation of the likelihood in which pair networks are trained."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.circuit_gnn.spike_prediction.likelihood import Geometry

_RIDGE = 1e-3


class Metric(NamedTuple):
    """Quadratic form of the negative log-likelihood around a point, one per postsynaptic row.

    The parameters of a row are its features' coefficients and, last, the shared link's two.
    """

    gradient: Float64[Tensor, "neuron parameter"]
    fisher: Float64[Tensor, "neuron parameter parameter"]

    @classmethod
    def of(cls, geometry: Geometry) -> "Metric":
        """The form around the point at which the geometry was taken."""
        gradient = np.concatenate([geometry.gradient, geometry.link_gradient], axis=1)
        across = geometry.link_cross
        fisher = np.block(
            [[geometry.fisher, across], [across.transpose(0, 2, 1), geometry.link_fisher]]
        )
        return cls(torch.from_numpy(gradient), torch.from_numpy(fisher))

    def evened(self, n_sources: int) -> "Metric":
        """The same slope in the Euclidean metric, in which all weights are bent alike and alone.

        Their curvature is its mean over all weights; own history, bias and link keep theirs.
        """
        n, p = self.gradient.shape
        weight = _is_weight(n, p, n_sources)
        bend = self.fisher.diagonal(dim1=1, dim2=2)[weight].mean()
        apart = torch.where(~weight[:, :, None] & ~weight[:, None, :], self.fisher, 0.0)
        return Metric(self.gradient, apart + torch.diag_embed(weight * bend))

    def nats(self, change: Float64[Tensor, "neuron parameter"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the parameters change."""
        curved = torch.bmm(self.fisher, change[:, :, None])[:, :, 0]
        return (change * (0.5 * curved - self.gradient)).sum()


class Response(NamedTuple):
    """How all other parameters answer to a change d of the weights, at the training optimum.

    Own history and bias of row i answer with offset_i - pull_i·d_i - link_pull_i·ψ, and the link
    with ψ = link_offset - Σ_i link_weights_i·d_i. The link is damped, because the quadratic form
    holds only near the point where it was taken.
    """

    offset: Float64[Tensor, "neuron parameter"]
    pull: Float64[Tensor, "neuron parameter pre"]
    link_pull: Float64[Tensor, "neuron parameter 2"]
    link_offset: Float64[Tensor, " 2"]
    link_weights: Float64[Tensor, "neuron pre 2"]

    @classmethod
    def of(cls, metric: Metric, n_sources: int, link_damping: float) -> "Response":
        """Eliminate own history and bias of every row, then the link.

        The first `n_sources` parameters of a row are weights, but for that of its own trace.
        """
        n, p = metric.gradient.shape
        is_weight = _is_weight(n, p, n_sources)
        own = ~is_weight
        own[:, -2:] = False
        curvature = torch.where(own[:, :, None] & own[:, None, :], metric.fisher, 0.0)
        curvature += torch.diag_embed(torch.where(own, _RIDGE, 1.0).double())
        right = torch.cat([metric.gradient[:, :, None], metric.fisher], dim=2)
        solved = torch.linalg.solve(curvature, torch.where(own[:, :, None], right, 0.0))
        offset, link_pull = solved[:, :, 0], solved[:, :, -2:]
        is_source = is_weight[:, :n_sources]
        pull = solved[:, :, 1 : n_sources + 1] * is_source[:, None, :]
        to_link = metric.fisher[:, :, -2:]
        link_fisher = (to_link[:, -2:] - to_link.mT @ link_pull).sum(0)
        link_fisher += link_damping * torch.eye(2, dtype=torch.float64)
        link_gradient = (metric.gradient[:, -2:] - torch.einsum("ipl,ip->il", to_link, offset)).sum(
            0
        )
        link_weights = to_link[:, :n_sources] * is_source[:, :, None] - pull.mT @ to_link
        inverse = torch.linalg.inv(link_fisher)
        return cls(offset, pull, link_pull, inverse @ link_gradient, link_weights @ inverse)

    def link(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, " 2"]:
        """Change of the link when the weights between neurons change."""
        return self.link_offset - torch.einsum("ij,ijl->l", change, self.link_weights)

    def to(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every row when the weights between neurons change."""
        link = self.link(change)
        answer = self.offset - torch.bmm(self.pull, change[:, :, None])[:, :, 0]
        answer = answer - self.link_pull @ link
        n, n_sources = change.shape
        none = torch.zeros(n, answer.shape[1] - n_sources - 2, dtype=torch.float64)
        return answer + torch.cat([change, none, link.expand(n, 2)], dim=1)


def _is_weight(
    n_neurons: int, n_parameters: int, n_sources: int
) -> Bool[Tensor, "neuron parameter"]:
    """The parameters that are weights between two neurons."""
    entries = torch.zeros(n_neurons, n_parameters, dtype=torch.bool)
    entries[:, :n_sources] = ~torch.eye(n_neurons, n_sources, dtype=torch.bool)
    return entries


Loss = Callable[[Float64[Tensor, "post pre"]], Float64[Tensor, ""]]


"""Training loss of a change of the weights, in nats up to a constant."""


class WeightForm(NamedTuple):
    """The quadratic form of the weights alone: all other parameters answer as `Response` says.

    Rise of the negative log-likelihood = Σ_i (½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ + ψ·Lᵢdᵢ) + ½ ψ·Λψ - λ·ψ. It costs
    one product per row and step, where going through all parameters costs four wider ones.
    """

    curvature: Float64[Tensor, "post pre pre"]
    slope: Float64[Tensor, "post pre"]
    across: Float64[Tensor, "post pre 2"]
    link_curvature: Float64[Tensor, "2 2"]
    link_slope: Float64[Tensor, " 2"]
    response: Response

    @classmethod
    def of(cls, metric: Metric, response: Response, n_sources: int) -> "WeightForm":
        """Put the answers of own history and bias into the metric."""
        p = metric.gradient.shape[1]
        by_weights, by_link = -response.pull, -response.link_pull
        by_weights = by_weights + torch.eye(p, n_sources, dtype=torch.float64)
        by_link = by_link + torch.eye(p, dtype=torch.float64)[:, -2:]
        bent = metric.fisher @ by_weights
        bent_by_link = metric.fisher @ by_link
        left = metric.gradient - torch.einsum("ipq,iq->ip", metric.fisher, response.offset)
        return cls(
            curvature=by_weights.mT @ bent,
            slope=torch.einsum("ips,ip->is", by_weights, left),
            across=bent.mT @ by_link,
            link_curvature=(by_link.mT @ bent_by_link).sum(0),
            link_slope=torch.einsum("ipl,ip->l", by_link, left),
            response=response,
        )

    def nats(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the weights change, up to a constant."""
        link = self.response.link(change)
        with_link = torch.einsum("ijl,ij->l", self.across, change) - self.link_slope
        of_weights = _OfWeights.apply(change, self.curvature, self.slope)
        return of_weights + link @ (with_link + 0.5 * self.link_curvature @ link)


class _OfWeights(torch.autograd.Function):
    """Σ_i ½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ; its slope Kᵢdᵢ - hᵢ is at hand, so that no K is read twice."""

    @staticmethod
    def forward(ctx: Any, change: Tensor, curvature: Tensor, slope: Tensor) -> Tensor:
        bent = torch.bmm(curvature, change[:, :, None])[:, :, 0]
        ctx.save_for_backward(bent - slope)
        return (change * (0.5 * bent - slope)).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        (slope_here,) = ctx.saved_tensors
        return grad_outputs[0] * slope_here, None, None


def fisher_loss(training: Metric, n_sources: int, link_damping: float) -> Loss:
    """Rise of the negative log-likelihood, to which each weight counts as spikes inform it."""
    response = Response.of(training, n_sources, link_damping)
    return WeightForm.of(training, response, n_sources).nats
