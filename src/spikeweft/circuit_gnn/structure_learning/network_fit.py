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
from jaxtyping import Float, Float64
from torch import Tensor

from spikeweft.circuit_gnn.structure_learning.pair_network import (
    Embedding,
    PairModel,
    PairNetwork,
    spectral_embedding,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    Loss,
    Metric,
    Response,
    fisher_loss,
)

WARM_UP_STEPS = 300


"""Steps in which a network imitates the free weights."""


N_HIDDEN_UNITS = 64


"""Units of each of a pair network's two hidden layers."""


_CHECK_EVERY = 25


_LEARNING_RATE = 3e-3


_WEIGHT_DECAY_NATS = 10.0


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
