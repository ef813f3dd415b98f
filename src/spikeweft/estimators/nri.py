"""Neural relational inference (Kipf et al. 2018) on spikes: the ancestor of learned graphs."""

import math
from collections.abc import Iterator
from copy import deepcopy
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from spikeweft.bins import Bins, rebin
from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimators.base import SpikePredictor, check_enough_neurons
from spikeweft.messages import messages
from spikeweft.metrics import bits_per_spike
from spikeweft.recording import Recording
from spikeweft.train import Progress

BIN_S = 1e-3
"""Width of the bins that are predicted; a recording with coarser ticks is binned by its ticks."""

N_KINDS = 2
"""Kinds of edges beside "none", room for excitation and inhibition (chosen)."""

NO_EDGE_PRIOR = 0.9
"""Prior probability that a pair has no edge; the kinds share the rest (the authors' sparse one)."""

TEMPERATURE = 0.5
"""Temperature of the concrete distribution that relaxes the edges (published)."""

N_UNITS = 32
"""Width of every layer (published: 256)."""

LEARNING_RATE = 5e-3
"""Adam's step size at the start (published: 5e-4, for ten times as many steps)."""

LEARNING_RATE_DECAY = 0.8
"""Factor on the step size from one epoch to the next (chosen)."""

BATCHES_PER_EPOCH = 100
"""An epoch is this many gradient steps (chosen)."""

PATIENCE = 3
"""Epochs without a better held-out likelihood after which training stops (chosen)."""

N_ENCODED_PAIRS = 1_280_000
"""Pairs of neurons, over all windows, that the graph of one gradient step is encoded from; so few
neurons are seen in many windows (chosen)."""

N_GRAPH_WINDOWS = 1024
"""Windows, spread over the training part, that the answer is encoded from (chosen)."""

HELD_OUT = 0.1
"""Last part of the recording, set apart to decide when to stop."""

N_HELD_OUT_BINS = 4096
"""Bins, spread evenly over the held-out part, that each epoch is judged by."""

N_PROBES = 2048
"""Moments at which one spike is added to see what the fitted edges do."""

_EVALUATION_BATCH = 256


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
    def edges(self, bins: Bins) -> Float32[Tensor, "post pre kind"]:
        """Probability of each kind of edge, by windows spread over the recording."""
        logits = self.encoder(bins.history(bins.evenly(N_GRAPH_WINDOWS)))
        return without_self(torch.softmax(logits, dim=-1))[..., 1:]


class NRI(SpikePredictor):
    r"""Neural relational inference (Kipf et al. 2018), adapted to spikes.

    An encoder passes messages between neurons and pairs and gives each ordered pair a distribution
    over "no edge" and two kinds of edge; a decoder predicts the next bin's spikes by messages over
    edges drawn from it (concrete distribution). Both are trained on the evidence lower bound: the
    Poisson likelihood less the divergence of the edges from a sparse prior, counted once, since a
    recording has one graph. Training stops early by the likelihood of held-out spikes.

    Kinds have no sign of their own. What one does to the postsynaptic log rate is asked of the
    fitted model: a presynaptic spike is added at random moments, and its effects are regressed on
    the edges' probabilities. A weight is the sum over kinds of probability times effect, in nats
    per presynaptic spike. Ground truth plays no part.

    Parameters
    ----------
    history_window_s
        Window of past spikes that encoder and decoder see.
    n_epochs, batch_size
        Epochs at most, and bins of all neurons per gradient step.
    random_state
        Seed of the starting weights, the batches and the edges drawn in training.

    Attributes
    ----------
    connectivity_
        The inferred circuit.
    edge_probability_
        Probability of each kind of edge, (post, pre, kind).
    effect_
        What a presynaptic spike does to the log rate through an edge of each kind, in nats.
    history_
        Progress after every epoch.
    """

    edge_probability_: Float32[np.ndarray, "post pre kind"]
    effect_: Float[np.ndarray, " kind"]
    history_: list[Progress]

    def __init__(
        self,
        *,
        history_window_s: float = 0.03,
        n_epochs: int = 12,
        batch_size: int = 256,
        random_state: int = 0,
    ) -> None:
        self.history_window_s = history_window_s
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(self, X: Recording, y: None = None) -> Self:  # noqa: ARG002
        """Infer the circuit.

        Raises
        ------
        InputError
            Where the settings or the recording cannot be used.
        """
        self._check(X)
        self.null_rate_hz_ = X.rate_hz
        self.bin_s_ = max(BIN_S, X.tick_s)
        # Edges drawn in training are drawn pair by pair: in an order that the neurons have from
        # their spikes, so that the answer does not depend on that of their labels.
        order = np.argsort(X.n_spikes, kind="stable")
        training = self._fit_model(X.select(order))
        edges = self._model.edges(training)
        self.effect_ = self._effects(training, edges)
        place = np.argsort(order)
        self._edges = edges[place][:, place]
        self._model.decoder.log_mean_count = self._model.decoder.log_mean_count[place]
        self.edge_probability_ = self._edges.numpy()
        fired = X.n_spikes > 0  # a silent neuron has taught the network nothing
        weights = self.edge_probability_.astype(float) @ self.effect_
        self.connectivity_ = Connectivity(
            weights=np.where(fired[:, None] & fired, weights, 0.0),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "nats per spike"},
        )
        return self

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        bins = self._bins(X)
        return _log_likelihood(self._model, self._edges, bins, np.arange(len(bins)))

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        Every millisecond is predicted from the spikes before it and summed over the bin. Where an
        epoch has no full history window yet, the neuron's mean rate is expected.
        """
        self.check_fitted(X)
        bins = self._bins(X)
        expected = np.outer(bins.width_s, self.null_rate_hz_).astype(np.float32)
        everything = np.arange(len(bins))
        for chosen, log_rate in _predictions(self._model, self._edges, bins, everything):
            time = bins.scored[chosen]
            expected[time] = log_rate.exp().numpy() * bins.width_s[time, None]
        return rebin(expected, bins.width_s, X.counts(bin_s).exposure_s)

    def _check(self, X: Recording) -> None:
        check_enough_neurons(X)
        if min(self.n_epochs, self.batch_size) < 1:
            raise InputError(
                f"{self.n_epochs} epochs of {self.batch_size} bins per batch cannot be fitted; "
                "use at least one of each"
            )
        if not max(BIN_S, X.tick_s) <= self.history_window_s < X.duration_s:
            raise InputError(
                f"a history window of {self.history_window_s:g} s does not fit a recording of "
                f"{X.duration_s:g} s in bins of {max(BIN_S, X.tick_s):g} s; use a window of at "
                "least one bin, and a recording longer than the window"
            )

    def _bins(self, X: Recording) -> Bins:
        return Bins.of(X, self.bin_s_, self.history_window_s)

    def _fit_model(self, X: Recording) -> Bins:
        """Train a model, and give back the bins it was trained on."""
        early = X.between(0.0, 1 - HELD_OUT)
        training, held_out = self._bins(early), self._bins(X.between(1 - HELD_OUT, 1.0))
        if min(len(training), len(held_out)) == 0:
            raise InputError(
                f"a recording of {X.duration_s:g} s in {len(X.epochs_s)} epochs leaves nothing to "
                f"train on or to hold out after a history window of {self.history_window_s:g} s; "
                "use a longer recording or a shorter window"
            )
        # Half a spike more, so that a silent neuron has a rate and a logarithm.
        mean_count = torch.from_numpy((early.n_spikes + 0.5) / early.duration_s * self.bin_s_)
        generator = torch.Generator().manual_seed(self.random_state)
        self._model = RelationalModel(training.history_bins, mean_count.log().float(), generator)
        self.history_ = list(self._train(training, held_out, early.rate_hz, generator))
        return training

    def _train(
        self,
        training: Bins,
        held_out: Bins,
        null_rate_hz: Float[np.ndarray, " neuron"],
        generator: torch.Generator,
    ) -> Iterator[Progress]:
        """Train epoch by epoch until held-out spikes gain no more; keeps the best model."""
        model = self._model
        optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, LEARNING_RATE_DECAY)
        best_bits, best_epoch, best = -math.inf, 0, model.state_dict()
        for epoch in range(1, self.n_epochs + 1):
            loss = self._train_one_epoch(epoch, training, optimiser, generator)
            decay.step()
            bits = _held_out_bits(model, model.edges(training), held_out, null_rate_hz)
            if bits > best_bits:
                best_bits, best_epoch, best = bits, epoch, deepcopy(model.state_dict())
            yield Progress(
                stage="training",
                step=epoch,
                n_steps=self.n_epochs,
                loss=loss,
                held_out_bits_per_spike=bits,
            )
            if epoch - best_epoch >= PATIENCE:
                break
        model.load_state_dict(best)

    def _train_one_epoch(
        self,
        epoch: int,
        training: Bins,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> float:
        """Mean of the negative lower bound, in nats per spike, with rates in Hz."""
        rng = np.random.default_rng([self.random_state, epoch])
        bound, n_spikes = 0.0, 0.0
        for step in range(BATCHES_PER_EPOCH):
            counts, part = training.observed(
                chosen := rng.integers(len(training), size=self.batch_size)
            )
            logits = self._model.encoder(
                training.history(rng.integers(len(training), size=n_windows(training)))
            )
            edges = without_self(concrete(logits, generator))[..., 1:]
            log_count = self._model.decoder(training.history(chosen), edges) + part.log()
            batch = (log_count.exp() - counts * log_count).sum()
            # One graph for all bins: each batch bears its share of the divergence.
            # It comes in over the first epoch, or edges would be gone before they are of use.
            share = min(1.0, epoch - 1 + step / BATCHES_PER_EPOCH) * len(chosen) / len(training)
            batch = batch + divergence(logits) * share
            optimiser.zero_grad()
            (batch / counts.numel()).backward()
            optimiser.step()
            bound += float(batch.detach() + (counts * part.log()).sum())
            n_spikes += float(counts.sum())
        return bound / max(n_spikes, 1.0) + math.log(training.bin_s)

    def _effects(
        self, bins: Bins, edges: Float32[Tensor, "post pre kind"]
    ) -> Float[np.ndarray, " kind"]:
        """What a presynaptic spike of the last 10 ms does through each kind (least squares)."""
        rng = np.random.default_rng(self.random_state)
        n = bins.counts.shape[1]
        latest = min(bins.history_bins, max(1, round(0.01 / bins.bin_s)))
        power, product = np.zeros((N_KINDS, N_KINDS)), np.zeros(N_KINDS)
        for _ in range(N_PROBES // _EVALUATION_BATCH):
            history = bins.history(rng.integers(len(bins), size=_EVALUATION_BATCH))
            pre = torch.from_numpy(rng.integers(n, size=_EVALUATION_BATCH))
            ago = torch.from_numpy(rng.integers(1, latest + 1, size=_EVALUATION_BATCH))
            effect = effect_of_a_spike(self._model.decoder, history, edges, pre, ago)
            edge = edges[:, pre].transpose(0, 1)
            others = (torch.arange(n) != pre[:, None]).numpy()
            probability = edge.numpy()[others].astype(float)
            power += probability.T @ probability
            product += probability.T @ effect.numpy()[others]
        return np.linalg.lstsq(power, product, rcond=1e-6)[0]


def n_windows(bins: Bins) -> int:
    """Windows that a graph is encoded from at a time."""
    return int(np.clip(N_ENCODED_PAIRS // bins.counts.shape[1] ** 2, 1, N_GRAPH_WINDOWS))


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


def _predictions(
    model: RelationalModel,
    edges: Float32[Tensor, "post pre kind"],
    bins: Bins,
    chosen: Int[np.ndarray, " sample"],
) -> Iterator[tuple[Int[np.ndarray, " batch"], Float32[Tensor, "batch neuron"]]]:
    """Scored bins and each neuron's log rate in them, in log Hz, some at a time."""
    for start in range(0, len(chosen), _EVALUATION_BATCH):
        part = chosen[start : start + _EVALUATION_BATCH]
        with torch.no_grad():
            log_count = model.decoder(bins.history(part), edges)
        yield part, log_count - math.log(bins.bin_s)


def _log_likelihood(
    model: RelationalModel,
    edges: Float32[Tensor, "post pre kind"],
    bins: Bins,
    chosen: Int[np.ndarray, " sample"],
) -> Float[np.ndarray, " neuron"]:
    total = torch.zeros(bins.counts.shape[1], dtype=torch.float64)
    for part, log_rate in _predictions(model, edges, bins, chosen):
        counts, scored_part = bins.observed(part)
        expected = log_rate.exp() * scored_part * bins.bin_s
        total += (counts * log_rate - expected).sum(0, dtype=torch.float64)
    return total.numpy()


def _held_out_bits(
    model: RelationalModel,
    edges: Float32[Tensor, "post pre kind"],
    held_out: Bins,
    null_rate_hz: Float[np.ndarray, " neuron"],
) -> float:
    """Pooled over neurons, as the loss is: a mean over neurons would heed the rarest most."""
    chosen = held_out.evenly(min(N_HELD_OUT_BINS, len(held_out)))
    time = held_out.scored[chosen]
    return bits_per_spike(
        _log_likelihood(model, edges, held_out, chosen),
        held_out.spikes[torch.from_numpy(time)].sum(0).numpy(),
        float(held_out.exposure_s[time].sum()),
        null_rate_hz,
    ).pooled
