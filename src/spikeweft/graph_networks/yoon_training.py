"""Training of the published model."""

import math
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.metrics import bits_per_spike
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.yoon_model import N_SNAPSHOTS, CircuitModel, poisson_loss
from spikeweft.runtime.training_loop import Progress

LEARNING_RATE = 5e-4


"""Adam's step size at the start (published)."""


LEARNING_RATE_DECAY = 0.97


"""Factor on the step size from one epoch to the next (exponential, as published; rate chosen)."""


BATCHES_PER_EPOCH = 200


"""An epoch is at most this many batches, drawn without replacement (chosen)."""


PATIENCE = 10


"""Epochs without a better held-out likelihood after which training stops (chosen)."""


N_HELD_OUT_BINS = 4096


"""BinnedHistory, spread evenly over the held-out part, that each epoch is judged by."""


EVALUATION_BATCH = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class DrivenHistory(BinnedHistory):
    """A recording in bins, with the external drive in each of them, where there is one."""

    drive_rad: Float32[Tensor, " time"] | None

    @classmethod
    def under(cls, drive: str | None, bins: BinnedHistory, X: Recording) -> Self:
        """Add the drive, by its name, to the bins of a recording."""
        drive_rad = _drive(X, drive, bins.start_s + bins.bin_s / 2)
        return cls(
            **{f.name: getattr(bins, f.name) for f in fields(BinnedHistory)}, drive_rad=drive_rad
        )

    def drive(self, chosen: Int[np.ndarray, " batch"]) -> Float32[Tensor, " batch"] | None:
        """The external drive in the chosen scored bins."""
        return None if self.drive_rad is None else self.drive_rad[self.scored[chosen]]


class TrainingSettings(NamedTuple):
    """How long and with which batches to train."""

    n_epochs: int
    batch_size: int
    random_state: int


class YoonFit:
    """Training of one model on one recording, epoch by epoch; a `train.Trainable`."""

    def __init__(
        self,
        settings: TrainingSettings,
        model: CircuitModel,
        training: DrivenHistory,
        held_out: DrivenHistory,
        null_rate_hz: Float[np.ndarray, " neuron"],
    ) -> None:
        self.settings, self.model = settings, model
        self.training, self.held_out, self.null_rate_hz = training, held_out, null_rate_hz
        self.snapshots = training.history(training.evenly(N_SNAPSHOTS))
        self.optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
        self.epoch = 0
        self.best_epoch = 0
        self.best_bits = -math.inf
        self.best = deepcopy(model.state_dict())

    def advance(self) -> Progress | None:
        """Train for one epoch; None after the last one, or once held-out spikes gain no more."""
        if self.epoch == self.settings.n_epochs or self.epoch - self.best_epoch >= PATIENCE:
            return None
        loss = self._train_one_epoch()
        self.epoch += 1
        bits = self._held_out_bits()
        if bits > self.best_bits:
            self.best_epoch, self.best_bits = self.epoch, bits
            self.best = deepcopy(self.model.state_dict())
        return Progress(
            stage="training",
            step=self.epoch,
            n_steps=self.settings.n_epochs,
            loss=loss,
            held_out_bits_per_spike=bits,
        )

    def state(self) -> dict[str, np.ndarray]:
        """Weights, the best ones so far, Adam's moments and the counters, by name."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        tensors |= {f"best.{name}": t for name, t in self.best.items()}
        for i, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": t for name, t in moments.items()}
        arrays = {name: t.numpy().copy() for name, t in tensors.items()}
        return arrays | {
            "epochs": np.array([self.epoch, self.best_epoch]),
            "best_bits": np.array([self.best_bits]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` gave."""
        shapes = self.model.state_dict()
        self.model.load_state_dict(as_tensors(state, "model.", shapes))
        self.best = as_tensors(state, "best.", shapes)
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
        self.epoch, self.best_epoch = (int(epoch) for epoch in state["epochs"])
        self.best_bits = float(state["best_bits"][0])

    def finish(self) -> Float32[Tensor, "node node"]:
        """Go back to the best weights, and compute their graph."""
        self.model.load_state_dict(self.best)
        return self._graph()

    def _train_one_epoch(self) -> float:
        """Mean loss in nats per spike, with rates in Hz."""
        self.model.train()
        for group in self.optimiser.param_groups:
            group["lr"] = LEARNING_RATE * LEARNING_RATE_DECAY**self.epoch
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
        rng = np.random.default_rng([self.settings.random_state, self.epoch])
        size = self.settings.batch_size
        order = rng.permutation(len(self.training))[: BATCHES_PER_EPOCH * size]
        yield from (order[start : start + size] for start in range(0, len(order), size))

    def _held_out_bits(self) -> float:
        """Pooled over neurons, as the loss is: a mean over neurons would heed the rarest most."""
        chosen = self.held_out.evenly(min(N_HELD_OUT_BINS, len(self.held_out)))
        time = self.held_out.scored[chosen]
        return bits_per_spike(
            log_likelihood_of(self.model, self._graph(), self.held_out, chosen),
            self.held_out.spikes[torch.from_numpy(time)].sum(0).numpy(),
            float(self.held_out.exposure_s[time].sum()),
            self.null_rate_hz,
        ).pooled

    @torch.no_grad()
    def _graph(self) -> Float32[Tensor, "node node"]:
        self.model.eval()
        return self.model.graph(self.snapshots)


def predictions(
    model: CircuitModel,
    graph: Float32[Tensor, "node node"],
    bins: DrivenHistory,
    chosen: Int[np.ndarray, " sample"],
) -> Iterator[tuple[Int[np.ndarray, " batch"], Float32[Tensor, "batch neuron"]]]:
    """Scored bins and each neuron's log rate in them, in log Hz, some at a time."""
    model.eval()
    for start in range(0, len(chosen), EVALUATION_BATCH):
        part = chosen[start : start + EVALUATION_BATCH]
        with torch.no_grad():
            log_count = model(bins.history(part), graph, bins.drive(part))
        yield part, log_count - math.log(bins.bin_s)


def log_likelihood_of(
    model: CircuitModel,
    graph: Float32[Tensor, "node node"],
    bins: DrivenHistory,
    chosen: Int[np.ndarray, " sample"],
) -> Float[np.ndarray, " neuron"]:
    """Log-likelihood of each neuron in the chosen bins, in nats."""
    total = torch.zeros(bins.counts.shape[1], dtype=torch.float64)
    for part, log_rate in predictions(model, graph, bins, chosen):
        counts, scored_part = bins.observed(part)
        expected = log_rate.exp() * scored_part * bins.bin_s
        total += (counts * log_rate - expected).sum(0, dtype=torch.float64)
    return total.numpy()


def _drive(
    X: Recording, name: str | None, times_s: Float[np.ndarray, " time"]
) -> Float32[Tensor, " time"] | None:
    if name is None:
        return None
    refuse(
        name not in X.covariates,
        f"the recording has no covariate {name!r} but {sorted(X.covariates) or 'none'}; "
        "name one of its covariates, or set drive to None",
    )
    return torch.from_numpy(X.covariates[name].at(times_s)).float()


def as_tensors(
    arrays: Mapping[str, np.ndarray], prefix: str, like: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Arrays under a prefix, in the shapes of tensors of the same names."""
    return {
        name: torch.tensor(arrays[prefix + name]).reshape(tensor.shape)
        for name, tensor in like.items()
    }


def refuse(bad: bool, sentence: str) -> None:
    """Raise an `InputError` where something is bad."""
    if bad:
        raise InputError(sentence)
