r"""The model of Yoon (NeurIPS 2025): a graph learned from spikes, over which spikes are predicted.

Two modules, trained together on one task, the prediction of the next bin's spikes. Structure
learning makes a weight of each pair of spike trains:

.. math:: z_i = f_\mathrm{out}(\mathrm{vec}(f_\mathrm{Conv1D}(x_i))), \qquad
          w_{ij} = \mathrm{MLP}([z_i, z_j])

`SpikeConvolution`, `ConvolvedEmbedding`, `StructureLearning`. Spike prediction passes messages over
that graph and decodes the rates of Poisson neurons:

.. math:: h_i = f_\mathrm{enc}(x_i), \quad m_{ij} = φ([h_i, h_j]), \quad
          h_i' = \mathrm{GRU}\bigl(\textstyle\sum_j w_{ij} m_{ij}, h_i\bigr), \quad
          \log λ_i = f_\mathrm{dec}(h_i')

`InputEncoder`, `MessagePassing`, `SpikePrediction`; `YoonModel` is both, and `poisson_loss` is
:math:`\sum (λ - x \log λ)`.

This file is in the paper's reading order. Equations are cited by what they define: their numbers
were not checked against the paper. What the paper does not give is chosen here and marked "chosen".
What stands in place of a published part is marked "not published" (`WhitenedEmbedding`,
`symmetric_features`, `TurningInput`). `YoonShape` says where a model departs from the paper, and
`departures` why.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from spikeweft.graph_networks.message_passing import Rows, messages, messages_to
from spikeweft.graph_networks.spike_convolution import rectified_convolution

N_KERNELS = 32
"""Kernels of Conv1D (published)."""

N_PAIR = 32
"""Width of both hidden layers of the MLP from two embeddings to a weight (published)."""

N_SNAPSHOTS = 512
"""Windows of every spike train that its embedding is computed from (chosen)."""

N_EMBEDDING = 16
"""Size of the embedding z_i (chosen)."""

FASTEST, SLOWEST = 0.25, 4.0
"""Time constants of the decays that kernels can start as, in units of τ (chosen)."""

_LEAST_GAP_RAD = 1e-6

EVEN_WEIGHT, UNEVENNESS = 0.2, 0.1
"""Weight of all pairs at an even start, and factor on what makes pairs differ (chosen)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class YoonShape:
    """Sizes and kinds of a model's parts.

    Attributes
    ----------
    history_bins
        Bins of history that a prediction sees, and length of the convolution; published: 2τ.
    tau_bins
        Synaptic time constant τ in bins, about which kernels start as exponential decays; None for
        kernels that start at random.
    n_components
        Coordinates of the whitened trains that embeddings start from (`WhitenedEmbedding`); None
        for embeddings of convolved trains, as published (`ConvolvedEmbedding`).
    symmetric_pairs
        Whether the MLP sees what is the same for (i, j) and (j, i) instead of [z_i, z_j].
    even_start
        Whether the graph starts with nearly the same weight for all pairs, not with the MLP's usual
        ones.
    input_turns
        Whether an external input turns the ring of senders, too (`TurningInput`).
    n_units
        Width of the state h_i, the GRU and the decoder.
    n_message_units, message_width
        Width of the hidden layer of φ, and numbers in a message m_ij.
    """

    history_bins: int
    tau_bins: float | None
    n_components: int | None
    symmetric_pairs: bool
    even_start: bool
    input_turns: bool
    n_units: int
    n_message_units: int
    message_width: int


class SpikeConvolution(nn.Module):
    r"""Conv1D: 32 kernels, ReLU, BatchNorm (Yoon 2025, f_Conv1D of structure learning).

    Both modules look at spikes through these same kernels, which are as long as the history window;
    with the published one, 2τ, each window has one position. The published stride of 0.2τ is that
    between positions along the whole train. Embeddings are read from fewer of them
    (`ConvolvedEmbedding`), and predictions need one before every bin, so no stride is used here.
    """

    def __init__(self, kernel_bins: int) -> None:
        super().__init__()
        self.kernels = nn.Conv1d(1, N_KERNELS, kernel_bins)
        self.norm = nn.BatchNorm1d(N_KERNELS)

    @torch.no_grad()
    def start(self, tau_bins: float) -> None:
        """Add exponential decays, fast to slow, to the kernels drawn."""
        ago = torch.arange(self.kernels.kernel_size[0]).flip(0)
        decay = torch.logspace(math.log10(FASTEST), math.log10(SLOWEST), N_KERNELS) * tau_bins
        self.kernels.weight[:, 0] += torch.exp(-ago / decay[:, None])

    def forward(
        self, counts: Float[Tensor, "stretch time neuron"]
    ) -> Float[Tensor, "stretch position neuron kernel"]:
        """Features of spike counts, one position for each time a kernel fits in."""
        bias = self.kernels.get_parameter("bias")
        features = rectified_convolution(counts, self.kernels.weight[:, 0], bias)
        return self.norm(features.flatten(0, 2)).view(features.shape)


class ConvolvedEmbedding(nn.Module):
    r"""Embeddings of convolved spike trains (Yoon 2025, z_i of structure learning).

    .. math:: z_i = f_\mathrm{out}(\mathrm{vec}(f_\mathrm{Conv1D}(x_i)))

    Published: f_out is a fully connected layer on the convolution of the *whole* train. Over 6.4
    minutes that is 10⁸ weights, a number that grows with the recording, and each step of training
    would convolve hundreds of millions of bins. Here vec takes the convolution at `N_SNAPSHOTS`
    windows spread evenly over the recording, the same ones for all neurons and throughout a fit.
    The layer has a weight of its own for each of these moments, so neurons that are active at
    different moments get different embeddings (a mean over time would make all neurons of a ring
    alike), and its size and cost are fixed; but of a long recording it reads a small part.
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
        features = self.convolution(trains).squeeze(1)
        return self.readout(features.transpose(0, 1).flatten(1))


class WhitenedEmbedding(nn.Module):
    r"""Embeddings of whitened spike trains (`whitened_trains`); not published.

    .. math:: z_i = f_\mathrm{out}(u_i)

    u_i are the coordinates of neuron i along the eigenvectors of the trains' Gram matrix, each as
    large as any other. They take the place of f_Conv1D: no convolution, ReLU or BatchNorm comes
    between the trains and f_out, throughout a fit. f_out starts as the identity on the leading
    `N_EMBEDDING` of them.
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
    r"""From spike trains to a weighted graph (Yoon 2025, w_ij of structure learning).

    .. math:: w_{ij} = \mathrm{MLP}([z_i, z_j])

    With `symmetric_pairs` the MLP sees :math:`[z_i + z_j, (z_i - z_j)^2, z_i z_j]`. The graph has
    no self-connections and is symmetric, as published; of [z_i, z_j] and [z_j, z_i] it takes the
    mean (chosen).
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
        self.even_start = shape.even_start

    @torch.no_grad()
    def start(self) -> None:
        """Start the embedding where it wants to start and, if wanted, all weights alike."""
        self.embedding.start()
        if self.even_start:
            self.pair[-1].get_parameter("weight").mul_(UNEVENNESS)
            self.pair[-1].get_parameter("bias").fill_(EVEN_WEIGHT)

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
    """What is the same for a pair and for the same pair the other way round; not published."""
    return torch.cat([post + pre, (post - pre) ** 2, post * pre], dim=-1)


class InputEncoder(nn.Module):
    r"""What an external input θ(t) adds to each neuron's state (Yoon 2025, the second encoder).

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


class TurningInput(nn.Module):
    r"""An external input θ(t) that turns the ring of senders against receivers; not published.

    Neuron i hears, in the place of neuron j, what would be sent from where

    .. math:: φ_j + gθ + ρ

    on the ring, interpolated between the two nodes there, with a gain g and a rotation ρ that are
    learned; θ lies within (-π, π]. In the published model the input reaches the states of neurons
    alone, while in the simulated circuit it shifts the columns of W.
    """

    angle_rad: Tensor
    order: Tensor

    def __init__(self, angle_rad: Float[np.ndarray, " node"]) -> None:
        super().__init__()
        angle = torch.tensor(angle_rad, dtype=torch.float32) % math.tau
        self.register_buffer("angle_rad", angle)
        self.register_buffer("order", torch.argsort(angle))
        self.gain = nn.Parameter(torch.zeros(()))
        self.rotation_rad = nn.Parameter(torch.zeros(()))

    def forward(
        self, sent: Float[Tensor, "batch node unit"], drive_rad: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch node unit"]:
        """What is heard in the place of each node."""
        turn = self.gain * drive_rad + self.rotation_rad
        place = (self.angle_rad + turn[:, None]) % math.tau
        ascending = self.angle_rad[self.order]
        above = torch.searchsorted(ascending, place.detach(), right=True) % len(ascending)
        below = above - 1
        since = (place - ascending[below]) % math.tau
        gap = (ascending[above] - ascending[below]) % math.tau
        share = (since / gap.clamp(min=_LEAST_GAP_RAD)).clamp(max=1.0)[..., None]
        before, after = (
            torch.take_along_dim(sent, self.order[node][..., None], dim=1)
            for node in (below, above)
        )
        return torch.lerp(before, after, share)


class MessagePassing(nn.Module):
    r"""One round of messages over the graph (Yoon 2025, m_ij of spike prediction).

    .. math:: m_{ij} = φ([h_i, h_j]), \qquad m_i = \sum_j w_{ij}\,m_{ij}

    φ is a perceptron with one hidden layer (chosen). Its first layer is linear in [h_i, h_j] and
    splits into a part for the receiver and one for the sender; its second is linear too and acts
    on the sum. A bias c of the second layer reaches neuron i as :math:`c \sum_j w_{ij}`.

    Where an input turns the ring, it acts on the senders' part, which is linear in their states.
    """

    def __init__(self, shape: YoonShape, turning: TurningInput | None) -> None:
        super().__init__()
        self.turning = turning
        self.receiver = nn.Linear(shape.n_units, shape.n_message_units)
        self.sender = nn.Linear(shape.n_units, shape.n_message_units, bias=False)
        self.second = nn.Linear(shape.n_message_units, shape.message_width)

    def forward(
        self,
        post: Float[Tensor, "batch post unit"],
        pre: Float[Tensor, "batch pre unit"],
        weights: Float[Tensor, "post pre"],
        drive_rad: Float[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch post width"]:
        """Summed message to every postsynaptic neuron."""
        summed = messages(self.receiver(post), self._sent(pre, drive_rad), weights)
        return self._second_layer(summed, weights.sum(1))

    def to_rows(
        self,
        rows: Rows,
        post: Float[Tensor, "row unit"],
        pre: Float[Tensor, "batch pre unit"],
        weights: Float[Tensor, "post pre"],
        drive_rad: Float[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "row width"]:
        """Summed message to some postsynaptic neurons only."""
        summed = messages_to(rows, self.receiver(post), self._sent(pre, drive_rad), weights)
        return self._second_layer(summed, weights.sum(1)[rows.neuron])

    def _sent(
        self, pre: Float[Tensor, "batch pre unit"], drive_rad: Float[Tensor, " batch"] | None
    ) -> Float[Tensor, "batch pre hidden"]:
        sent = self.sender(pre)
        return sent if self.turning is None or drive_rad is None else self.turning(sent, drive_rad)

    def _second_layer(
        self, summed: Float[Tensor, "*row hidden"], total_weight: Float[Tensor, "*#row"]
    ) -> Float[Tensor, "*row width"]:
        return summed @ self.second.weight.T + total_weight[..., None] * self.second.bias


class SpikePrediction(nn.Module):
    r"""From the recent spikes of all neurons, over a graph, to the rate of each.

    Yoon 2025, h_i, h_i' and λ_i of spike prediction:

    .. math:: h_i = f_\mathrm{enc}(x_i), \quad h_i' = \mathrm{GRU}(m_i, h_i), \quad
              \log λ_i = f_\mathrm{dec}(h_i')

    f_enc is the Conv1D of structure learning on the neuron's own history window and a linear layer
    on its features; with an external input its encoding is added to h_i. f_dec has one hidden layer
    (chosen). The GRU takes one step from h_i; no state is carried from bin to bin.
    Hidden neurons take part in the message passing with a state interpolated from their two nearest
    observed neurons. They are never scored, so in this single round nothing depends on what they
    receive, and only what they send is computed.
    """

    def __init__(
        self,
        convolution: SpikeConvolution,
        shape: YoonShape,
        drive_angle_rad: Float[np.ndarray, " node"] | None,
        n_hidden: int,
    ) -> None:
        super().__init__()
        self.convolution = convolution
        self.encoder = nn.Linear(N_KERNELS, shape.n_units)
        self.input: InputEncoder | None = None
        turning: TurningInput | None = None
        if drive_angle_rad is not None:
            of_observed = drive_angle_rad[: len(drive_angle_rad) - n_hidden]
            self.input = InputEncoder(of_observed, shape.n_units)
            turning = TurningInput(drive_angle_rad) if shape.input_turns else None
        self.passing = MessagePassing(shape, turning)
        self.gru = nn.GRUCell(shape.message_width, shape.n_units)
        self.rate = nn.Linear(shape.n_units, 1)
        self.decoder = nn.Sequential(nn.Linear(shape.n_units, shape.n_units), nn.ReLU(), self.rate)

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
        states = self._states(history, drive_rad)
        state, drive = states.flatten(0, 1), None if drive_rad is None else drive_rad.flatten()
        everyone = with_hidden(state, interpolation)
        message = self.passing(state, everyone, graph[: state.shape[1]], drive)
        return self._log_count(message, state).view(states.shape[:3])

    def sampled(
        self,
        history: Float[Tensor, "stretch lag neuron"],
        graph: Float[Tensor, "node node"],
        interpolation: Float[Tensor, "hidden neuron"],
        drive_rad: Float[Tensor, "stretch bin"] | None,
        sample: slice,
        fired: Bool[Tensor, "stretch bin neuron"],
    ) -> tuple[Float[Tensor, "stretch sampled neuron"], Float[Tensor, " spike"]]:
        """What `forward` gives in a sample of the bins, and for neurons where they fired."""
        states = self._states(history, drive_rad)
        n_observed = states.shape[2]
        weights = graph[:n_observed]
        of_sample = states[:, sample].flatten(0, 1)
        drive, in_sample = (
            (None, None)
            if drive_rad is None
            else (drive_rad.flatten(), drive_rad[:, sample].flatten())
        )
        senders = with_hidden(of_sample, interpolation)
        to_sample = self.passing(of_sample, senders, weights, in_sample)
        everyone = states.flatten(0, 1)
        rows = Rows(*fired.flatten(0, 1).nonzero(as_tuple=True))
        of_spikes = everyone[rows.sample, rows.neuron]
        to_spikes = self.passing.to_rows(
            rows, of_spikes, with_hidden(everyone, interpolation), weights, drive
        )
        log_count = self._log_count(
            torch.cat([to_sample.flatten(0, 1), to_spikes]),
            torch.cat([of_sample.flatten(0, 1), of_spikes]),
        )
        of_bins, at_spikes = log_count.split([log_count.numel() - len(of_spikes), len(of_spikes)])
        return of_bins.view(len(states), -1, n_observed), at_spikes

    def _states(
        self,
        history: Float[Tensor, "stretch lag neuron"],
        drive_rad: Float[Tensor, "stretch bin"] | None,
    ) -> Float[Tensor, "stretch bin neuron unit"]:
        """State h_i before each bin of stretches of consecutive ones, from the counts before."""
        states = self.encoder(self.convolution(history))
        if self.input is None or drive_rad is None:
            return states
        return states + self.input(drive_rad.flatten()).view(states.shape)

    def _log_count(
        self, message: Float[Tensor, "*row width"], state: Float[Tensor, "*row unit"]
    ) -> Float[Tensor, " *row"]:
        """Log of the expected count of neurons, from the messages that they get and their state."""
        units = self.gru(message.flatten(0, -2), state.flatten(0, -2))
        return self.decoder(units).view(state.shape[:-1])


class YoonModel(nn.Module):
    """Both modules over one set of observed neurons and, where wanted, hidden ones.

    Parameters
    ----------
    shape
        Sizes and kinds of its parts.
    interpolation
        Hidden neurons as mixtures of observed ones (`ring_interpolation`); no rows for none.
    drive_angle_rad
        Angles of observed neurons and then of hidden ones, relative to which they see an external
        input; None for none.
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
        drive_angle_rad: Float[np.ndarray, " node"] | None,
        log_mean_count: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        convolution = SpikeConvolution(shape.history_bins)
        self.structure = StructureLearning(convolution, shape)
        self.prediction = SpikePrediction(
            convolution, shape, drive_angle_rad, n_hidden=len(interpolation)
        )
        self.register_buffer("interpolation", torch.tensor(interpolation, dtype=torch.float32))
        _draw_weights(self, generator)
        if shape.tau_bins is not None:
            convolution.start(shape.tau_bins)
        self.structure.start()
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

    def sampled(
        self,
        history: Float[Tensor, "stretch lag neuron"],
        graph: Float[Tensor, "node node"],
        drive_rad: Float[Tensor, "stretch bin"] | None,
        sample: slice,
        fired: Bool[Tensor, "stretch bin neuron"],
    ) -> tuple[Float[Tensor, "stretch sampled neuron"], Float[Tensor, " spike"]]:
        """The same in a sample of the bins, and for neurons where they fired."""
        return self.prediction.sampled(history, graph, self.interpolation, drive_rad, sample, fired)


def poisson_loss(
    log_rate: Float[Tensor, "*bin neuron"],
    counts: Float[Tensor, "*bin neuron"],
    scored_part: Float[Tensor, "*bin 1"] | float = 1.0,
) -> Float[Tensor, ""]:
    r"""The loss :math:`\sum (λ - x \log λ)` over observed neurons, with λ per bin (Yoon 2025).

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


@torch.no_grad()
def weight_of_a_spike(
    model: YoonModel,
    graph: Float[Tensor, "node node"],
    presynaptic: Int[Tensor, " batch"],
    drive_rad: Float[Tensor, "batch 1"] | None = None,
) -> Float[Tensor, "batch neuron"]:
    """The weight with which every neuron hears another: w_ij, and what hidden ones pass on of it.

    Where an input turns the ring, that of who is heard in its place.
    """
    turning, n_observed = model.prediction.passing.turning, model.interpolation.shape[1]
    spike = nn.functional.one_hot(presynaptic, n_observed).float()[..., None]
    sent = with_hidden(spike, model.interpolation)
    if turning is not None and drive_rad is not None:
        sent = turning(sent, drive_rad.flatten())
    return sent.squeeze(-1) @ graph[:n_observed].T


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
