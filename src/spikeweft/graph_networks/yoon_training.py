"""Training of the published model."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from spikeweft.data.covariate import check_complete
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import (
    BestEpoch,
    LogCounts,
    Samples,
    as_tensors,
    check_finite,
    held_out_bits,
)
from spikeweft.graph_networks.yoon_model import YoonModel, poisson_loss
from spikeweft.runtime.training_loop import Progress

LEARNING_RATE = 5e-4
"""Adam's step size at the start (published)."""

LEARNING_RATE_DECAY = 0.97
"""Factor on the step size from one epoch to the next (exponential, as published; rate chosen)."""

FALLING_LEARNING_RATE = 3e-3
"""Adam's step size at the start of a steady descent (chosen)."""

BATCHES_PER_EPOCH = 200
"""An epoch is this many batches, drawn without replacement until all bins were seen (chosen)."""

STRUCTURE_RESTS = 1.0
"""Epochs in which what structure learning alone owns rests, in a steady descent (chosen): before
the predictor knows what a neuron's own spikes say, the graph would learn who fires together. Of
fewer than two, half."""

LONGEST_GRADIENT = 1.5
"""Longest gradient, as a multiple of what is usual, in a steady descent (chosen)."""

GRADIENT_MEMORY = 0.98
"""Weight of the past in the running mean of the gradient's length, each step (chosen)."""

PREDICTED_STRETCH = 32
"""Consecutive bins that are predicted at a time at most."""


class TrainingSettings(NamedTuple):
    """How long, with which batches and which steps to train.

    A batch is `batch_size` bins of all neurons, in stretches of `consecutive_bins`.
    """

    n_epochs: int
    batch_size: int
    consecutive_bins: int
    sampled_bins: int
    steady_descent: bool
    patience: int | None
    random_state: int


def decaying(n_epochs_done: float, n_epochs: int) -> float:  # noqa: ARG001
    """Step size of Adam as published: it falls exponentially from epoch to epoch."""
    return LEARNING_RATE * LEARNING_RATE_DECAY ** math.floor(n_epochs_done)


def falling(n_epochs_done: float, n_epochs: int) -> float:
    """Step size of Adam that rises for one epoch, and falls evenly, to zero by the last."""
    return FALLING_LEARNING_RATE * min(n_epochs_done, 1.0) * (1 - n_epochs_done / n_epochs)


class YoonFit:
    """Training of one model on one recording, epoch by epoch; a `Trainable`."""

    def __init__(
        self,
        settings: TrainingSettings,
        model: YoonModel,
        trains: Float32[Tensor, "..."],
        training: BinnedHistory,
        held_out: BinnedHistory,
        null_rate_hz: Float[np.ndarray, " neuron"],
    ) -> None:
        self.settings, self.model, self.trains = settings, model, trains
        self.training, self.held_out, self.null_rate_hz = training, held_out, null_rate_hz
        self.n_bins = min(settings.consecutive_bins, len(training))
        self.stretches = training.stretches(self.n_bins)
        self.step_size = falling if settings.steady_descent else decaying
        self.optimiser = torch.optim.Adam(self._groups(), lr=0.0, fused=True)
        self.usual_gradient = 0.0
        self.best = BestEpoch(model, self._patience, n_resting=math.floor(self.rests))

    def advance(self) -> Progress | None:
        """Train for one epoch; None after the last one, or where `patience` is at its end.

        Raises
        ------
        InputError
            Where training has diverged.
        """
        if self.best.epoch >= self.settings.n_epochs or self.best.is_past:
            return None
        started = time.perf_counter()
        loss = self._train_one_epoch()
        bits = self._held_out_bits()
        self.best.judge(bits)
        n_epochs_left = self.settings.n_epochs - self.best.epoch
        progress = Progress(
            stage="training",
            step=self.best.epoch,
            loss=loss,
            held_out_bits_per_spike=bits,
            seconds_left=n_epochs_left * (time.perf_counter() - started),
        )
        return check_finite(progress)

    @property
    def rests(self) -> float:
        """Epochs in which what structure learning alone owns rests."""
        if not self.settings.steady_descent:
            return 0.0
        return min(STRUCTURE_RESTS, self.settings.n_epochs / 2)

    def state(self) -> dict[str, np.ndarray]:
        """Weights, the best ones so far, Adam's moments, the usual gradient and the counters."""
        tensors = {f"model.{name}": t for name, t in self.model.state_dict().items()}
        for i, moments in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": t for name, t in moments.items()}
        arrays = {name: t.numpy().copy() for name, t in tensors.items()}
        arrays["usual_gradient"] = np.array([self.usual_gradient])
        return arrays | self.best.state()

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` gave."""
        self.model.load_state_dict(as_tensors(state, "model.", self.model.state_dict()))
        self.best.restore(state)
        self.usual_gradient = float(state["usual_gradient"][0])
        moments = {
            i: as_tensors(
                state,
                f"adam.{i}.",
                {"step": torch.zeros(()), "exp_avg": parameter, "exp_avg_sq": parameter},
            )
            for i, parameter in enumerate(p for g in self._groups() for p in g["params"])
        }
        groups = self.optimiser.state_dict()["param_groups"]
        self.optimiser.load_state_dict({"state": moments, "param_groups": groups})

    def finish(self) -> Float32[Tensor, "node node"]:
        """Go back to the weights of the best epoch, and compute their graph."""
        self.best.take()
        return self.graph()

    @torch.no_grad()
    def graph(self) -> Float32[Tensor, "node node"]:
        """The graph as it is now."""
        self.model.eval()
        return self.model.graph(self.trains)

    def _train_one_epoch(self) -> float:
        """Mean loss in nats per spike, with rates in Hz."""
        self.model.train()
        loss, n_spikes = 0.0, 0.0
        batches = list(self._batches())
        for n_done, starts in enumerate(batches):
            self._set_step_size(self.best.epoch + n_done / len(batches))
            self.optimiser.zero_grad()
            counts, batch_loss = self._loss(starts, n_done)
            (batch_loss / counts.numel()).backward()
            self._shorten_gradient()
            self.optimiser.step()
            loss += float(batch_loss.detach())
            n_spikes += float(counts.sum())
        return loss / max(n_spikes, 1.0) + math.log(self.training.bin_s)

    def _loss(
        self, starts: Int[np.ndarray, " stretch"], n_done: int
    ) -> tuple[Float32[Tensor, "stretch bin neuron"], Float32[Tensor, ""]]:
        """Spikes of a batch, and its loss: ∫λ from one bin in every few, log λ at all spikes."""
        counts, part = self.training.stretch_observed(starts, self.n_bins)
        graph = self.model.graph(self.trains)
        every = min(self.settings.sampled_bins, self.n_bins)
        if every == 1:
            log_rate = predict(self.model, graph, self.training, starts, self.n_bins)
            return counts, poisson_loss(log_rate, counts, part)
        sample = slice(n_done % every, None, every)
        in_sample, at_spikes = self.model.sampled(
            self.training.stretch_history(starts, self.n_bins),
            graph,
            self.training.stretch_drive(starts, self.n_bins),
            sample,
            counts > 0,
        )
        expected = every * (in_sample.exp() * part[:, sample]).sum()
        return counts, expected - (counts[counts > 0] * at_spikes).sum()

    def _batches(self) -> Iterator[Int[np.ndarray, " stretch"]]:
        """First bins of the stretches of each batch of an epoch; few are used again and again."""
        rng = np.random.default_rng([self.settings.random_state, self.best.epoch])
        size = max(1, self.settings.batch_size // self.n_bins)
        n_rounds = -(-BATCHES_PER_EPOCH * size // len(self.stretches))
        order = np.concatenate([rng.permutation(self.stretches) for _ in range(n_rounds)])
        yield from np.split(order[: BATCHES_PER_EPOCH * size], BATCHES_PER_EPOCH)

    @property
    def _patience(self) -> int | None:
        """Epochs to wait for a better one; a steady descent waits to its end."""
        if self.settings.patience is None or not self.settings.steady_descent:
            return self.settings.patience
        return self.settings.n_epochs

    def _groups(self) -> list[dict[str, Any]]:
        """All parameters; in a steady descent those of structure learning alone rest at first.

        Kernels that spike prediction shares are not among these: it could not learn to predict.
        """
        of_prediction = set(self.model.prediction.parameters())
        own = [p for p in self.model.structure.parameters() if p not in of_prediction]
        others = list(self.model.prediction.parameters())
        return [{"params": own, "rests": self.rests}, {"params": others, "rests": 0.0}]

    def _set_step_size(self, n_epochs_done: float) -> None:
        size = self.step_size(n_epochs_done, self.settings.n_epochs)
        for group in self.optimiser.param_groups:
            begun = not group["rests"] or min(1.0, max(0.0, n_epochs_done - group["rests"]))
            group["lr"] = begun * size

    def _shorten_gradient(self) -> None:
        """Shorten a gradient that is much longer than the ones before it were."""
        if not self.settings.steady_descent:
            return
        parameters = list(self.model.parameters())
        length = float(
            torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        )
        usual = self.usual_gradient or length
        longest = LONGEST_GRADIENT * usual
        torch.nn.utils.clip_grads_with_norm_(parameters, longest, torch.tensor(length))
        self.usual_gradient = GRADIENT_MEMORY * usual + (1 - GRADIENT_MEMORY) * min(length, longest)

    def _held_out_bits(self) -> float:
        predicted = log_counts(self.model, self.graph(), self.held_out)
        n_bins = min(self.n_bins, len(self.held_out))
        return held_out_bits(predicted, self.held_out, self.null_rate_hz, n_bins)


def predict(
    model: YoonModel,
    graph: Float32[Tensor, "node node"],
    bins: BinnedHistory,
    starts: Int[np.ndarray, " stretch"],
    n_bins: int,
) -> Float32[Tensor, "stretch bin neuron"]:
    """Log of the expected spike counts in stretches of consecutive bins."""
    return model(
        bins.stretch_history(starts, n_bins),
        graph,
        bins.stretch_drive(starts, n_bins),
    )


def log_counts(
    model: YoonModel, graph: Float32[Tensor, "node node"], bins: BinnedHistory
) -> LogCounts:
    """Predictions of a model in these bins, over a graph; consecutive ones in stretches."""
    model.eval()

    def predicted(chosen: Samples) -> Float32[Tensor, "sample neuron"]:
        time = bins.scored[chosen]
        run = np.flatnonzero(np.diff(time, prepend=-2) != 1)
        since = np.arange(len(time)) - np.repeat(run, np.diff(run, append=len(time)))
        place = since % PREDICTED_STRETCH
        starts, n_bins = time[place == 0], int(place.max()) + 1
        log_count = predict(model, graph, bins, starts, n_bins)
        return log_count[np.cumsum(place == 0) - 1, place]

    return predicted


def drive_at(
    X: Recording, name: str | None, times_s: Float[np.ndarray, " time"]
) -> Float32[Tensor, " time"] | None:
    """The drive of this name at each time, in (-π, π]; none where no name is given.

    Raises
    ------
    InputError
        Where the recording has no such covariate, or it is no angle or not known all the time.
    """
    if name is None:
        return None
    refuse(
        name not in X.covariates,
        f"the recording has no covariate {name!r} but {sorted(X.covariates) or 'none'}; "
        "name one of its covariates, or set drive to None",
    )
    covariate = X.covariates[name]
    refuse(
        not covariate.is_angle,
        f"the covariate {name!r} is no angle, as a drive is; name another, or set its is_angle",
    )
    check_complete(name, covariate)
    return torch.from_numpy(math.pi - (math.pi - covariate.at(times_s)) % math.tau).float()


def refuse(bad: bool, sentence: str) -> None:
    """Raise an `InputError` where something is bad."""
    if bad:
        raise InputError(sentence)
