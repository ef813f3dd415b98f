r"""The model of Yoon (NeurIPS 2025): a graph learned from spikes, over which spikes are predicted.

Two modules, trained together on one task, the prediction of the next millisecond's spikes:

- structure learning turns each neuron's spike train into an embedding z_i, and each pair of
  embeddings into a synaptic weight, :math:`w_{ij} = \mathrm{MLP}([z_i, z_j])`;
- spike prediction passes messages over that graph and decodes the rates λ_i of Poisson neurons.

This file is the published model, in the paper's reading order. What the paper does not give (the
sizes of z, φ, the GRU and the decoder) is chosen here and marked "chosen". One thing departs from
it and is explained at `StructureLearning`: the size of the model does not grow with the recording.
"""

import math

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

N_HIDDEN_UNITS = 64
"""Width of the state h_i, the message function φ, the GRU and the decoder (chosen)."""


class SpikeConvolution(nn.Module):
    r"""Conv1D: 32 kernels of length 2τ at a stride of 0.2τ, ReLU, BatchNorm.

    Both modules look at spikes through these same kernels. In- and output are windows of one spike
    train each; every position of the kernels within the window gives 32 features.
    """

    def __init__(self, kernel_bins: int, stride_bins: int) -> None:
        super().__init__()
        self.kernel_bins, self.stride_bins = kernel_bins, stride_bins
        # As many short windows as there are here run several times faster as a matrix product
        # than through nn.Conv1d.
        self.kernels = nn.Linear(kernel_bins, N_KERNELS)
        self.norm = nn.BatchNorm1d(N_KERNELS)

    def n_features(self, window_bins: int) -> int:
        """Features of a window this long."""
        return N_KERNELS * ((window_bins - self.kernel_bins) // self.stride_bins + 1)

    def forward(self, window: Float[Tensor, "*train lag"]) -> Float[Tensor, "*train feature"]:
        """Features of windows of spike counts."""
        positions = window.unfold(-1, self.kernel_bins, self.stride_bins)
        rectified = torch.relu(self.kernels(positions))
        return self.norm(rectified.reshape(-1, N_KERNELS)).reshape(*window.shape[:-1], -1)


class StructureLearning(nn.Module):
    r"""From spike trains to a weighted graph.

    .. math:: z_i = f_\mathrm{out}(\mathrm{vec}(f_\mathrm{Conv1D}(x_i))), \qquad
              w_{ij} = \mathrm{MLP}([z_i, z_j])

    Published: f_out is a fully connected layer on the convolution of the *whole* train. Over 6.4
    minutes that is 2·10⁸ weights, a number that grows with the recording, and each step of training
    would convolve hundreds of millions of bins. Here vec takes the convolution at `N_SNAPSHOTS`
    windows spread evenly over the recording, the same ones for all neurons and throughout a fit.
    The layer keeps what makes the published one work, a weight of its own for every moment, so
    neurons that are active at different moments get different embeddings (a mean over time would
    make all neurons of a ring alike), but its size and cost are fixed.

    The graph has no self-connections and is symmetric, as published.
    """

    def __init__(self, convolution: SpikeConvolution) -> None:
        super().__init__()
        self.convolution = convolution
        n_features = convolution.n_features(convolution.kernel_bins)
        self.readout = nn.Linear(N_SNAPSHOTS * n_features, N_EMBEDDING)
        self.pair = nn.Sequential(
            nn.Linear(2 * N_EMBEDDING, N_PAIR),
            nn.ReLU(),
            nn.Linear(N_PAIR, N_PAIR),
            nn.ReLU(),
            nn.Linear(N_PAIR, 1),
        )

    def embed(
        self, snapshots: Float[Tensor, "snapshot lag neuron"]
    ) -> Float[Tensor, "neuron embedding"]:
        """Embedding z_i of every observed neuron."""
        features = self.convolution(snapshots[:, -self.convolution.kernel_bins :].movedim(-1, 0))
        return self.readout(features.flatten(1))

    def forward(self, embedding: Float[Tensor, "node embedding"]) -> Float[Tensor, "node node"]:
        """Weights w_ij, from node j to node i, of the complete graph over these nodes."""
        n = len(embedding)
        pairs = torch.cat(
            [embedding[:, None].expand(n, n, -1), embedding[None].expand(n, n, -1)], dim=-1
        )
        weights = self.pair(pairs).squeeze(-1)
        weights = (weights + weights.T) / 2
        return weights * (1 - torch.eye(n))


class InputEncoder(nn.Module):
    r"""What an external input θ(t) adds to each neuron's state.

    Neuron i sees θ relative to its own angle, 2πi/N on a ring, plus one learned rotation ρ that all
    share: the input's origin is not known.

    .. math:: f_\mathrm{in}(\cos(θ - φ_i + ρ), \sin(θ - φ_i + ρ))
    """

    angle_rad: Tensor

    def __init__(self, angle_rad: Float[np.ndarray, " neuron"]) -> None:
        super().__init__()
        self.register_buffer("angle_rad", torch.tensor(angle_rad, dtype=torch.float32))
        self.rotation_rad = nn.Parameter(torch.zeros(()))
        self.encoder = nn.Sequential(
            nn.Linear(2, N_HIDDEN_UNITS), nn.ReLU(), nn.Linear(N_HIDDEN_UNITS, N_HIDDEN_UNITS)
        )

    def forward(self, drive_rad: Float[Tensor, " batch"]) -> Float[Tensor, "batch neuron unit"]:
        """Encoding of the input for every neuron."""
        relative = drive_rad[:, None] - self.angle_rad + self.rotation_rad
        return self.encoder(torch.stack([relative.cos(), relative.sin()], dim=-1))


class MessagePassing(nn.Module):
    r"""One round of messages over the graph.

    .. math:: m_{ij} = φ([h_i, h_j]), \qquad m_i = \sum_j w_{ij}\,m_{ij}

    φ is a perceptron with one hidden layer (chosen). Its first layer is linear in [h_i, h_j] and
    splits into a part for the receiver and one for the sender; its second is linear too and acts
    on the sum. A bias c of the second layer reaches neuron i as :math:`c \sum_j w_{ij}`. A message
    m_ij is `width` numbers.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.receiver = nn.Linear(N_HIDDEN_UNITS, N_HIDDEN_UNITS)
        self.sender = nn.Linear(N_HIDDEN_UNITS, N_HIDDEN_UNITS, bias=False)
        self.second = nn.Linear(N_HIDDEN_UNITS, width)

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

    f_enc is the Conv1D of structure learning on the neuron's own history window and a linear layer;
    with an external input its encoding is added to h_i. Hidden neurons take part in the message
    passing with a state interpolated from their two nearest observed neurons. They are never
    scored, so in this single round nothing depends on what they receive, and only what they send
    is computed.
    """

    def __init__(
        self,
        convolution: SpikeConvolution,
        *,
        history_bins: int,
        drive_angle_rad: Float[np.ndarray, " neuron"] | None,
        message_width: int,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.encoder = nn.Linear(convolution.n_features(history_bins), N_HIDDEN_UNITS)
        self.input = None if drive_angle_rad is None else InputEncoder(drive_angle_rad)
        self.passing = MessagePassing(message_width)
        self.gru = nn.GRUCell(message_width, N_HIDDEN_UNITS)
        self.rate = nn.Linear(N_HIDDEN_UNITS, 1)
        self.decoder = nn.Sequential(
            nn.Linear(N_HIDDEN_UNITS, N_HIDDEN_UNITS), nn.ReLU(), self.rate
        )

    def forward(
        self,
        history: Float[Tensor, "batch lag neuron"],
        graph: Float[Tensor, "node node"],
        interpolation: Float[Tensor, "hidden neuron"],
        drive_rad: Float[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch neuron"]:
        """Log of the expected spike count of each observed neuron in the bin after the history."""
        state = self.encoder(self.convolution(history.transpose(1, 2)))
        if self.input is not None and drive_rad is not None:
            state = state + self.input(drive_rad)
        n_observed = history.shape[-1]
        message = self.passing(state, with_hidden(state, interpolation), graph[:n_observed])
        updated = self.gru(message.flatten(0, 1), state.flatten(0, 1))
        return self.decoder(updated).view(-1, n_observed)


class YoonModel(nn.Module):
    """Both modules over one set of observed neurons and, where wanted, hidden ones.

    Parameters
    ----------
    kernel_bins, stride_bins
        Length 2τ and stride 0.2τ of the convolution in bins.
    history_bins
        Bins of history that a prediction sees, at least `kernel_bins`.
    interpolation
        Hidden neurons as mixtures of observed ones (`ring_interpolation`); no rows for none.
    drive_angle_rad
        Angles of the observed neurons relative to which they see an external input; None for none.
    log_mean_count
        Log of the mean spike count per bin, where the decoder starts.
    generator
        Draws the starting weights.
    message_width
        Numbers in a message m_ij.
    """

    interpolation: Tensor

    def __init__(
        self,
        *,
        kernel_bins: int,
        stride_bins: int,
        history_bins: int,
        interpolation: Float[np.ndarray, "hidden neuron"],
        drive_angle_rad: Float[np.ndarray, " neuron"] | None,
        log_mean_count: float,
        generator: torch.Generator,
        message_width: int = N_HIDDEN_UNITS,
    ) -> None:
        super().__init__()
        convolution = SpikeConvolution(kernel_bins, stride_bins)
        self.structure = StructureLearning(convolution)
        self.prediction = SpikePrediction(
            convolution,
            history_bins=history_bins,
            drive_angle_rad=drive_angle_rad,
            message_width=message_width,
        )
        self.register_buffer("interpolation", torch.tensor(interpolation, dtype=torch.float32))
        _draw_weights(self, generator)
        nn.init.constant_(self.prediction.rate.bias, log_mean_count)

    def graph(self, snapshots: Float[Tensor, "snapshot lag neuron"]) -> Float[Tensor, "node node"]:
        """Weights among observed neurons and, behind them, hidden ones."""
        embedding = self.structure.embed(snapshots)
        return self.structure(with_hidden(embedding, self.interpolation))

    def forward(
        self,
        history: Float[Tensor, "batch lag neuron"],
        graph: Float[Tensor, "node node"],
        drive_rad: Float[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch neuron"]:
        """Log of the expected spike count of each observed neuron in the bin after the history."""
        return self.prediction(history, graph, self.interpolation, drive_rad)


def poisson_loss(
    log_rate: Float[Tensor, "batch neuron"], counts: Float[Tensor, "batch neuron"]
) -> Float[Tensor, ""]:
    r"""The loss :math:`\sum (λ - x \log λ)` over observed neurons, with λ per bin."""
    return (log_rate.exp() - counts * log_rate).sum()


@torch.no_grad()
def effect_of_a_spike(
    model: YoonModel,
    history: Float[Tensor, "batch lag neuron"],
    graph: Float[Tensor, "node node"],
    presynaptic: Int[Tensor, " batch"],
    lag: Int[Tensor, " batch"],
    drive_rad: Float[Tensor, " batch"] | None = None,
) -> Float[Tensor, "batch neuron"]:
    """Change of every neuron's predicted log rate if one neuron had fired one spike more.

    The signs of w and φ are not determined: the model is the same with both negated. So whether a
    weight excites must be measured in the fitted model.
    """
    spiked = history.clone()
    spiked[torch.arange(len(history)), lag, presynaptic] += 1
    return model(spiked, graph, drive_rad) - model(history, graph, drive_rad)


def with_hidden(
    observed: Float[Tensor, "*batch neuron size"], interpolation: Float[Tensor, "hidden neuron"]
) -> Float[Tensor, "*batch node size"]:
    """Values of the observed neurons and, behind them, those interpolated for hidden ones."""
    return torch.cat([observed, interpolation @ observed], dim=-2)


def _draw_weights(model: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's usual starting weights, uniform within ±1/√fan-in, from the given generator."""
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.GRUCell)):
            fan_in = module.hidden_size if isinstance(module, nn.GRUCell) else module.in_features
            bound = 1 / math.sqrt(fan_in)
            for parameter in module.parameters():
                nn.init.uniform_(parameter, -bound, bound, generator=generator)
