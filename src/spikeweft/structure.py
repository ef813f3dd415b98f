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
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from spikeweft.prediction import Geometry

_RIDGE = 1e-3
_WARM_UP_STEPS = 300
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
    def of(cls, metric: Metric, link_damping: float) -> "Response":
        """Eliminate own history and bias of every row, then the link."""
        n, p = metric.gradient.shape
        is_weight = torch.zeros(n, p, dtype=torch.bool)
        is_weight[:, :n] = ~torch.eye(n, dtype=torch.bool)
        own = ~is_weight
        own[:, -2:] = False
        curvature = torch.where(own[:, :, None] & own[:, None, :], metric.fisher, 0.0)
        curvature += torch.diag_embed(torch.where(own, _RIDGE, 1.0).double())
        right = torch.cat([metric.gradient[:, :, None], metric.fisher], dim=2)
        solved = torch.linalg.solve(curvature, torch.where(own[:, :, None], right, 0.0))
        offset, link_pull = solved[:, :, 0], solved[:, :, -2:]
        pull = solved[:, :, 1 : n + 1] * is_weight[:, None, :n]
        to_link = metric.fisher[:, :, -2:]
        link_fisher = (to_link[:, -2:] - to_link.mT @ link_pull).sum(0)
        link_fisher += link_damping * torch.eye(2, dtype=torch.float64)
        link_gradient = (metric.gradient[:, -2:] - torch.einsum("ipl,ip->il", to_link, offset)).sum(
            0
        )
        link_weights = to_link[:, :n] * is_weight[:, :n, None] - pull.mT @ to_link
        inverse = torch.linalg.inv(link_fisher)
        return cls(offset, pull, link_pull, inverse @ link_gradient, link_weights @ inverse)

    def to(self, change: Float64[Tensor, "post pre"]) -> Float64[Tensor, "neuron parameter"]:
        """Change of all parameters of every row when the weights between neurons change."""
        link = self.link_offset - torch.einsum("ij,ijl->l", change, self.link_weights)
        answer = self.offset - torch.bmm(self.pull, change[:, :, None])[:, :, 0]
        answer = answer - self.link_pull @ link
        n = len(change)
        none = torch.zeros(n, answer.shape[1] - n - 2, dtype=torch.float64)
        return answer + torch.cat([change, none, link.expand(n, 2)], dim=1)


class PairNetwork(nn.Module):
    """Weight of every pair of neurons from their embeddings (Yoon 2025, w_ij = MLP([z_i, z_j])).

    Undirected: the network reads symmetric features of a pair, z_i + z_j, (z_i - z_j)² and
    z_i·z_j, so w_ij = w_ji. Directed: it reads the receiver's embedding, the sender's and their
    product, which come from separate embeddings of each neuron.
    """

    def __init__(self, n_dimensions: int, hidden: int, directed: bool, rng: torch.Generator):
        super().__init__()
        self.directed = directed
        self.first = nn.Linear(3 * n_dimensions, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.last = nn.Linear(hidden, 1)
        for layer in self.layers:
            nn.init.normal_(layer.weight, std=float(layer.in_features) ** -0.5, generator=rng)
            nn.init.zeros_(layer.bias)

    @property
    def layers(self) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
        """The layers, from the pair's features to its weight."""
        return self.first, self.second, self.last

    def forward(
        self,
        receiver: Float32[Tensor, "neuron dimension"],
        sender: Float32[Tensor, "neuron dimension"],
    ) -> Float32[Tensor, "post pre"]:
        """Weights [post, pre] with a zero diagonal; the two embeddings are one where undirected."""
        n = len(receiver)
        if self.directed:
            post, pre = torch.nonzero(~torch.eye(n, dtype=torch.bool), as_tuple=True)
            a, b = receiver[post], sender[pre]
            features = torch.cat([a, b, a * b], dim=1)
        else:
            post, pre = torch.triu_indices(n, n, 1)
            a, b = receiver[post], receiver[pre]
            features = torch.cat([a + b, (a - b) ** 2, a * b], dim=1)
        weights = torch.zeros(n, n).index_put((post, pre), self._mlp(features))
        return weights if self.directed else weights + weights.T

    def _mlp(self, features: Float32[Tensor, "pair feature"]) -> Float32[Tensor, " pair"]:
        inner = nn.functional.gelu(self.second(nn.functional.gelu(self.first(features))))
        return self.last(inner)[:, 0]


class Embedding(NamedTuple):
    """Place of every neuron as a receiver and as a sender; one and the same where undirected."""

    receiver: Float32[Tensor, "neuron dimension"]
    sender: Float32[Tensor, "neuron dimension"]


def spectral_embedding(
    weights: Float[np.ndarray, "post pre"], n_dimensions: int, directed: bool
) -> Embedding:
    """Leading eigenvectors of the symmetrised weights, or singular vectors of directed ones.

    Each is scaled by the root of its eigenvalue's size. The diagonal, which is not known, is
    imputed from the leading vectors themselves.
    """
    matrix = weights.copy() if directed else (weights + weights.T) / 2
    np.fill_diagonal(matrix, 0.0)
    for _ in range(50):
        left, size, right = np.linalg.svd(matrix)
        left, size, right = left[:, :n_dimensions], size[:n_dimensions], right[:n_dimensions].T
        np.fill_diagonal(matrix, np.sum(left * size * right, axis=1))
    receiver, sender = left * np.sqrt(size), right * np.sqrt(size)
    unit = receiver.std() or 1.0
    place = torch.from_numpy((receiver / unit).astype(np.float32))
    if not directed:
        return Embedding(place, place)
    return Embedding(place, torch.from_numpy((sender / unit).astype(np.float32)))


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
        away = away - torch.diag(away.diagonal())
        return 0.5 * self.precision * ((1.0 - self.determined) * away).sum()


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFit:
    """Weights that a pair network has learned, and what it takes to make them again."""

    weights: Float[np.ndarray, "post pre"]
    embedding: Embedding
    network: dict[str, np.ndarray]
    held_out_nats: float
    """Rise of the held-out negative log-likelihood over the linearisation point."""


def fit_structure(
    known: Known,
    training: Metric,
    held_out: Metric,
    embedding: Embedding,
    *,
    link_damping: float,
    n_steps: int,
    rng: torch.Generator,
    hidden: int = 64,
) -> StructureFit:
    """Learn a pair network around free weights, keeping what predicts held-out spikes best.

    The network first imitates the free weights by least squares, then descends the training
    metric. The held-out metric only says when to stop.
    """
    directed = embedding.receiver is not embedding.sender
    unit = float(known.weights.square().mean().sqrt()) or 1.0
    network = PairNetwork(embedding.receiver.shape[1], hidden, directed, rng)
    receiver = embedding.receiver.clone().requires_grad_()
    sender = embedding.sender.clone().requires_grad_() if directed else receiver
    learned = [receiver, sender] if directed else [receiver]
    parameters = [*network.parameters(), *learned]
    response = Response.of(training, link_damping)

    def weights() -> Float64[Tensor, "post pre"]:
        return network(receiver, sender).double() * unit

    def imitation() -> Tensor:
        now, n_pairs = weights(), known.weights.numel()
        continued = 2 * known.penalty(now) / known.precision / n_pairs
        return 10 * (known.imitation(now) / n_pairs + continued) / unit**2

    def loss() -> Tensor:
        now = weights()
        decay = sum(layer.weight.square().sum() for layer in network.layers)
        nats = training.nats(response.to(now - known.weights)) + known.penalty(now)
        return (nats + 0.5 * _WEIGHT_DECAY_NATS * decay) / 1e3

    best = _Best(float("inf"), {}, receiver, sender)

    def watch() -> None:
        nonlocal best
        with torch.no_grad():
            nats = float(held_out.nats(response.to(weights() - known.weights)))
        if nats < best.nats:
            state = {name: value.numpy().copy() for name, value in network.state_dict().items()}
            best = _Best(nats, state, receiver.detach().clone(), sender.detach().clone())

    _descend(parameters, imitation, _WARM_UP_STEPS)
    watch()
    _descend(parameters, loss, n_steps, watch)
    network.load_state_dict({name: torch.from_numpy(value) for name, value in best.network.items()})
    z = Embedding(best.receiver, best.sender if directed else best.receiver)
    with torch.no_grad():
        learned_weights = network(*z).double().numpy() * unit
    return StructureFit(
        weights=learned_weights, embedding=z, network=best.network, held_out_nats=best.nats
    )


class _Best(NamedTuple):
    nats: float
    network: dict[str, np.ndarray]
    receiver: Tensor
    sender: Tensor


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
