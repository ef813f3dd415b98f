"""The quadratic approximation of the likelihood in which pair networks are trained."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Int64
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
    fisher: Float32[Tensor, "neuron parameter parameter"]
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
        gradient, n = d.gradient, d.gradient.shape[1]
        link = SharedDerivatives.of(estimate) if with_link else None
        if link is not None:
            gradient = np.concatenate([gradient, link.gradient], axis=1)
        n_parameters = gradient.shape[1]
        fisher = np.empty((len(gradient), n_parameters, n_parameters), np.float32)
        fisher[:, :n, :n] = d.fisher
        if link is not None:
            fisher[:, :n, n:], fisher[:, n:, n:] = link.cross, link.fisher
            fisher[:, n:, :n] = link.cross.transpose(0, 2, 1)
        fisher[~decides] = 0.0
        gradient = torch.from_numpy(gradient * decides[:, None])
        return cls(gradient, torch.from_numpy(fisher), n_parameters - n)

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
        curved = torch.bmm(self.fisher, change[:, :, None].float())[:, :, 0].double()
        return (change * (0.5 * curved - self.gradient)).sum()


class OwnParameters(NamedTuple):
    """The parameters of a neuron that are neither weights nor shared: few, among many weights.

    They are its own history, covariates and bias. A hidden source is nobody's own trace, so that
    the first of a neuron's own parameters is its trace.
    """

    index: Int64[Tensor, "neuron own"]

    @classmethod
    def of(cls, form: QuadraticLikelihood, n_sources: int) -> "OwnParameters":
        """The entries that are not weights: a neuron's own trace, and all after the sources."""
        n, p = form.gradient.shape
        trace = torch.arange(n)[:, None]
        others = torch.arange(n_sources, p - form.n_shared).expand(n, -1)
        return cls(torch.cat([trace, others], dim=1))

    def rows(self, values: Tensor) -> Tensor:
        """The rows of each neuron's matrix that belong to its own parameters."""
        index = self.index[:, :, None].expand(-1, -1, values.shape[2])
        return values.gather(1, index)

    def entries(self, values: Tensor) -> Tensor:
        """The entries of each neuron's vector that belong to its own parameters."""
        return values.gather(1, self.index)

    def put(self, values: Tensor, n_parameters: int) -> Tensor:
        """Vectors that are zero but for each neuron's own parameters."""
        whole = torch.zeros(len(values), n_parameters, dtype=values.dtype)
        return whole.scatter(1, self.index, values)


class ConditionalOptimum(NamedTuple):
    """Optimum of all other parameters, given a change d of the weights.

    Own history, covariates and bias of neuron i change by offset_i - by_weights_i·d_i - by_link_i·ψ
    and the link by ψ = link_offset - Σ_i link_by_weights_i·d_i.
    """

    own: OwnParameters
    offset: Float64[Tensor, "neuron own"]
    by_weights: Float64[Tensor, "neuron own pre"]
    by_link: Float64[Tensor, "neuron own shared"]
    link_offset: Float64[Tensor, " shared"]
    link_by_weights: Float64[Tensor, "neuron pre shared"]

    @classmethod
    def of(cls, form: QuadraticLikelihood, n_sources: int) -> "ConditionalOptimum":
        """Eliminate what is not a weight: of every neuron its own, then the link.

        The first `n_sources` parameters of a neuron are weights, but for that of its own trace.
        """
        n, p = form.gradient.shape
        own, first_shared = OwnParameters.of(form, n_sources), p - form.n_shared
        is_source = is_weight(n, p, n_sources)[:, :n_sources]
        across = own.rows(form.fisher).double()
        curvature = own.rows(across.mT)
        curvature.diagonal(dim1=1, dim2=2).add_(_RIDGE)
        right = torch.cat([own.entries(form.gradient)[:, :, None], across], dim=2)
        solved = torch.linalg.solve(curvature, right)
        offset, by_link = solved[:, :, 0], solved[:, :, 1 + first_shared :]
        by_weights = solved[:, :, 1 : n_sources + 1] * is_source[:, None, :]
        to_link = form.fisher[:, :, first_shared:].double()
        own_to_link = own.rows(to_link)
        link_fisher = (to_link[:, first_shared:] - own_to_link.mT @ by_link).sum(0)
        gradient = form.gradient[:, first_shared:]
        gradient = gradient - torch.einsum("iol,io->il", own_to_link, offset)
        link_by_weights = to_link[:, :n_sources] * is_source[:, :, None]
        link_by_weights = link_by_weights - by_weights.mT @ own_to_link
        inverse = torch.linalg.pinv(link_fisher, hermitian=True)
        link_offset = inverse @ gradient.sum(0)
        return cls(own, offset, by_weights, by_link, link_offset, link_by_weights @ inverse)

    def link(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, " shared"]:
        """Change of the link when the weights between neurons change."""
        return self.link_offset - torch.einsum("ij,ijl->l", change, self.link_by_weights)

    def given(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every neuron when the weights between neurons change."""
        n, n_own = self.offset.shape
        link = self.link(change)
        optimum = self.offset - torch.bmm(self.by_weights, change[:, :, None])[:, :, 0]
        optimum = optimum - self.by_link @ link
        n_features = change.shape[1] + n_own - 1
        none = torch.zeros(n, n_features - change.shape[1], dtype=torch.float64)
        features = torch.cat([change, none], dim=1) + self.own.put(optimum, n_features)
        return torch.cat([features, link.expand(n, len(link))], dim=1)


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
    constant; the last term is what the link gives back. It costs one product per neuron and step,
    in single precision.
    """

    curvature: Float32[Tensor, "post pre pre"]
    slope: Float64[Tensor, "post pre"]
    link_slope: Float64[Tensor, " shared"]
    across: Float64[Tensor, "post pre shared"]
    n_alike: float = 1.0
    """How many postsynaptic neurons each one here stands for."""

    @classmethod
    def of(
        cls, form: QuadraticLikelihood, others: ConditionalOptimum, n_sources: int
    ) -> "WeightLikelihood":
        """Put the conditional optimum of all else into the form."""
        n, p = form.gradient.shape
        is_source, first_shared = is_weight(n, p, n_sources)[:, :n_sources], p - form.n_shared
        across = others.own.rows(form.fisher).double()
        own = others.own.rows(across.mT)
        to_weights = across[:, :, :n_sources] * is_source[:, None, :]
        # Of the products F_ww - F_wo B - (F_wo B)ᵀ + Bᵀ F_oo B all but the first are of low rank.
        half = to_weights - 0.5 * own @ others.by_weights
        low_rank = (others.by_weights.mT.float(), half.float())
        curvature = torch.baddbmm(form.fisher[:, :n_sources, :n_sources], *low_rank, alpha=-1.0)
        curvature.baddbmm_(low_rank[1].mT, low_rank[0].mT, alpha=-1.0)
        curvature *= is_source[:, :, None] & is_source[:, None, :]
        left = form.gradient - torch.einsum("iop,io->ip", across, others.offset)
        slope = left[:, :n_sources] * is_source
        left_of_own = others.own.entries(left)
        slope = slope - torch.einsum("ios,io->is", others.by_weights, left_of_own)
        to_link = form.fisher[:, :, first_shared:].double()
        by_link = to_link - across.mT @ others.by_link
        of_own = others.own.rows(by_link)
        curved = by_link[:, first_shared:] - others.by_link.mT @ of_own
        size, vectors = torch.linalg.eigh(curved.sum(0))
        root = vectors * torch.where(size > _LEAST * size.abs().sum(), size, torch.inf).rsqrt()
        link_slope = left[:, first_shared:]
        link_slope = link_slope - torch.einsum("iol,io->il", others.by_link, left_of_own)
        across_link = by_link[:, :n_sources] * is_source[:, :, None]
        across_link = across_link - others.by_weights.mT @ of_own
        return cls(
            curvature=curvature,
            slope=slope,
            link_slope=link_slope.sum(0) @ root,
            across=across_link @ root,
        )

    def of_rows(self, rows: Int64[Tensor, " row"]) -> "WeightLikelihood":
        """The same as some postsynaptic neurons tell, each of which stands for several.

        What the link gives back is a square of a sum over neurons, so it comes out larger by the
        scatter of that sum, about one in a hundred of it.
        """
        return self._replace(
            curvature=self.curvature[rows],
            slope=self.slope[rows],
            across=self.across[rows],
            n_alike=self.n_alike * len(self.slope) / len(rows),
        )

    def nats(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Rise of the negative log-likelihood when the weights change, up to a constant."""
        moved = self.n_alike * torch.einsum("ij,ijl->l", change, self.across)
        of_weights = self.n_alike * _QuadraticForm.apply(change, self.curvature, self.slope)
        return of_weights - 0.5 * (self.link_slope - moved).square().sum()


class _QuadraticForm(torch.autograd.Function):
    """Σ_i ½ dᵢ·Kᵢdᵢ - hᵢ·dᵢ; its slope Kᵢdᵢ - hᵢ is at hand, so that no K is read twice."""

    @staticmethod
    def forward(ctx: Any, change: Tensor, curvature: Tensor, slope: Tensor) -> Tensor:
        curved = torch.bmm(curvature, change[:, :, None].float())[:, :, 0].double()
        ctx.save_for_backward(curved - slope)
        return (change * (0.5 * curved - slope)).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        (slope_here,) = ctx.saved_tensors
        return grad_outputs[0] * slope_here, None, None
