r"""The model of Yoon (NeurIPS 2025): a graph learned from spikes, over which spikes are predicted.

Two modules, trained together on one task, the prediction of the next millisecond's spikes:

- structure learning turns each neuron's spike train into an embedding z_i, and each pair of
  embeddings into a synaptic weight, :math:`w_{ij} = \mathrm{MLP}([z_i, z_j])`;
- spike prediction passes messages over that graph and decodes the rates λ_i of Poisson neurons.

This file is the published model, in the paper's reading order. What the paper does not give is
chosen here and marked "chosen". `YoonShape` says where a model departs from the paper, and
`YoonGNN` why.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from spikeweft.graph_networks.message_passing import messages

N_KERNELS = 32
"""Kernels of Conv1D (published)."""

N_PAIR = 32
"""Width of both hidden layers of the MLP from two embeddings to a weight (published)."""

N_SNAPSHOTS = 512
"""Windows of every spike train that its embedding is computed from (chosen)."""

N_EMBEDDING = 16
"""Size of the embedding z_i (chosen)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YoonShape:
    """Sizes and kinds of a model's parts.

    Attributes
    ----------
    kernel_bins, stride_bins
        Length 2τ and stride 0.2τ of the convolution in bins (published).
    history_bins
        Bins of history that a prediction sees, at least `kernel_bins`.
    n_components
        Coordinates of the whitened trains that embeddings start from (`WhitenedEmbedding`); None
        for embeddings of convolved trains, as published (`ConvolvedEmbedding`).
    symmetric_pairs
        Whether the MLP sees what is the same for (i, j) and (j, i) instead of [z_i, z_j].
    n_units
        Width of the state h_i, the GRU and the decoder.
    n_message_units, message_width
        Width of the hidden layer of φ, and numbers in a message m_ij.
    """

    kernel_bins: int
    stride_bins: int
    history_bins: int
    n_components: int | None
    symmetric_pairs: bool
    n_units: int
    n_message_units: int
    message_width: int


class SpikeConvolution(nn.Module):
    r"""Conv1D: 32 kernels of length 2τ, ReLU, BatchNorm.

    Both modules look at spikes through these same kernels. The published stride of 0.2τ is that
    between the positions at which features are read; here they are computed at every bin, since
    the windows of consecutive bins share them.
    """

    def __init__(self, kernel_bins: int) -> None:
        super().__init__()
        self.kernel_bins = kernel_bins
        self.kernels = nn.Conv1d(1, N_KERNELS, kernel_bins)
        self.norm = nn.BatchNorm1d(N_KERNELS)

    def forward(self, counts: Float[Tensor, "train lag"]) -> Float[Tensor, "train kernel position"]:
        """Features of spike counts, one position for each time a kernel fits in."""
        return self.norm(torch.relu(self.kernels(counts[:, None])))


class ConvolvedEmbedding(nn.Module):
    r"""Embeddings of convolved spike trains.

    .. math:: z_i = f_\mathrm{out}(\mathrm{vec}(f_\mathrm{Conv1D}(x_i)))

    Published: f_out is a fully connected layer on the convolution of the *whole* train. Over 6.4
    minutes that is 2·10⁸ weights, a number that grows with the recording, and each step of training
    would convolve hundreds of millions of bins. Here vec takes the convolution at `N_SNAPSHOTS`
    windows spread evenly over the recording, the same ones for all neurons and throughout a fit.
    The layer keeps what makes the published one work, a weight of its own for every moment, so
    neurons that are active at different moments get different embeddings (a mean over time would
    make all neurons of a ring alike), but its size and cost are fixed.
    """

    def __init__(self, convolution: SpikeConvolution) -> None:
        super().__init__()
        self.convolution = convolution
        self.readout = nn.Linear(N_SNAPSHOTS * N_KERNELS, N_EMBEDDING)

    def start(self) -> None:
        """Nothing: the layer starts at random."""

    def forward(
        self, trains: Float[Tensor, "snapshot lag neuron"]
    ) -> Float[Tensor, "neuron embedding"]:
        """Embedding z_i of every observed neuron, from snapshots of the spike trains."""
        seen = trains[:, -self.convolution.kernel_bins :].movedim(-1, 0)
        return self.readout(self.convolution(seen.flatten(0, 1)).view(len(seen), -1))


class WhitenedEmbedding(nn.Module):
    r"""Embeddings of whitened spike trains (`whitened_trains`).

    .. math:: z_i = f_\mathrm{out}(u_i)

    u_i are the coordinates of neuron i along the eigenvectors of the trains' Gram matrix, each as
    large as any other. f_out starts as the identity on the leading `N_EMBEDDING` of them.
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.readout = nn.Linear(n_components, N_EMBEDDING)

    def start(self) -> None:
        """Take the leading coordinates as they are."""
        nn.init.eye_(self.readout.weight)
        nn.init.zeros_(self.readout.bias)

    def forward(
        self, trains: Float[Tensor, "neuron component"]
    ) -> Float[Tensor, "neuron embedding"]:
        """Embedding z_i of every observed neuron, from coordinates of the spike trains."""
        return self.readout(trains)


class StructureLearning(nn.Module):
    r"""From spike trains to a weighted graph.

    .. math:: w_{ij} = \mathrm{MLP}([z_i, z_j])

    With `symmetric_pairs` the MLP sees :math:`[z_i + z_j, (z_i - z_j)^2, z_i z_j]`. The graph has
    no self-connections and is symmetric, as published.
    """

    def __init__(self, convolution: SpikeConvolution, shape: YoonShape) -> None:
        super().__init__()
        self.embedding = (
            ConvolvedEmbedding(convolution)
            if shape.n_components is None
            else WhitenedEmbedding(shape.n_components)
        )
        self.pair_features = symmetric_features if shape.symmetric_pairs else concatenated
        n_features = N_EMBEDDING * (3 if shape.symmetric_pairs else 2)
        self.pair = nn.Sequential(
            nn.Linear(n_features, N_PAIR),
            nn.ReLU(),
            nn.Linear(N_PAIR, N_PAIR),
            nn.ReLU(),
            nn.Linear(N_PAIR, 1),
        )

    def forward(self, embedding: Float[Tensor, "node embedding"]) -> Float[Tensor, "node node"]:
        """Weights w_ij, from node j to node i, of the complete graph over these nodes."""
        n = len(embedding)
        post, pre = torch.triu_indices(n, n, 1)
        of_pair = self._weight(embedding[post], embedding[pre])
        if self.pair_features is concatenated:
            of_pair = (of_pair + self._weight(embedding[pre], embedding[post])) / 2
        upper = embedding.new_zeros(n, n).index_put((post, pre), of_pair)
        return upper + upper.T

    def _weight(
        self, post: Float[Tensor, "pair embedding"], pre: Float[Tensor, "pair embedding"]
    ) -> Float[Tensor, " pair"]:
        return self.pair(self.pair_features(post, pre)).squeeze(-1)


def concatenated(
    post: Float[Tensor, "*pair embedding"], pre: Float[Tensor, "*pair embedding"]
) -> Float[Tensor, "*pair feature"]:
    """Both embeddings of a pair, as published."""
    return torch.cat([post, pre], dim=-1)


def symmetric_features(
    post: Float[Tensor, "*pair embedding"], pre: Float[Tensor, "*pair embedding"]
) -> Float[Tensor, "*pair feature"]:
    """What is the same for a pair and for the same pair the other way round."""
    return torch.cat([post + pre, (post - pre) ** 2, post * pre], dim=-1)


class InputEncoder(nn.Module):
    r"""What an external input θ(t) adds to each neuron's state.

    Neuron i sees θ relative to its own angle, 2πi/N on a ring, plus one learned rotation ρ that all
    share: the input's origin is not known.

    .. math:: f_\mathrm{in}(\cos(θ - φ_i + ρ), \sin(θ - φ_i + ρ))
    """

    angle_rad: Tensor

    def __init__(self, angle_rad: Float[np.ndarray, " neuron"], n_units: int) -> None:
        super().__init__()
        self.register_buffer("angle_rad", torch.tensor(angle_rad, dtype=torch.float32))
        self.rotation_rad = nn.Parameter(torch.zeros(()))
        self.encoder = nn.Sequential(nn.Linear(2, n_units), nn.ReLU(), nn.Linear(n_units, n_units))

    def forward(self, drive_rad: Float[Tensor, " batch"]) -> Float[Tensor, "batch neuron unit"]:
        """Encoding of the input for every neuron."""
        relative = drive_rad[:, None] - self.angle_rad + self.rotation_rad
        return self.encoder(torch.stack([relative.cos(), relative.sin()], dim=-1))


class MessagePassing(nn.Module):
    r"""One round of messages over the graph.

    .. math:: m_{ij} = φ([h_i, h_j]), \qquad m_i = \sum_j w_{ij}\,m_{ij}

    φ is a perceptron with one hidden layer (chosen). Its first layer is linear in [h_i, h_j] and
    splits into a part for the receiver and one for the sender; its second is linear too and acts
    on the sum. A bias c of the second layer reaches neuron i as :math:`c \sum_j w_{ij}`.
    """

    def __init__(self, shape: YoonShape) -> None:
        super().__init__()
        self.receiver = nn.Linear(shape.n_units, shape.n_message_units)
        self.sender = nn.Linear(shape.n_units, shape.n_message_units, bias=False)
        self.second = nn.Linear(shape.n_message_units, shape.message_width)

    def forward(
        self,
        post: Float[Tensor, "batch post unit"],
        pre: Float[Tensor, "batch pre unit"],
        weights: Float[Tensor, "post pre"],
    ) -> Float[Tensor, "batch post width"]:
        """Summed message to every postsynaptic neuron."""
        summed = messages(self.receiver(post), self.sender(pre), weights)
        return summed @ self.second.weight.T + weights.sum(1, keepdim=True) * self.second.bias


class SpikePrediction(nn.Module):
    r"""From the recent spikes of all neurons, over a graph, to the rate of each.

    .. math:: h_i = f_\mathrm{enc}(x_i), \quad h_i' = \mathrm{GRU}(m_i, h_i), \quad
              \log λ_i = f_\mathrm{dec}(h_i')

    f_enc is the Conv1D of structure learning on the neuron's own history window and a linear layer
    on its features at the published stride; with an external input its encoding is added to h_i.
    Hidden neurons take part in the message passing with a state interpolated from their two nearest
    observed neurons. They are never scored, so in this single round nothing depends on what they
    receive, and only what they send is computed.
    """

    def __init__(
        self,
        convolution: SpikeConvolution,
        shape: YoonShape,
        drive_angle_rad: Float[np.ndarray, " neuron"] | None,
    ) -> None:
        super().__init__()
        self.convolution, self.history_bins = convolution, shape.history_bins
        n_positions = (shape.history_bins - shape.kernel_bins) // shape.stride_bins + 1
        # A linear layer on features that are a stride apart, for all bins of a stretch at once.
        self.encoder = nn.Conv1d(N_KERNELS, shape.n_units, n_positions, dilation=shape.stride_bins)
        self.input = (
            None if drive_angle_rad is None else InputEncoder(drive_angle_rad, shape.n_units)
        )
        self.passing = MessagePassing(shape)
        self.gru = nn.GRUCell(shape.message_width, shape.n_units)
        self.rate = nn.Linear(shape.n_units, 1)
        self.decoder = nn.Sequential(nn.Linear(shape.n_units, shape.n_units), nn.ReLU(), self.rate)

    def encode(
        self, history: Float[Tensor, "stretch lag neuron"]
    ) -> Float[Tensor, "stretch bin neuron unit"]:
        """State h_i before each bin of stretches of consecutive ones, from the counts before."""
        n_stretches, n_lags, n_neurons = history.shape
        features = self.convolution(history.transpose(1, 2).flatten(0, 1))
        state = self.encoder(features)[..., -(n_lags - self.history_bins + 1) :]
        return state.view(n_stretches, n_neurons, *state.shape[1:]).permute(0, 3, 1, 2)

    def forward(
        self,
        history: Float[Tensor, "stretch lag neuron"],
        graph: Float[Tensor, "node node"],
        interpolation: Float[Tensor, "hidden neuron"],
        drive_rad: Float[Tensor, "stretch bin"] | None = None,
    ) -> Float[Tensor, "stretch bin neuron"]:
        """Log of the expected spike count of each observed neuron in every bin.

        A stretch of n bins comes with its history: all counts from `history_bins` before its first
        bin to the one before its last.
        """
        states = self.encode(history)
        state = states.flatten(0, 1)
        if self.input is not None and drive_rad is not None:
            state = state + self.input(drive_rad.flatten())
        n_observed = history.shape[-1]
        message = self.passing(state, with_hidden(state, interpolation), graph[:n_observed])
        updated = self.gru(message.flatten(0, 1), state.flatten(0, 1))
        return self.decoder(updated).view(states.shape[:3])


class YoonModel(nn.Module):
    """Both modules over one set of observed neurons and, where wanted, hidden ones.

    Parameters
    ----------
    shape
        Sizes and kinds of its parts.
    interpolation
        Hidden neurons as mixtures of observed ones (`ring_interpolation`); no rows for none.
    drive_angle_rad
        Angles of the observed neurons relative to which they see an external input; None for none.
    log_mean_count
        Log of the mean spike count per bin, where the decoder starts.
    generator
        Draws the starting weights.
    """

    interpolation: Tensor

    def __init__(
        self,
        shape: YoonShape,
        *,
        interpolation: Float[np.ndarray, "hidden neuron"],
        drive_angle_rad: Float[np.ndarray, " neuron"] | None,
        log_mean_count: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        convolution = SpikeConvolution(shape.kernel_bins)
        self.structure = StructureLearning(convolution, shape)
        self.prediction = SpikePrediction(convolution, shape, drive_angle_rad)
        self.register_buffer("interpolation", torch.tensor(interpolation, dtype=torch.float32))
        _draw_weights(self, generator)
        self.structure.embedding.start()
        nn.init.constant_(self.prediction.rate.bias, log_mean_count)

    def graph(self, trains: Float[Tensor, "..."]) -> Float[Tensor, "node node"]:
        """Weights among observed neurons and, behind them, hidden ones.

        `trains` are what the model's embedding is computed from: snapshots of the spike trains, or
        coordinates of the whitened ones.
        """
        embedding = self.structure.embedding(trains)
        return self.structure(with_hidden(embedding, self.interpolation))

    def forward(
        self,
        history: Float[Tensor, "stretch lag neuron"],
        graph: Float[Tensor, "node node"],
        drive_rad: Float[Tensor, "stretch bin"] | None = None,
    ) -> Float[Tensor, "stretch bin neuron"]:
        """Log of the expected spike count of each observed neuron in every bin of stretches."""
        return self.prediction(history, graph, self.interpolation, drive_rad)


def poisson_loss(
    log_rate: Float[Tensor, "*bin neuron"],
    counts: Float[Tensor, "*bin neuron"],
    scored_part: Float[Tensor, "*bin 1"] | float = 1.0,
) -> Float[Tensor, ""]:
    r"""The loss :math:`\sum (λ - x \log λ)` over observed neurons, with λ per bin.

    Where only a part of a bin is scored, as much of λ counts.
    """
    return (log_rate.exp() * scored_part - counts * log_rate).sum()


@torch.no_grad()
def effect_of_a_spike(
    model: YoonModel,
    history: Float[Tensor, "batch lag neuron"],
    graph: Float[Tensor, "node node"],
    presynaptic: Int[Tensor, " batch"],
    lag: Int[Tensor, " batch"],
    drive_rad: Float[Tensor, "batch 1"] | None = None,
) -> Float[Tensor, "batch neuron"]:
    """Change of every neuron's predicted log rate if one neuron had fired one spike more.

    The signs of w and φ are not determined: the model is the same with both negated. So whether a
    weight excites must be measured in the fitted model.
    """
    spiked = history.clone()
    spiked[torch.arange(len(history)), lag, presynaptic] += 1
    changed = model(spiked, graph, drive_rad) - model(history, graph, drive_rad)
    return changed.squeeze(1)


def with_hidden(
    observed: Float[Tensor, "*batch neuron size"], interpolation: Float[Tensor, "hidden neuron"]
) -> Float[Tensor, "*batch node size"]:
    """Values of the observed neurons and, behind them, those interpolated for hidden ones."""
    return torch.cat([observed, interpolation @ observed], dim=-2)


def _draw_weights(model: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's usual starting weights, uniform within ±1/√fan-in, from the given generator."""
    for module in model.modules():
        if isinstance(module, nn.GRUCell):
            fan_in = module.hidden_size
        elif isinstance(module, (nn.Linear, nn.Conv1d)):
            fan_in = module.weight[0].numel()
        else:
            continue
        for parameter in module.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in), generator)
