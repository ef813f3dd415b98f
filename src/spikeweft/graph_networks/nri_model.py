"""The networks of neural relational inference."""

import math

import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.message_passing import messages

N_KINDS = 2
"""Kinds of edges beside "none", room for excitation and inhibition (chosen)."""

NO_EDGE_PRIOR = 0.9
"""Prior probability that a pair has no edge; the kinds share the rest (the authors' sparse one)."""

TEMPERATURE = 0.5
"""Temperature of the concrete distribution that relaxes the edges (published)."""

N_UNITS = 32
"""Width of every layer (published: 256)."""

N_GRAPH_WINDOWS = 1024
"""Windows, spread over the training part, that the answer is encoded from (chosen)."""


class EdgeEncoder(nn.Module):
    r"""From windows of spikes to the kind of every edge (after Kipf et al. 2018, eqs. 5-8).

    .. math:: h_i = f(x_i), \quad h_i' = f_v([h_i, \textstyle\sum_j f_e([h_i, h_j])]), \quad
              c_{ij} = \mathrm{mean}_{windows}\; r(h_i') \odot s(h_j'), \quad
              \mathrm{logits}_{ij} = f_e'(\mathrm{norm}(c_{ij}))

    In the paper every window is another system with edges of its own. A circuit does not change
    within a recording and has one graph, and one window of a few spikes says next to nothing about
    a pair. So what a pair is known by is averaged over all windows before its logits are computed.
    It is a product of what the receiver i and the sender j do, centred: a covariance of learned
    features, which is also what makes hundreds of windows affordable. Pairs of a ring differ
    little in it, hence the norm, to mean 0 and variance 1 over pairs (the authors' code has
    BatchNorm in its place).
    """

    def __init__(self, window_bins: int) -> None:
        super().__init__()
        self.embed = _perceptron(window_bins, N_UNITS)
        self.receiver = nn.Linear(N_UNITS, N_UNITS)
        self.sender = nn.Linear(N_UNITS, N_UNITS, bias=False)
        self.node = _perceptron(2 * N_UNITS, N_UNITS)
        self.second_receiver = nn.Linear(N_UNITS, N_UNITS)
        self.second_sender = nn.Linear(N_UNITS, N_UNITS)
        self.logits = _perceptron(N_UNITS, 1 + N_KINDS)

    def forward(
        self, windows: Float[Tensor, "window lag neuron"]
    ) -> Float[Tensor, "post pre kind_or_none"]:
        """Logits of "none", first, and of each kind."""
        state = torch.relu(self.embed(windows.transpose(1, 2)))
        n = state.shape[1]
        others = 1 - torch.eye(n)
        pairs = messages(self.receiver(state), self.sender(state), others / (n - 1))
        state = torch.relu(self.node(torch.cat([state, pairs], dim=-1)))
        receiver, sender = self.second_receiver(state), self.second_sender(state)
        receiver, sender = receiver - receiver.mean(0), sender - sender.mean(0)
        covariance = receiver.permute(2, 1, 0) @ sender.permute(2, 0, 1) / len(windows)
        return self.logits(normalised(covariance, others).movedim(0, -1))


def normalised(
    features: Float[Tensor, "unit post pre"], others: Float[Tensor, "post pre"]
) -> Float[Tensor, "unit post pre"]:
    """Features with mean 0 and variance 1 over pairs of different neurons."""
    mean = (features * others).sum((1, 2), keepdim=True) / others.sum()
    centred = (features - mean) * others
    variance = (centred**2).sum((1, 2), keepdim=True) / others.sum()
    return centred / (variance + 1e-12).sqrt()


class SpikeDecoder(nn.Module):
    r"""From the recent spikes of all neurons, over edges, to the rate of each (eqs. 13-16).

    .. math:: m_i = \frac{1}{N - 1} \sum_{jk} z_{ijk}\, φ_k([h_i, h_j]), \quad
              h_i' = \mathrm{GRU}(m_i, h_i), \quad \log λ_i = f_\mathrm{out}(h_i') + \log \bar x_i

    with a message function φ of its own for every kind of edge, and none for "none". Here h_i
    encodes the history of neuron i, the likelihood is Poisson, and a neuron's mean count x̄_i is
    given, which the paper's systems of like particles have no need of.
    """

    log_mean_count: Tensor

    def __init__(self, history_bins: int, log_mean_count: Float32[Tensor, " neuron"]) -> None:
        super().__init__()
        self.register_buffer("log_mean_count", log_mean_count)
        self.encoder = nn.Linear(history_bins, N_UNITS)
        self.receivers = nn.ModuleList(nn.Linear(N_UNITS, N_UNITS) for _ in range(N_KINDS))
        self.senders = nn.ModuleList(
            nn.Linear(N_UNITS, N_UNITS, bias=False) for _ in range(N_KINDS)
        )
        self.seconds = nn.ModuleList(
            nn.Linear(N_UNITS, N_UNITS, bias=False) for _ in range(N_KINDS)
        )
        self.gru = nn.GRUCell(N_UNITS, N_UNITS)
        self.out = _perceptron(N_UNITS, 1)

    def forward(
        self, history: Float[Tensor, "batch lag neuron"], edges: Float[Tensor, "post pre kind"]
    ) -> Float[Tensor, "batch neuron"]:
        """Log of the expected count of each neuron in the bin after the history."""
        state = torch.relu(self.encoder(history.transpose(1, 2)))
        n = state.shape[1]
        message = torch.zeros(())
        for kind, second in enumerate(self.seconds):
            receiver, sender = self.receivers[kind](state), self.senders[kind](state)
            message = message + second(messages(receiver, sender, edges[..., kind] / (n - 1)))
        updated = self.gru(message.flatten(0, 1), state.flatten(0, 1))
        return self.out(updated).view(-1, n) + self.log_mean_count


class RelationalModel(nn.Module):
    """Encoder and decoder, with starting weights from `generator`."""

    def __init__(
        self,
        history_bins: int,
        log_mean_count: Float32[Tensor, " neuron"],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.encoder = EdgeEncoder(history_bins)
        self.decoder = SpikeDecoder(history_bins, log_mean_count)
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.GRUCell)):
                # PyTorch's usual starting weights, which would come from the global generator.
                for parameter in module.parameters(recurse=False):
                    bound = 1 / math.sqrt(_fan_in(module))
                    nn.init.uniform_(parameter, -bound, bound, generator=generator)

    @torch.no_grad()
    def edges(self, bins: BinnedHistory) -> Float32[Tensor, "post pre kind"]:
        """Probability of each kind of edge, by windows spread over the recording."""
        logits = self.encoder(bins.history(bins.evenly(N_GRAPH_WINDOWS)))
        return without_self(torch.softmax(logits, dim=-1))[..., 1:]


@torch.no_grad()
def effect_of_a_spike(
    decoder: SpikeDecoder,
    history: Float[Tensor, "batch lag neuron"],
    edges: Float[Tensor, "post pre kind"],
    presynaptic: Int[Tensor, " batch"],
    ago: Int[Tensor, " batch"],
) -> Float[Tensor, "batch neuron"]:
    """Change of every log rate if one neuron had fired one spike more, so many bins ago."""
    spiked = history.clone()
    spiked[torch.arange(len(history)), -ago, presynaptic] += 1
    return decoder(spiked, edges) - decoder(history, edges)


def concrete(
    logits: Float[Tensor, "post pre kind_or_none"], generator: torch.Generator
) -> Float[Tensor, "post pre kind_or_none"]:
    """A draw from the concrete distribution of each pair's edge (eq. 12)."""
    gumbel = -torch.empty_like(logits).exponential_(generator=generator).log()
    return torch.softmax((logits + gumbel) / TEMPERATURE, dim=-1)


def divergence(logits: Float[Tensor, "post pre kind_or_none"]) -> Float[Tensor, ""]:
    """Divergence of all edges, self-connections left out, from the sparse prior, in nats."""
    prior = torch.full((1 + N_KINDS,), (1 - NO_EDGE_PRIOR) / N_KINDS)
    prior[0] = NO_EDGE_PRIOR
    log_probability = torch.log_softmax(logits, dim=-1)
    return without_self(log_probability.exp() * (log_probability - prior.log())).sum()


def without_self(
    of_pairs: Float[Tensor, "post pre kind_or_none"],
) -> Float[Tensor, "post pre kind_or_none"]:
    """The values with zeros from each neuron to itself."""
    return of_pairs * (1 - torch.eye(len(of_pairs)))[..., None]


def _perceptron(n_in: int, n_out: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_in, N_UNITS), nn.ReLU(), nn.Linear(N_UNITS, n_out))


def _fan_in(module: nn.Linear | nn.GRUCell) -> int:
    return module.hidden_size if isinstance(module, nn.GRUCell) else module.in_features
