"""Neural relational inference (Kipf et al. 2018) on spikes: the ancestor of learned graphs."""

import math
from collections.abc import Iterator
from typing import Self

import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import check_enough_neurons, check_whole_numbers
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import (
    BIN_S,
    EVALUATION_BATCH,
    N_PROBES,
    BestEpoch,
    BinnedPredictor,
    LogCounts,
    check_finite,
    held_out_bits,
)
from spikeweft.graph_networks.nri_model import (
    N_GRAPH_WINDOWS,
    N_KINDS,
    RelationalModel,
    concrete,
    divergence,
    effect_of_a_spike,
    without_self,
)
from spikeweft.runtime.training_loop import Progress

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

LEAST_WINDOWS = 16
"""Windows that a graph is encoded from at least, since pairs are told apart by how what they do
varies from window to window (chosen)."""


class NRI(BinnedPredictor):
    r"""Neural relational inference (Kipf et al. 2018), adapted to spikes.

    An encoder passes messages between neurons and pairs and gives each ordered pair a distribution
    over "no edge" and two kinds of edge; a decoder predicts the next bin's spikes by messages over
    edges drawn from it (concrete distribution). Both are trained on the evidence lower bound: the
    Poisson likelihood less the divergence of the edges from a sparse prior, counted once, since a
    recording has one graph. Training stops early by the likelihood of held-out spikes.

    Kinds of edges have no sign. Their effect on the postsynaptic log rate is measured in the fitted
    model: a presynaptic spike is added at random moments, and the changes are regressed on the
    edges' probabilities. A weight is the sum over kinds of probability times effect, in nats
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
        bin_s = max(BIN_S, X.time_resolution_s)
        # Edges drawn in training are drawn pair by pair: in an order that the neurons have from
        # their spikes, so that the answer does not depend on that of their labels.
        order = np.lexsort((np.bincount(X.spike_neurons, X.spike_times_s, X.n_neurons), X.n_spikes))
        model, training, history = self._fit_model(X.select(order), bin_s)
        edges = model.edges(training)
        effect = self._effects(model, training, edges)
        place = np.argsort(order)
        model.decoder.log_mean_count = model.decoder.log_mean_count[place]
        self._model, self._edges = model, edges[place][:, place]
        self.bin_s_, self.null_rate_hz_ = bin_s, X.rate_hz
        self.history_, self.effect_ = history, effect
        self.edge_probability_ = self._edges.numpy()
        # A neuron that was silent in training has taught the network nothing.
        fired = training.counts.sum(0).numpy()[place] > 0
        weights = self.edge_probability_.astype(float) @ self.effect_
        self.connectivity_ = Connectivity(
            weights=np.where(fired[:, None] & fired, weights, 0.0),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "nats per spike"},
        )
        return self

    def _check(self, X: Recording) -> None:
        check_enough_neurons(X)
        check_whole_numbers(self, n_epochs=1, batch_size=1)
        if not max(BIN_S, X.time_resolution_s) <= self.history_window_s < X.duration_s:
            raise InputError(
                f"a history window of {self.history_window_s:g} s does not fit a recording of "
                f"{X.duration_s:g} s in bins of {max(BIN_S, X.time_resolution_s):g} s; use a "
                "window of at least one bin, and a recording longer than the window"
            )

    def _bins(self, X: Recording, bin_s: float) -> BinnedHistory:
        return BinnedHistory.of(X, bin_s, self.history_window_s)

    def _log_counts(self, bins: BinnedHistory) -> LogCounts:
        return _decoded(self._model, bins, self._edges)

    def _fit_model(
        self, X: Recording, bin_s: float
    ) -> tuple[RelationalModel, BinnedHistory, list[Progress]]:
        """A trained model, the bins it was trained on, and how it went."""
        early, training, held_out = self._training_parts(X, bin_s)
        # Half a spike more, so that a silent neuron has a rate and a logarithm.
        mean_count = torch.from_numpy((early.n_spikes + 0.5) / early.duration_s * bin_s)
        generator = torch.Generator().manual_seed(int(self.random_state))
        model = RelationalModel(training.history_bins, mean_count.log().float(), generator)
        history = list(self._train(model, training, held_out, early.rate_hz, generator))
        return model, training, history

    def _train(
        self,
        model: RelationalModel,
        training: BinnedHistory,
        held_out: BinnedHistory,
        null_rate_hz: Float[np.ndarray, " neuron"],
        generator: torch.Generator,
    ) -> Iterator[Progress]:
        """Train epoch by epoch until held-out spikes gain no more; keeps the best model."""
        optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        decay = torch.optim.lr_scheduler.ExponentialLR(optimiser, LEARNING_RATE_DECAY)
        best = BestEpoch(model, PATIENCE)
        while best.epoch < self.n_epochs and not best.is_past:
            loss = self._train_one_epoch(model, best.epoch + 1, training, optimiser, generator)
            decay.step()
            log_counts = _decoded(model, held_out, model.edges(training))
            bits = held_out_bits(log_counts, held_out, null_rate_hz)
            best.judge(bits)
            yield check_finite(
                Progress(stage="training", step=best.epoch, loss=loss, held_out_bits_per_spike=bits)
            )
        best.take()

    def _train_one_epoch(
        self,
        model: RelationalModel,
        epoch: int,
        training: BinnedHistory,
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
            logits = model.encoder(
                training.history(rng.integers(len(training), size=n_windows(training)))
            )
            edges = without_self(concrete(logits, generator))[..., 1:]
            log_count = model.decoder(training.history(chosen), edges) + part.log()
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
        self,
        model: RelationalModel,
        bins: BinnedHistory,
        edges: Float32[Tensor, "post pre kind"],
    ) -> Float[np.ndarray, " kind"]:
        """Effect of a presynaptic spike of the last 10 ms through each kind (least squares)."""
        rng = np.random.default_rng(self.random_state)
        n = bins.counts.shape[1]
        latest = min(bins.history_bins, max(1, round(0.01 / bins.bin_s)))
        power, product = np.zeros((N_KINDS, N_KINDS)), np.zeros(N_KINDS)
        for _ in range(N_PROBES // EVALUATION_BATCH):
            history = bins.history(rng.integers(len(bins), size=EVALUATION_BATCH))
            pre = torch.from_numpy(rng.integers(n, size=EVALUATION_BATCH))
            ago = torch.from_numpy(rng.integers(1, latest + 1, size=EVALUATION_BATCH))
            effect = effect_of_a_spike(model.decoder, history, edges, pre, ago)
            edge = edges[:, pre].transpose(0, 1)
            others = (torch.arange(n) != pre[:, None]).numpy()
            probability = edge.numpy()[others].astype(float)
            power += probability.T @ probability
            product += probability.T @ effect.numpy()[others]
        return np.linalg.lstsq(power, product, rcond=1e-6)[0]


def _decoded(
    model: RelationalModel, bins: BinnedHistory, edges: Float32[Tensor, "post pre kind"]
) -> LogCounts:
    """Predictions of a model in these bins, over edges."""
    return lambda chosen: model.decoder(bins.history(chosen), edges)


def n_windows(bins: BinnedHistory) -> int:
    """Windows that a graph is encoded from at a time."""
    n_windows = N_ENCODED_PAIRS // bins.counts.shape[1] ** 2
    return int(np.clip(n_windows, LEAST_WINDOWS, N_GRAPH_WINDOWS))
