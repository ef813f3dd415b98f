"""Pair models: where neurons are placed, and the weight of a pair from the places of its neurons.

Places start from the leading eigenvectors of the free weights; a network on features of two
places gives the weight.
"""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple, no_type_check

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from numba import njit
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

N_HIDDEN_UNITS = 32
"""Units of each of a pair network's two hidden layers."""


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


class PairModel(nn.Module, ABC):
    """Weight of every pair of neurons from their embeddings.

    `directed` says whether w_ij and w_ji differ. Then receivers and senders are two embeddings.
    """

    def __init__(self, directed: bool) -> None:
        super().__init__()
        self.directed = directed

    @property
    @abstractmethod
    def layers(self) -> tuple[nn.Linear, ...]:
        """The linear layers, from the pair's features to its weight."""

    @abstractmethod
    def weight(
        self, post: Float32[Tensor, "pair dimension"], pre: Float32[Tensor, "pair dimension"]
    ) -> Float32[Tensor, " pair"]:
        """Weight of each pair from two places; the same both ways round where undirected."""

    def forward(
        self,
        receiver: Float32[Tensor, "neuron dimension"],
        sender: Float32[Tensor, "neuron dimension"],
        rows: Int64[Tensor, " row"] | None = None,
    ) -> Float32[Tensor, "post pre"]:
        """Weights [post, pre] with a zero diagonal; the two embeddings are one where undirected.

        Those of some postsynaptic neurons alone, where `rows` says which.
        """
        n = len(receiver)
        if rows is not None:
            post, pre = (
                at.flatten() for at in torch.meshgrid(rows, torch.arange(n), indexing="ij")
            )
            found = self.weight(_Places.apply(receiver, post), _Places.apply(sender, pre))
            return (found * (post != pre)).view(len(rows), n)
        if self.directed:
            post, pre = torch.nonzero(~torch.eye(n, dtype=torch.bool), as_tuple=True)
        else:
            post, pre = torch.triu_indices(n, n, 1)
        found = self.weight(_Places.apply(receiver, post), _Places.apply(sender, pre))
        weights = torch.zeros(n, n).index_put((post, pre), found)
        return weights if self.directed else weights + weights.T


class _Places(torch.autograd.Function):
    """The places of some neurons, `places[neurons]`; its slope is summed without sorting them."""

    @staticmethod
    def forward(ctx: Any, places: Tensor, neurons: Tensor) -> Tensor:
        ctx.save_for_backward(neurons)
        ctx.n_neurons = len(places)
        return places[neurons]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        (neurons,), (slope,) = ctx.saved_tensors, grad_outputs
        total = np.zeros((ctx.n_neurons, slope.shape[1]), np.float32)
        add_rows(total, neurons.numpy(), slope.contiguous().numpy())
        return torch.from_numpy(total), None


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles it; its callers are checked
def add_rows(total, rows, values):
    """Add each row of the values to the row of the total that it belongs to."""
    for k in range(len(rows)):
        for c in range(values.shape[1]):
            total[rows[k], c] += values[k, c]


class PairNetwork(PairModel):
    """A perceptron on features of the pair (after Yoon 2025, w_ij = MLP([z_i, z_j])).

    Undirected: it reads what is the same both ways round, z_i + z_j, (z_i - z_j)² and z_i·z_j.
    Directed: it reads the receiver's place, the sender's and their product.
    """

    def __init__(self, n_dimensions: int, directed: bool, rng: torch.Generator) -> None:
        super().__init__(directed)
        self.first, self.second, self.last = perceptron(3 * n_dimensions, rng)

    @property
    def layers(self) -> tuple[nn.Linear, ...]:
        """The layers of the perceptron."""
        return self.first, self.second, self.last

    def weight(
        self, post: Float32[Tensor, "pair dimension"], pre: Float32[Tensor, "pair dimension"]
    ) -> Float32[Tensor, " pair"]:
        """Weight of each pair."""
        features = [post, pre] if self.directed else [post + pre, (post - pre) ** 2]
        return perceptron_output(self.layers, torch.cat([*features, post * pre], dim=1))


def perceptron(n_features: int, rng: torch.Generator) -> tuple[nn.Linear, nn.Linear, nn.Linear]:
    """Linear layers of a perceptron with two hidden layers and one output."""
    units = N_HIDDEN_UNITS
    layers = nn.Linear(n_features, units), nn.Linear(units, units), nn.Linear(units, 1)
    for layer in layers:
        nn.init.normal_(layer.weight, std=float(layer.in_features) ** -0.5, generator=rng)
        nn.init.zeros_(layer.bias)
    return layers


def perceptron_output(
    layers: tuple[nn.Linear, ...], features: Float32[Tensor, "pair feature"]
) -> Float32[Tensor, " pair"]:
    """Output of a perceptron for each pair."""
    *inner, last = layers
    for layer in inner:
        features = nn.functional.gelu(layer(features))
    return last(features)[:, 0]
