"""CircuitGNN with one ingredient left out, to see what it buys; each is an estimator of its own."""

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from torch import Tensor, nn

from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import HiddenNeurons
from spikeweft.circuit_gnn.spike_prediction.link import EXPONENTIAL
from spikeweft.circuit_gnn.spike_prediction.model_inputs import CircuitTraces
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import Estimate
from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import TraceParts, Traces
from spikeweft.circuit_gnn.structure_learning.network_fit import NetworkShape, NetworkTrainer
from spikeweft.circuit_gnn.structure_learning.pair_network import (
    Embedding,
    PairModel,
    perceptron,
    perceptron_output,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
    WeightLikelihood,
    is_weight,
)

# -- structure --


class FreeWeightProblem(Problem):
    """No pair network is tried."""

    def network_shapes(self, directed: bool) -> tuple[NetworkShape, ...]:  # noqa: ARG002
        """None."""
        return ()


class WithoutStructure(CircuitGNN):
    """Weights stay free: no network learns them."""

    problem_class = FreeWeightProblem


class SingleNetworkProblem(Problem):
    """One network in each round."""

    networks_per_round = (1, 1, 1)


class WithoutEnsembles(CircuitGNN):
    """Each round of structure learning takes one network, in place of the mean of several."""

    problem_class = SingleNetworkProblem


class SingleRoundProblem(Problem):
    """No further round."""

    networks_per_round = ()


class WithoutFurtherRounds(CircuitGNN):
    """Structure learning ends after one round."""

    problem_class = SingleRoundProblem


# -- what networks read, and from where they start --


class RandomStartTrainer(NetworkTrainer):
    """Embeddings start at random."""

    def first_embedding(self) -> Embedding:
        """Places that say nothing of the weights."""
        n_neurons = len(self.problem.free.weights)
        receiver, sender = (
            torch.randn(n_neurons, self.shape.n_dimensions, generator=self.rng) for _ in range(2)
        )
        return Embedding(receiver, sender if self.shape.directed else receiver)


class RandomStartProblem(Problem):
    """Embeddings start at random."""

    trainer = RandomStartTrainer


class WithoutSpectralStart(CircuitGNN):
    """Embeddings start at random, not from the leading eigenvectors of the free weights."""

    problem_class = RandomStartProblem


class ConcatenationNetwork(PairModel):
    """The published w_ij = MLP([z_i, z_j]) (Yoon 2025); undirected, the mean both ways."""

    def __init__(self, n_dimensions: int, directed: bool, rng: torch.Generator) -> None:
        super().__init__(directed)
        self.first, self.second, self.last = perceptron(2 * n_dimensions, rng)

    @property
    def layers(self) -> tuple[nn.Linear, ...]:
        """The layers of the perceptron."""
        return self.first, self.second, self.last

    def weight(
        self, post: Float32[Tensor, "pair dimension"], pre: Float32[Tensor, "pair dimension"]
    ) -> Float32[Tensor, " pair"]:
        """Weight of each pair."""
        one_way = perceptron_output(self.layers, torch.cat([post, pre], dim=1))
        if self.directed:
            return one_way
        return (one_way + perceptron_output(self.layers, torch.cat([pre, post], dim=1))) / 2


class ConcatenationTrainer(NetworkTrainer):
    """Networks read the two embeddings one after the other."""

    def pair_model(self) -> PairModel:
        """The published network."""
        return ConcatenationNetwork(self.shape.n_dimensions, self.shape.directed, self.rng)


class ConcatenationProblem(Problem):
    """Networks read the two embeddings one after the other."""

    trainer = ConcatenationTrainer


class WithoutSymmetricFeatures(CircuitGNN):
    """Networks read [z_i, z_j], not features of the pair that are the same both ways."""

    problem_class = ConcatenationProblem


class BilinearForm(PairModel):
    """A bilinear form, w_ij = z_i·A z_j, in place of a network."""

    def __init__(self, n_dimensions: int, directed: bool, rng: torch.Generator) -> None:
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


class BilinearTrainer(NetworkTrainer):
    """Weights are a bilinear form of the embeddings."""

    def pair_model(self) -> PairModel:
        """The bilinear form."""
        return BilinearForm(self.shape.n_dimensions, self.shape.directed, self.rng)


class BilinearProblem(Problem):
    """Weights are a bilinear form of the embeddings."""

    trainer = BilinearTrainer


class WithoutPairNetwork(CircuitGNN):
    """Weights are a bilinear form of the embeddings, not a network of them."""

    problem_class = BilinearProblem


# -- the metric in which networks learn --


def isotropic(form: QuadraticLikelihood, n_sources: int) -> QuadraticLikelihood:
    """The same slope with a curvature that is the same for all weights, each on its own.

    That curvature is the mean over all weights; own history, bias and link keep theirs.
    """
    n, p = form.gradient.shape
    weight = is_weight(n, p, n_sources)
    mean = form.fisher.diagonal(dim1=1, dim2=2)[weight].mean()
    apart = torch.where(~weight[:, :, None] & ~weight[:, None, :], form.fisher, 0.0)
    return form._replace(fisher=apart + torch.diag_embed(weight * mean))


class IsotropicTrainer(NetworkTrainer):
    """Networks learn as if the spikes informed all weights alike."""

    def likelihood(self) -> WeightLikelihood:
        """Least squares around a plain step."""
        form = isotropic(self.problem.training, self.n_sources)
        others = ConditionalOptimum.of(form, self.n_sources)
        return WeightLikelihood.of(form, others, self.n_sources)


class IsotropicProblem(Problem):
    """Networks learn as if the spikes informed all weights alike."""

    trainer = IsotropicTrainer


class WithoutFisherMetric(CircuitGNN):
    """Networks learn all weights alike, not each as far as spikes inform it."""

    problem_class = IsotropicProblem


# -- the link and the steps --


class ExponentialLinkScoring(FisherScoring):
    """The link stays as it is."""

    def joint_step(self, traces: TraceParts, estimate: Estimate) -> Estimate:
        """A step of the neurons alone."""
        return self.step(traces, estimate)


class ExponentialLinkProblem(Problem):
    """A softplus so far below its bend that it is an exponential, and stays one."""

    scoring = ExponentialLinkScoring()
    first_link = EXPONENTIAL
    learns_link = False


class WithoutLearnedLink(CircuitGNN):
    """The link is an exponential, that of a Poisson GLM."""

    problem_class = ExponentialLinkProblem


class SpikesOnlyScoring(FisherScoring):
    """Steps divide by the information of spikes that came."""

    def step_curvature(
        self, estimate: Estimate, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """What the spikes alone show of the curvature, and the prior's precision."""
        fisher = estimate.derivatives.fisher[neurons].astype(np.float64)
        return estimate.with_prior(fisher, neurons)


class SpikesOnlyProblem(Problem):
    """Steps divide by the information of spikes that came."""

    scoring = SpikesOnlyScoring()


class WithoutExpectedInformation(CircuitGNN):
    """Steps do not count spikes that are expected and do not come."""

    problem_class = SpikesOnlyProblem


class DiagonalScoring(FisherScoring):
    """Steps scale every parameter on its own."""

    def step_curvature(
        self, estimate: Estimate, neurons: slice = slice(None)
    ) -> Float64[np.ndarray, "neuron feature feature"]:
        """The diagonal of the curvature."""
        curved = super().step_curvature(estimate, neurons)
        return curved * np.eye(curved.shape[1])


class DiagonalProblem(Problem):
    """Steps scale every parameter on its own."""

    scoring = DiagonalScoring()


class WithoutWhitenedSteps(CircuitGNN):
    """Steps do not take into account how weights depend on each other."""

    problem_class = DiagonalProblem


# -- hidden neurons --


class MixedColumnTraces(CircuitTraces):
    """What hidden neurons are compared with: as many columns, and no circuit behind them."""

    def hidden_traces(
        self,
        traces: Traces,
        hidden: HiddenNeurons,
        routes: Routes,  # noqa: ARG002
    ) -> tuple[Float[np.ndarray, "spike hidden"], Float[np.ndarray, "time hidden"]]:
        """The mixture of the traces of the two observed neurons between which each lies."""
        n, mix = hidden.mix.shape[1], hidden.gain * hidden.mix.T
        return traces.at_spikes[:, :n] @ mix, traces.at_times[:, :n] @ mix


class MixedColumnProblem(Problem):
    """Columns mixed from observed neurons take the place of hidden neurons."""

    traces_class = MixedColumnTraces


class WithoutHiddenCircuit(CircuitGNN):
    """Hidden neurons do not fire as the circuit drives them: each mixes two observed neurons."""

    problem_class = MixedColumnProblem
