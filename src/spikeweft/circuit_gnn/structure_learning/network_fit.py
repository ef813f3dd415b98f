"""Structure learning: weights between neurons from embeddings, learned in the Fisher metric.

As in the paper, w_ij is a function of the embeddings of two neurons, shared by all pairs. Two
things differ. Embeddings of raw spike trains cannot tell apart neurons of co-active bumps, so they
start from the leading eigenvectors of the free weights and are then learned. And the network
learns from the likelihood's quadratic form around the current prediction model, in which every
weight counts as far as the spikes inform it, while own history and bias follow as they would in a
joint fit. The link stays: it is fitted anew, by the likelihood itself, to what networks found.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from torch import Tensor

from spikeweft.circuit_gnn.structure_learning.pair_network import (
    Embedding,
    PairModel,
    PairNetwork,
    spectral_embedding,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
    WeightLikelihood,
)

IMITATION_STEPS = 100
"""Steps in which a network first imitates the free weights."""

LEARNING_STEPS = 300
"""Steps in which it then descends the training likelihood."""

FURTHER_STEPS = 150
"""Steps of a network that has learned before, around other weights."""

_ALL_ROWS, _ROWS_OF_MANY = 200, 64
"""Postsynaptic neurons up to which each step takes all, and how many it takes of more."""

_CHECK_EVERY = 25
_LEARNING_RATE = 1e-2
_ADAM_DECAYS = (0.9, 0.99)
_WEIGHT_DECAY_NATS = 10.0


class FreeWeights(NamedTuple):
    """Weights that were fitted without a network, and how far spikes determine them.

    A weight of which spikes say nothing is taken to be like those of its neuron of which they say
    little: at the edge of what is known, the network is continued evenly, and the more so the less
    its weights differ there.
    """

    weights: Float64[Tensor, "post pre"]
    determined: Float64[Tensor, "post pre"]
    precision: Float64[Tensor, "post 1"]
    neurons: Int64[Tensor, " post"] | None = None
    """The postsynaptic neurons; where None, all, in their order."""

    def of_rows(self, rows: Int64[Tensor, " row"]) -> "FreeWeights":
        """The same of some postsynaptic neurons."""
        return FreeWeights(self.weights[rows], self.determined[rows], self.precision[rows], rows)

    def imitation(self, weights: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Squared distance from the free weights where these are determined."""
        return (self.determined * (weights - self.weights).square()).sum()

    def penalty(self, weights: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Negative log prior of the weights that are not determined, around the edge's mean."""
        away, _ = self._from_edge(weights)
        return 0.5 * (self.precision * (1.0 - self.determined) * away).sum()

    def continuation(self, weights: Float64[Tensor, "post pre"]) -> Float64[Tensor, ""]:
        """Squared distance of the weights that are not determined from the edge's mean."""
        away, _ = self._from_edge(weights)
        return ((1.0 - self.determined) * away).sum()

    def continued_as(self, weights: Float64[Tensor, "post pre"]) -> "FreeWeights":
        """The same, with the precision that weights at the edge have, if that is higher."""
        away, edge = self._from_edge(weights)
        spread = float((edge * away).sum() / edge.sum())
        least = 1.0 / spread if spread else 0.0
        return self._replace(precision=self.precision.clamp(min=least))

    def _from_edge(
        self, weights: Float64[Tensor, "post pre"]
    ) -> tuple[Float64[Tensor, "post pre"], Float64[Tensor, "post pre"]]:
        """Squared distances from the mean at the edge, and how far each weight is at the edge."""
        n_post, n_pre = weights.shape
        neurons = torch.arange(n_post) if self.neurons is None else self.neurons
        off_diagonal = torch.arange(n_pre) != neurons[:, None]
        edge = off_diagonal * ((self.determined * (1.0 - self.determined)) ** 2 + 1e-6)
        center = (edge * weights).sum(1) / edge.sum(1)
        return off_diagonal * (weights - center[:, None]).square(), edge


class StructureProblem(NamedTuple):
    """What networks learn from: the free weights, and the likelihood of spikes around them."""

    free: FreeWeights
    training: QuadraticLikelihood
    held_out: QuadraticLikelihood


class NetworkShape(NamedTuple):
    """The shape of a pair network; the smaller embedding comes first."""

    n_dimensions: int
    directed: bool

    def __str__(self) -> str:
        wiring = "directed" if self.directed else "symmetric"
        return f"{wiring} pair network, {self.n_dimensions} dimensions"


class LearnedNetwork(NamedTuple):
    """A pair network that has learned: the unit of its weights, and all numbers that it learned."""

    unit: float
    numbers: tuple[Float32[np.ndarray, "..."], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StructureFit:
    """Weights that a pair network has learned, and the network."""

    weights: Float[np.ndarray, "post pre"]
    held_out_nats: float
    """Rise of the held-out negative log-likelihood over the linearisation point."""

    network: LearnedNetwork
    """As it was at the end, if not the best of all on held-out spikes."""


class NetworkTrainer:
    """Learns a pair network around free weights, keeping what predicts held-out spikes best.

    The network first imitates the free weights by least squares, then descends the training
    likelihood. The held-out likelihood only says when to stop.
    """

    def __init__(
        self, problem: StructureProblem, shape: NetworkShape, rng: torch.Generator
    ) -> None:
        self.problem, self.shape, self.rng = problem, shape, rng
        free = problem.free.weights
        self.unit = float(free.square().mean().sqrt()) or 1.0
        self.n_sources = free.shape[1]
        self.others = ConditionalOptimum.of(problem.training, self.n_sources)
        start = self.first_embedding()
        self.network = self.pair_model()
        receiver = start.receiver.clone().requires_grad_()
        sender = start.sender.clone().requires_grad_() if shape.directed else receiver
        self._embedding = Embedding(receiver, sender)
        self._best: tuple[float, Float[np.ndarray, "post pre"]] | None = None

    def train(self, start: LearnedNetwork | None = None) -> StructureFit:
        """Imitate, then descend the likelihood; the best weights on the way.

        Parameters
        ----------
        start
            A network of the same shape, to go on with instead.
        """
        likelihood = self.likelihood()

        def imitation() -> Tensor:
            rows = self._some_rows()
            free, now = _of(self.problem.free, rows), self._weights(rows)
            missed = free.imitation(now) + free.continuation(now)
            return 10 * missed / now.numel() / self.unit**2

        def loss() -> Tensor:
            rows = self._some_rows()
            now, prior = self._weights(rows), _of(continued, rows)
            decay = sum(layer.weight.square().sum() for layer in self.network.layers)
            nats = _of(likelihood, rows).nats(now - prior.weights)
            nats = nats + len(continued.weights) / len(now) * prior.penalty(now)
            return (nats + 0.5 * _WEIGHT_DECAY_NATS * decay) / 1e3

        if start is None:
            _descend(self._learned, imitation, IMITATION_STEPS)
        else:
            self._take(start)
        with torch.no_grad():
            continued = self.problem.free.continued_as(self._weights())
        self._keep_if_better()
        n_steps = LEARNING_STEPS if start is None else FURTHER_STEPS
        _descend(self._learned, loss, n_steps, self._keep_if_better)
        assert self._best is not None
        nats, weights = self._best
        numbers = tuple(learned.detach().numpy().copy() for learned in self._learned)
        network = LearnedNetwork(self.unit, numbers)
        return StructureFit(weights=weights, held_out_nats=nats, network=network)

    # -- what is learned, from where, by which loss --

    def first_embedding(self) -> Embedding:
        """The embedding from which learning starts."""
        free = self.problem.free.weights
        return spectral_embedding(free.numpy(), self.shape.n_dimensions, self.shape.directed)

    def pair_model(self) -> PairModel:
        """The network that makes a weight of two embeddings, before it has learned."""
        shape = self.shape
        return PairNetwork(shape.n_dimensions, shape.directed, self.rng)

    def likelihood(self) -> WeightLikelihood:
        """The training likelihood that the network descends."""
        return WeightLikelihood.of(self.problem.training, self.others, self.n_sources)

    # -- inside --

    @property
    def _learned(self) -> list[Tensor]:
        receiver, sender = self._embedding
        return [*self.network.parameters(), receiver, *([] if sender is receiver else [sender])]

    @torch.no_grad()
    def _take(self, start: LearnedNetwork) -> None:
        """Go on with a network that has learned before."""
        self.unit = start.unit
        for learned, number in zip(self._learned, start.numbers, strict=True):
            learned.copy_(torch.from_numpy(number))

    def _some_rows(self) -> Int64[Tensor, " row"] | None:
        """Postsynaptic neurons for one step: some of many, chosen at random; else all."""
        n = len(self.problem.free.weights)
        n_rows = rows_at_a_time(n)
        return None if n_rows == n else torch.randperm(n, generator=self.rng)[:n_rows]

    def _weights(self, rows: Int64[Tensor, " row"] | None = None) -> Float64[Tensor, "post pre"]:
        some = () if rows is None else (rows,)
        return self.network(*self._embedding, *some).double() * self.unit

    def _keep_if_better(self) -> None:
        """Keep the weights unless held-out spikes are as likely under earlier ones."""
        free = self.problem.free.weights
        with torch.no_grad():
            weights = self._weights()
            change = self.others.given(weights - free)
        nats = float(self.problem.held_out.nats(change))
        if self._best is None or nats < self._best[0]:
            self._best = nats, weights.numpy()


def rows_at_a_time(n_neurons: int) -> int:
    """Postsynaptic neurons that a step of learning takes."""
    return n_neurons if n_neurons <= _ALL_ROWS else _ROWS_OF_MANY


Rows = TypeVar("Rows", FreeWeights, WeightLikelihood)


def _of(values: Rows, rows: Int64[Tensor, " row"] | None) -> Rows:
    return values if rows is None else values.of_rows(rows)


def _descend(
    parameters: list[Tensor],
    loss: Callable[[], Tensor],
    n_steps: int,
    after_some: Callable[[], None] = lambda: None,
) -> None:
    """Adam with a short warm-up and a cosine decay."""
    moments = [(torch.zeros_like(p), torch.zeros_like(p)) for p in parameters]
    for k in range(n_steps):
        slopes = torch.autograd.grad(loss(), parameters)
        decayed = 0.505 + 0.495 * np.cos(np.pi * k / n_steps)
        rate = _LEARNING_RATE * min(1.0, (k + 1) / 50) * decayed
        for parameter, slope, (mean, square) in zip(parameters, slopes, moments, strict=True):
            _adam_step(parameter, slope, mean, square, rate, k + 1)
        if (k + 1) % _CHECK_EVERY == 0:
            after_some()


@torch.no_grad()
def _adam_step(
    parameter: Tensor, slope: Tensor, mean: Tensor, square: Tensor, rate: float, k: int
) -> None:
    """The k-th step of Adam (Kingma & Ba 2015), in place.

    To make PyTorch's own optimiser takes seconds, in which it imports compilers.
    """
    (keep, keep_square), floor = _ADAM_DECAYS, 1e-8
    mean.lerp_(slope, 1.0 - keep)
    square.lerp_(slope * slope, 1.0 - keep_square)
    spread = (square / (1.0 - keep_square**k)).sqrt_().add_(floor)
    parameter.addcdiv_(mean, spread, value=-rate / (1.0 - keep**k))
