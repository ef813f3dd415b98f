"""Structure learning: weights between neurons from embeddings, learned in the Fisher metric.

As in the paper, w_ij is a function of the embeddings of two neurons, shared by all pairs. Two
things differ. Embeddings of raw spike trains cannot tell apart neurons of co-active bumps, so they
start from the leading eigenvectors of the free weights and are then learned. And the network
learns from the likelihood's quadratic form around the current prediction model, in which every
weight counts as far as the spikes inform it, while each row's history and bias and the shared link
respond as they would in a joint fit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.pairs import Embedding, PairModel, PairNetwork, spectral_embedding
from spikeweft.prediction import Geometry

_RIDGE = 1e-3
WARM_UP_STEPS = 300
"""Steps in which a network imitates the free weights."""

N_HIDDEN_UNITS = 64
"""Units of each of a pair network's two hidden layers."""

_CHECK_EVERY = 25
_LEARNING_RATE = 3e-3
_WEIGHT_DECAY_NATS = 10.0


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


def euclidean_loss(training: Metric, n_sources: int, link_damping: float) -> Loss:
    """The same as if the spikes informed all weights alike: least squares around a plain step."""
    return fisher_loss(training.evened(n_sources), n_sources, link_damping)


class Learning(NamedTuple):
    """How a network is learned: where embeddings start, what reads them, and what it descends."""

    start: Callable[[np.ndarray, int, bool, torch.Generator], Embedding] = spectral_embedding
    pair_model: Callable[[int, int, bool, torch.Generator], PairModel] = PairNetwork
    loss: Callable[[Metric, int, float], Loss] = fisher_loss


WHOLE_LEARNING = Learning()
"""That of the method, with nothing left out."""


class Known(NamedTuple):
    """What is known of the weights beforehand: those found free, and how far spikes tell them.

    A weight of which spikes tell nothing is taken to be like those of its row of which they tell
    little: at the edge of what is known, the network is continued evenly.
    """

    weights: Float64[Tensor, "post pre"]
    determined: Float64[Tensor, "post pre"]
    precision: float

    def imitation(self, weights: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Squared distance from the free weights where these are determined."""
        return (self.determined * (weights - self.weights).square()).sum()

    def penalty(self, weights: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Negative log prior of the weights that are not determined, around the edge's mean."""
        edge = (self.determined * (1.0 - self.determined)) ** 2 + 1e-6
        center = (edge * weights).sum(1) / edge.sum(1)
        away = (weights - center[:, None]).square()
        away = away * ~torch.eye(*away.shape, dtype=torch.bool)
        return 0.5 * self.precision * ((1.0 - self.determined) * away).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFit:
    """Weights that a pair network has learned, and what it takes to make them again."""

    weights: Float[np.ndarray, "post pre"]
    embedding: Embedding
    network: dict[str, np.ndarray]
    held_out_nats: float
    """Rise of the held-out negative log-likelihood over the linearisation point."""


class Task(NamedTuple):
    """What networks learn from: weights known beforehand, and what spikes say about others.

    Embeddings of hidden neurons are mixed from those of observed ones by `hidden_mix`.
    """

    known: Known
    training: Metric
    held_out: Metric
    hidden_mix: Float[np.ndarray, "hidden observed"]


class Form(NamedTuple):
    """What a network is like, and how stiffly the link answers to it."""

    n_dimensions: int
    directed: bool
    link_damping: float


def fit_structure(
    task: Task,
    form: Form,
    *,
    n_steps: int,
    rng: torch.Generator,
    learning: Learning = WHOLE_LEARNING,
) -> StructureFit:
    """Learn a pair network around free weights, keeping what predicts held-out spikes best.

    The network first imitates the free weights by least squares, then descends the training
    metric. The held-out metric only says when to stop. The rows of hidden neurons follow from the
    network alone.
    """
    pupil = _Pupil(task, form, learning, rng)
    known, n_pairs = task.known, task.known.weights.numel()
    n_sources = known.weights.shape[1]
    response = Response.of(task.training, n_sources, form.link_damping)
    loss_of = learning.loss(task.training, n_sources, form.link_damping)

    def imitation() -> Tensor:
        now = pupil.weights()
        continued = 2 * known.penalty(now) / known.precision / n_pairs
        return 10 * (known.imitation(now) / n_pairs + continued) / pupil.unit**2

    def loss() -> Tensor:
        now = pupil.weights()
        decay = sum(layer.weight.square().sum() for layer in pupil.network.layers)
        nats = loss_of(now - known.weights) + known.penalty(now)
        return (nats + 0.5 * _WEIGHT_DECAY_NATS * decay) / 1e3

    def watch() -> None:
        with torch.no_grad():
            change = response.to(pupil.weights() - known.weights)
        pupil.keep_if_better(float(task.held_out.nats(change)))

    _descend(pupil.parameters, imitation, WARM_UP_STEPS)
    watch()
    _descend(pupil.parameters, loss, n_steps, watch)
    return pupil.best()


class _Pupil:
    """A network with its embedding while it learns, and the best that it has been."""

    def __init__(self, task: Task, form: Form, learning: Learning, rng: torch.Generator) -> None:
        known = task.known.weights
        self._n_observed = len(known)
        self._mix = torch.from_numpy(task.hidden_mix.astype(np.float32))
        start = learning.start(
            known[:, : len(known)].numpy(), form.n_dimensions, form.directed, rng
        )
        self.unit = float(known.square().mean().sqrt()) or 1.0
        self.network = learning.pair_model(form.n_dimensions, N_HIDDEN_UNITS, form.directed, rng)
        receiver = start.receiver.clone().requires_grad_()
        sender = start.sender.clone().requires_grad_() if form.directed else receiver
        self._embedding = Embedding(receiver, sender)
        self._best = _Best(float("inf"), {}, self._embedding)

    @property
    def parameters(self) -> list[Tensor]:
        """All that is learned."""
        receiver, sender = self._embedding
        return [*self.network.parameters(), receiver, *([] if sender is receiver else [sender])]

    def weights(self) -> Float64[Tensor, "post pre"]:
        """The weights that observed neurons now receive."""
        return self._all_weights(self._embedding)[: self._n_observed]

    def _all_weights(self, embedding: Embedding) -> Float64[Tensor, "post pre"]:
        return self.network(*embedding.with_hidden(self._mix)).double() * self.unit

    def keep_if_better(self, held_out_nats: float) -> None:
        """Keep what has been learned so far if held-out spikes are no likelier under any other."""
        if not self._best.network or held_out_nats < self._best.nats:
            state = self.network.state_dict()
            network = {name: value.numpy().copy() for name, value in state.items()}
            self._best = _Best(held_out_nats, network, self._embedding.copied())

    def best(self) -> StructureFit:
        """What was kept."""
        nats, network, embedding = self._best
        self.network.load_state_dict({k: torch.from_numpy(v) for k, v in network.items()})
        with torch.no_grad():
            weights = self._all_weights(embedding).numpy()
        return StructureFit(
            weights=weights, embedding=embedding, network=network, held_out_nats=nats
        )


class _Best(NamedTuple):
    nats: float
    network: dict[str, np.ndarray]
    embedding: Embedding


def _descend(
    parameters: list[Tensor],
    loss: Callable[[], Tensor],
    n_steps: int,
    watch: Callable[[], None] = lambda: None,
) -> None:
    """Adam with a short warm-up and a cosine decay."""
    optimiser = torch.optim.Adam(parameters, lr=_LEARNING_RATE, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda k: min(1.0, (k + 1) / 50) * (0.505 + 0.495 * np.cos(np.pi * k / n_steps)),
    )
    for k in range(n_steps):
        optimiser.zero_grad()
        loss().backward()
        optimiser.step()
        schedule.step()
        if (k + 1) % _CHECK_EVERY == 0:
            watch()
