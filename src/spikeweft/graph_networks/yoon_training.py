"""Training of the published model."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import (
    BestEpoch,
    LogCounts,
    as_tensors,
    held_out_bits,
)
from spikeweft.graph_networks.yoon_model import N_SNAPSHOTS, YoonModel, poisson_loss
from spikeweft.runtime.training_loop import Progress

LEARNING_RATE = 5e-4
"""Adam's step size at the start (published)."""

LEARNING_RATE_DECAY = 0.97
"""Factor on the step size from one epoch to the next (exponential, as published; rate chosen)."""

BATCHES_PER_EPOCH = 200
"""An epoch is at most this many batches, drawn without replacement (chosen)."""

PATIENCE = 10
"""Epochs without a better held-out likelihood after which training stops (chosen)."""


class TrainingSettings(NamedTuple):
    """How long and with which batches to train."""

    n_epochs: int
    batch_size: int
    random_state: int


class YoonFit:
    """Training of one model on one recording, epoch by epoch; a `Trainable`."""

    def __init__(
        self,
        settings: TrainingSettings,
        model: YoonModel,
        training: BinnedHistory,
        held_out: BinnedHistory,
        null_rate_hz: Float[np.ndarray, " neuron"],
    ) -> None:
        self.settings, self.model = settings, model
        self.training, self.held_out, self.null_rate_hz = training, held_out, null_rate_hz
        self.snapshots = training.history(training.evenly(N_SNAPSHOTS))
        self.optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self.best = BestEpoch(model, PATIENCE)

    def advance(self) -> Progress | None:
        """Train for one epoch; None after the last one, or once held-out spikes gain no more."""
        if self.best.epoch == self.settings.n_epochs or self.best.is_past:
            return None
        started = time.perf_counter()
        loss = self._train_one_epoch()
        bits = held_out_bits(
            log_counts(self.model, self._graph(), self.held_out), self.held_out, self.null_rate_hz
        )
        self.best.judge(bits)
        n_epochs_left = self.settings.n_epochs - self.best.epoch
        return Progress(
            stage="training",
            step=self.best.epoch,
            loss=loss,
            held_out_bits_per_spike=bits,
            seconds_left=n_epochs_left * (time.perf_counter() - started),
        )

    def state(self) -> dict[str, np.ndarray]:
        """Weights, the best ones so far, Adam's moments and the counters, by name."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        for i, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": t for name, t in moments.items()}
        arrays = {name: t.numpy().copy() for name, t in tensors.items()}
        return arrays | self.best.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` gave."""
        self.model.load_state_dict(as_tensors(state, "model.", self.model.state_dict()))
        self.best.restore(state)
        moments = {
            i: as_tensors(
                state,
                f"adam.{i}.",
                {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter},
            )
            for i, parameter in enumerate(self.model.parameters())
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def finish(self) -> Float32[Tensor, "node node"]:
        """Go back to the best weights, and compute their graph."""
        self.best.take()
        return self._graph()

    def _train_one_epoch(self) -> float:
        """Mean loss in nats per spike, with rates in Hz."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = LEARNING_RATE * LEARNING_RATE_DECAY**self.best.epoch
        loss, n_spikes = 0.0, 0.0
        for chosen in self._batches():
            counts, part = self.training.observed(chosen)
            self.optimiser.zero_grad()
            log_rate = self.model(
                self.training.history(chosen),
                self.model.graph(self.snapshots),
                self.training.drive(chosen),
            )
            batch_loss = poisson_loss(log_rate + part.log(), counts)
            (batch_loss / counts.numel()).backward()
            self.optimiser.step()
            loss += float(batch_loss.detach() + (counts * part.log()).sum())
            n_spikes += float(counts.sum())
        return loss / max(n_spikes, 1.0) + math.log(self.training.bin_s)

    def _batches(self) -> Iterator[Int[np.ndarray, " batch"]]:
        rng = np.random.default_rng([self.settings.random_state, self.best.epoch])
        size = self.settings.batch_size
        order = rng.permutation(len(self.training))[: BATCHES_PER_EPOCH * size]
        yield from (order[start : start + size] for start in range(0, len(order), size))

    @torch.no_grad()
    def _graph(self) -> Float32[Tensor, "node node"]:
        self.model.eval()
        return self.model.graph(self.snapshots)


def log_counts(
    model: YoonModel, graph: Float32[Tensor, "node node"], bins: BinnedHistory
) -> LogCounts:
    """Predictions of a model in these bins, over a graph."""
    model.eval()
    return lambda chosen: model(bins.history(chosen), graph, bins.drive(chosen))


def drive_at(
    X: Recording, name: str | None, times_s: Float[np.ndarray, " time"]
) -> Float32[Tensor, " time"] | None:
    """The drive of this name at each time; none where no name is given.

    Raises
    ------
    InputError
        Where the recording has no such covariate.
    """
    if name is None:
        return None
    refuse(
        name not in X.covariates,
        f"the recording has no covariate {name!r} but {sorted(X.covariates) or 'none'}; "
        "name one of its covariates, or set drive to None",
    )
    return torch.from_numpy(X.covariates[name].at(times_s)).float()


def refuse(bad: bool, sentence: str) -> None:
    """Raise an `InputError` where something is bad."""
    if bad:
        raise InputError(sentence)
