"""The recipe of the fit, and what stands in for an ingredient that is left out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor, nn

from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import (
    LEARNED_LINK,
    LinkRule,
    RowFit,
    StepCurvature,
    full_curvature,
    row_step,
    with_prior,
)
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons import HiddenNeurons, MixedColumns
from spikeweft.circuit_gnn.structure_learning.network_fit import Learning
from spikeweft.circuit_gnn.structure_learning.pair_network import (
    Embedding,
    PairModel,
    PairNetwork,
    perceptron,
    spectral_embedding,
    through,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import Loss, Metric, fisher_loss
from spikeweft.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What the fit is made of; each field can leave out one ingredient, to see what it buys.

    Attributes
    ----------
    structure
        Weights are learned by networks on embeddings; else they stay free.
    n_networks
        Networks whose mean each round of structure learning takes, one number per round.
    spectral_start
        Embeddings start from the leading eigenvectors of the weights; else at random.
    symmetric_features
        Networks read features of a pair that are the same both ways round; else the two embeddings
        one after the other, as published (Yoon 2025, w_ij = MLP([z_i, z_j])).
    pair_network
        A network makes weights of embeddings; else a bilinear form, which has no features.
    fisher_metric
        Networks learn each weight as far as spikes inform it; else all weights alike.
    learned_link
        The link from drive to rate is learned; else it is an exponential, that of a Poisson GLM.
    expected_information
        Steps of the rows also heed spikes that are expected and do not come; else only spikes.
    whitened_steps
        Steps of the rows heed how weights depend on each other; else each has a scale of its own.
    hidden_circuit
        Hidden neurons fire as the circuit drives them; else each is a mixture of the two observed
        neurons between which it lies, with as many parameters.
    """

    structure: bool = True
    n_networks: tuple[int, ...] = (1, 2, 4)
    spectral_start: bool = True
    symmetric_features: bool = True
    pair_network: bool = True
    fisher_metric: bool = True
    learned_link: bool = True
    expected_information: bool = True
    whitened_steps: bool = True
    hidden_circuit: bool = True

    def __post_init__(self) -> None:
        if not self.n_networks or min(self.n_networks) < 1:
            raise InputError(
                f"{self.n_networks} are no numbers of networks per round; give one or more, each "
                "at least 1"
            )

    @classmethod
    def of(cls, changes: Mapping[str, Any]) -> "Recipe":
        """The recipe from what `changes` gave."""
        given = dict(changes)
        if "n_networks" in given:
            given["n_networks"] = tuple(given["n_networks"])
        return cls(**given)

    @property
    def changes(self) -> dict[str, Any]:
        """The fields that differ from the whole method's, as plain values."""
        whole = asdict(Recipe())
        changed = {key: value for key, value in asdict(self).items() if value != whole[key]}
        return {k: list(v) if isinstance(v, tuple) else v for k, v in changed.items()}

    @property
    def links(self) -> LinkRule:
        """What the fit may do with the link."""
        return LEARNED_LINK if self.learned_link else EXPONENTIAL_LINK

    @property
    def hidden_neurons(self) -> type[HiddenNeurons]:
        """What joins the observed neurons."""
        return HiddenNeurons if self.hidden_circuit else MixedColumns

    @property
    def step_curvature(self) -> StepCurvature:
        """What steps of the rows divide by."""
        whole = full_curvature if self.expected_information else curvature_of_spikes
        return whole if self.whitened_steps else diagonal_of(whole)

    @property
    def learning(self) -> Learning:
        """How networks learn."""
        network = PairNetwork if self.symmetric_features else PlainPairNetwork
        return Learning(
            start=spectral_embedding if self.spectral_start else random_embedding,
            pair_model=network if self.pair_network else PairForm,
            loss=fisher_loss if self.fisher_metric else euclidean_loss,
        )


WHOLE_RECIPE = Recipe()


"""The method with nothing left out."""


_RIGID = 1e9


def curvature_of_spikes(fit: RowFit) -> Float[np.ndarray, "neuron feature feature"]:
    """What the spikes alone show of the curvature, and the prior's precision."""
    return with_prior(fit.geometry.fisher.copy(), fit)


def diagonal_of(whole: StepCurvature) -> StepCurvature:
    """The diagonal of a curvature: every parameter is scaled, none is told from another."""

    def diagonal(fit: RowFit) -> Float[np.ndarray, "neuron feature feature"]:
        curved = whole(fit)
        return curved * np.eye(curved.shape[1])

    return diagonal


EXPONENTIAL_LINK = LinkRule(
    starts={1.0: -16.0},
    step=row_step,
    bend=lambda traces, fit, factor: fit,  # noqa: ARG005
    dampings=(_RIGID,),
)


"""The link of the Poisson GLM: a softplus so far below its bend that it is an exponential."""


def random_embedding(
    weights: Float[np.ndarray, "post pre"], n_dimensions: int, directed: bool, rng: torch.Generator
) -> Embedding:
    """Places that say nothing of the weights, for comparison."""
    receiver, sender = (torch.randn(len(weights), n_dimensions, generator=rng) for _ in range(2))
    return Embedding(receiver, sender if directed else receiver)


class PlainPairNetwork(PairModel):
    """The published w_ij = MLP([z_i, z_j]), for comparison; undirected, the mean both ways."""

    def __init__(
        self, n_dimensions: int, hidden: int, directed: bool, rng: torch.Generator
    ) -> None:
        super().__init__(directed)
        self.first, self.second, self.last = perceptron(2 * n_dimensions, hidden, rng)

    @property
    def layers(self) -> tuple[nn.Linear, ...]:
        """The layers of the perceptron."""
        return self.first, self.second, self.last

    def weight(
        self, post: Float32[Tensor, "pair dimension"], pre: Float32[Tensor, "pair dimension"]
    ) -> Float32[Tensor, " pair"]:
        """Weight of each pair."""
        one_way = through(self.layers, torch.cat([post, pre], dim=1))
        if self.directed:
            return one_way
        return (one_way + through(self.layers, torch.cat([pre, post], dim=1))) / 2


class PairForm(PairModel):
    """A bilinear form, w_ij = z_i·A z_j, in place of a network, for comparison."""

    def __init__(
        self,
        n_dimensions: int,
        hidden: int,  # noqa: ARG002
        directed: bool,
        rng: torch.Generator,
    ) -> None:
        super().__init__(directed)
        self.form = nn.Linear(n_dimensions, n_dimensions, bias=False)
        nn.init.normal_(self.form.weight, std=1.0 / n_dimensions, generator=rng)

    @property
    def layers(self) -> tuple[nn.Linear, ...]:
        """The matrix A."""
        return (self.form,)

    def weight(
        self, post: Float32[Tensor, "pair dimension"], pre: Float32[Tensor, "pair dimension"]
    ) -> Float32[Tensor, " pair"]:
        """Weight of each pair."""
        one_way = (post * self.form(pre)).sum(1)
        return one_way if self.directed else (one_way + (pre * self.form(post)).sum(1)) / 2


def euclidean_loss(training: Metric, n_sources: int, link_damping: float) -> Loss:
    """The same as if the spikes informed all weights alike: least squares around a plain step."""
    return fisher_loss(training.evened(n_sources), n_sources, link_damping)
