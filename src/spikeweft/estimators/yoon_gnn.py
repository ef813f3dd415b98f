"""The published method (Yoon, NeurIPS 2025), trained as published: the honest comparison."""

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor

from spikeweft.bins import Bins, rebin
from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimators.base import SpikePredictor, check_enough_neurons
from spikeweft.metrics import bits_per_spike
from spikeweft.model import (
    N_HIDDEN_UNITS,
    N_SNAPSHOTS,
    CircuitModel,
    effect_of_a_spike,
    hidden_angles,
    poisson_loss,
    ring_interpolation,
)
from spikeweft.recording import Recording
from spikeweft.train import Progress, train

BIN_S = 1e-3
"""Width of the bins that are predicted; a recording with coarser ticks is binned by its ticks."""

LEARNING_RATE = 5e-4
"""Adam's step size at the start (published)."""

LEARNING_RATE_DECAY = 0.97
"""Factor on the step size from one epoch to the next (exponential, as published; rate chosen)."""

BATCHES_PER_EPOCH = 200
"""An epoch is at most this many batches, drawn without replacement (chosen)."""

PATIENCE = 10
"""Epochs without a better held-out likelihood after which training stops (chosen)."""

HELD_OUT = 0.1
"""Last part of the recording, set apart to decide when to stop."""

N_HELD_OUT_BINS = 4096
"""Bins, spread evenly over the held-out part, that each epoch is judged by."""

N_PROBES = 2048
"""Moments at which one spike is added to see what the fitted weights do."""

_EVALUATION_BATCH = 256


class YoonGNN(SpikePredictor):
    r"""Circuit inference by a graph neural network that learns to predict spikes (Yoon 2025).

    The model is `model.CircuitModel`, the loss Poisson, the optimiser Adam with an exponentially
    decaying step size; training stops early by the likelihood of held-out spikes. Sizes and rates
    that the paper does not give are module constants marked "chosen".

    The sign and unit of the weights follow from what the fitted model does with a spike: a weight
    is the change of the postsynaptic log rate (in nats) that one more presynaptic spike predicts,
    to first order in the weight. Ground truth plays no part.

    Parameters
    ----------
    tau_s
        Synaptic time constant τ; the convolution has length 2τ and stride 0.2τ.
    history_window_s
        Past spikes that a prediction sees, at least 2τ.
    directed
        Whether w_ij and w_ji may differ; the published graph is symmetric.
    n_hidden
        Hidden neurons, put into the gaps of the ring that the observed neurons form.
    drive
        Name of an angular covariate that drives the circuit, such as a ring's "drive".
    message_width
        Numbers that one neuron sends another at a time. With one, as in `CircuitGNN`, the weights
        have more of the work to do.
    n_epochs, batch_size
        Epochs at most, and bins of all neurons per gradient step.
    random_state
        Seed of the starting weights and of the batches.

    Attributes
    ----------
    connectivity_
        The inferred circuit among observed neurons.
    history_
        Progress after every epoch.
    """

    history_: list[Progress]

    def __init__(
        self,
        *,
        tau_s: float = 0.01,
        history_window_s: float = 0.02,
        directed: bool = False,
        n_hidden: int = 0,
        drive: str | None = None,
        message_width: int = N_HIDDEN_UNITS,
        n_epochs: int = 100,
        batch_size: int = 64,
        random_state: int = 0,
    ) -> None:
        self.tau_s = tau_s
        self.history_window_s = history_window_s
        self.directed = directed
        self.n_hidden = n_hidden
        self.drive = drive
        self.message_width = message_width
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.random_state = random_state

    def fit(
        self,
        X: Recording,
        y: None = None,  # noqa: ARG002
        *,
        checkpoint: Path | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> Self:
        """Infer the circuit; a fit that was interrupted goes on from its checkpoint.

        Raises
        ------
        InputError
            Where the settings, the recording or the checkpoint cannot be used.
        """
        self._check(X)
        self.bin_s_ = self._bin_s(X)
        self.null_rate_hz_ = X.rate_hz
        self._model = self._build(X.preferred_angle_rad, X.n_neurons, float(X.rate_hz.mean()))
        early = X.between(0.0, 1 - HELD_OUT)
        training, held_out = self._bins(early), self._bins(X.between(1 - HELD_OUT, 1.0))
        _refuse(
            min(len(training), len(held_out)) == 0,
            f"a recording of {X.duration_s:g} s in {len(X.epochs_s)} epochs leaves nothing to "
            f"train on or to hold out after a history window of {self.history_window_s:g} s; use "
            "a longer recording or a shorter window",
        )
        fit = _Fit(self, self._model, training, held_out, early.rate_hz)
        self.history_ = []
        for progress in train(fit, self._identity(X), checkpoint):
            self.history_.append(progress)
            if on_progress is not None:
                on_progress(progress)
        self._graph = fit.finish()
        fired = X.n_spikes > 0  # a silent neuron has taught the network nothing
        self.connectivity_ = Connectivity(
            weights=np.where(fired[:, None] & fired, self._weights_in_nats(training), 0.0),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "nats per spike"},
        )
        return self

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        bins = self._bins(X)
        return _log_likelihood(self._model, self._graph, bins, np.arange(len(bins)))

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        Every millisecond is predicted from the spikes before it and summed over the bin. Where an
        epoch has no full history window yet, the neuron's mean rate is expected.
        """
        self.check_fitted(X)
        bins = self._bins(X)
        expected = np.outer(bins.width_s, self.null_rate_hz_).astype(np.float32)
        everything = np.arange(len(bins))
        for chosen, log_rate in _predictions(self._model, self._graph, bins, everything):
            time = bins.scored[chosen]
            expected[time] = log_rate.exp().numpy() * bins.width_s[time, None]
        return rebin(expected, bins.width_s, X.counts(bin_s).exposure_s)

    def model_arrays(self) -> dict[str, np.ndarray]:
        """The fitted model as arrays, with `model_settings` all that `from_saved` needs."""
        arrays = {f"model.{name}": t.numpy() for name, t in self._model.state_dict().items()}
        arrays |= {
            "graph": self._graph.numpy(),
            "weights": self.connectivity_.weights,
            "null_rate_hz": self.null_rate_hz_,
        }
        if self.connectivity_.angle_rad is not None:
            arrays["angle_rad"] = self.connectivity_.angle_rad
        return arrays

    def model_settings(self) -> dict[str, Any]:
        """Settings of the fitted model, fit for JSON."""
        return {
            "estimator": type(self).__name__,
            "parameters": self.get_params(),
            "bin_s": self.bin_s_,
            "neuron_ids": list(self.connectivity_.neuron_ids),
            "metadata": dict(self.connectivity_.metadata),
        }

    @classmethod
    def from_saved(cls, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> Self:
        """A fitted estimator from what `model_arrays` and `model_settings` gave."""
        saved = cls(**settings["parameters"])
        saved.bin_s_ = settings["bin_s"]
        saved.null_rate_hz_ = arrays["null_rate_hz"]
        saved.connectivity_ = Connectivity(
            weights=arrays["weights"],
            neuron_ids=tuple(settings["neuron_ids"]),
            angle_rad=arrays.get("angle_rad"),
            metadata=settings["metadata"],
        )
        saved._graph = torch.tensor(arrays["graph"])
        saved._model = saved._build(arrays.get("angle_rad"), len(arrays["weights"]), 1.0)
        saved._model.load_state_dict(_tensors(arrays, "model.", saved._model.state_dict()))
        saved._model.eval()
        return saved

    def _check(self, X: Recording) -> None:
        check_enough_neurons(X)
        _refuse(self.tau_s <= 0, f"a time constant of {self.tau_s:g} s is not positive; use 0.01")
        _refuse(
            self.history_window_s < 2 * self.tau_s * (1 - 1e-9),
            f"a history window of {self.history_window_s:g} s is shorter than the convolution of "
            f"{2 * self.tau_s:g} s; use a longer window or a shorter time constant",
        )
        _refuse(
            min(self.n_epochs, self.batch_size) < 1 or self.n_hidden < 0,
            f"{self.n_epochs} epochs, {self.batch_size} bins per batch and {self.n_hidden} hidden "
            "neurons cannot be fitted; use at least 1, 1 and 0",
        )
        _refuse(
            self.message_width < 1,
            f"messages of {self.message_width} numbers say nothing; use at least 1",
        )
        _refuse(
            self._bin_s(X) > self.history_window_s,
            f"the recording's ticks of {X.tick_s:g} s are longer than the history window of "
            f"{self.history_window_s:g} s; use a longer window or finer spike times",
        )
        _refuse(
            X.duration_s <= self.history_window_s,
            f"the recording lasts {X.duration_s:g} s, no longer than the history window of "
            f"{self.history_window_s:g} s; use a longer recording",
        )
        angle = X.preferred_angle_rad
        _refuse(
            (self.n_hidden > 0 or self.drive is not None)
            and (angle is None or not np.all(np.isfinite(angle))),
            "hidden neurons and an external drive need every neuron's place on the ring; "
            "give the recording preferred_angle_rad, without neurons that have none",
        )

    def _bin_s(self, X: Recording) -> float:
        return max(BIN_S, X.tick_s)

    def _build(
        self, angle_rad: Float[np.ndarray, " neuron"] | None, n_neurons: int, mean_rate_hz: float
    ) -> CircuitModel:
        interpolation = np.zeros((0, n_neurons))
        if angle_rad is not None:
            interpolation = ring_interpolation(hidden_angles(angle_rad, self.n_hidden), angle_rad)
        return CircuitModel(
            kernel_bins=self._n_bins(2 * self.tau_s),
            stride_bins=self._n_bins(0.2 * self.tau_s),
            history_bins=self._n_bins(self.history_window_s),
            interpolation=interpolation,
            drive_angle_rad=None if self.drive is None else angle_rad,
            directed=self.directed,
            log_mean_count=math.log(mean_rate_hz * self.bin_s_),
            generator=torch.Generator().manual_seed(self.random_state),
            message_width=self.message_width,
        )

    def _n_bins(self, duration_s: float) -> int:
        return max(1, math.floor(duration_s / self.bin_s_ + 1e-6))

    def _bins(self, X: Recording) -> "_DrivenBins":
        """What the recording holds for this model, in bins."""
        bins = Bins.of(X, self.bin_s_, self.history_window_s)
        return _DrivenBins.under(self.drive, bins, X)

    def _identity(self, X: Recording) -> dict[str, Any]:
        """Settings and data that a checkpoint belongs to."""
        data = hashlib.sha256()
        for array in (X.spike_times_s, X.spike_neurons, X.epochs_s):
            data.update(np.ascontiguousarray(array).tobytes())
        return {"estimator": type(self).__name__, **self.get_params(), "data": data.hexdigest()}

    def _weights_in_nats(self, bins: "_DrivenBins") -> Float[np.ndarray, "post pre"]:
        """The graph among observed neurons, in units of what a spike does (least squares)."""
        rng = np.random.default_rng(self.random_state)
        n = bins.counts.shape[1]
        moment = rng.integers(len(bins), size=N_PROBES)
        pre = torch.from_numpy(rng.integers(n, size=N_PROBES))
        ago = rng.integers(1, self._n_bins(self.tau_s) + 1, size=N_PROBES)
        lag = torch.from_numpy(self._n_bins(self.history_window_s) - ago)
        product, power = 0.0, 0.0
        for part in np.array_split(np.arange(N_PROBES), N_PROBES // _EVALUATION_BATCH):
            effect = effect_of_a_spike(
                self._model,
                bins.history(moment[part]),
                self._graph,
                pre[part],
                lag[part],
                bins.drive(moment[part]),
            )
            weight = self._graph[:n, pre[part]].T
            product += float((effect * weight).sum())
            power += float((weight**2).sum())
        slope = product / power if power > 0 else 0.0
        return slope * self._graph[:n, :n].double().numpy()


@dataclass(frozen=True, slots=True, kw_only=True)
class _DrivenBins(Bins):
    """A recording in bins, with the external drive in each of them, where there is one."""

    drive_rad: Float32[Tensor, " time"] | None

    @classmethod
    def under(cls, drive: str | None, bins: Bins, X: Recording) -> Self:
        """Add the drive, by its name, to the bins of a recording."""
        drive_rad = _drive(X, drive, bins.start_s + bins.bin_s / 2)
        return cls(**{f.name: getattr(bins, f.name) for f in fields(Bins)}, drive_rad=drive_rad)

    def drive(self, chosen: Int[np.ndarray, " batch"]) -> Float32[Tensor, " batch"] | None:
        """The external drive in the chosen scored bins."""
        return None if self.drive_rad is None else self.drive_rad[self.scored[chosen]]


class _Fit:
    """Training of one model on one recording, epoch by epoch; a `train.Trainable`."""

    def __init__(
        self,
        settings: YoonGNN,
        model: CircuitModel,
        training: _DrivenBins,
        held_out: _DrivenBins,
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
        self.model.load_state_dict(_tensors(state, "model.", shapes))
        self.best = _tensors(state, "best.", shapes)
        moments = {
            i: _tensors(
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
            _log_likelihood(self.model, self._graph(), self.held_out, chosen),
            self.held_out.spikes[torch.from_numpy(time)].sum(0).numpy(),
            float(self.held_out.exposure_s[time].sum()),
            self.null_rate_hz,
        ).pooled

    @torch.no_grad()
    def _graph(self) -> Float32[Tensor, "node node"]:
        self.model.eval()
        return self.model.graph(self.snapshots)


def _predictions(
    model: CircuitModel,
    graph: Float32[Tensor, "node node"],
    bins: _DrivenBins,
    chosen: Int[np.ndarray, " sample"],
) -> Iterator[tuple[Int[np.ndarray, " batch"], Float32[Tensor, "batch neuron"]]]:
    """Scored bins and each neuron's log rate in them, in log Hz, some at a time."""
    model.eval()
    for start in range(0, len(chosen), _EVALUATION_BATCH):
        part = chosen[start : start + _EVALUATION_BATCH]
        with torch.no_grad():
            log_count = model(bins.history(part), graph, bins.drive(part))
        yield part, log_count - math.log(bins.bin_s)


def _log_likelihood(
    model: CircuitModel,
    graph: Float32[Tensor, "node node"],
    bins: _DrivenBins,
    chosen: Int[np.ndarray, " sample"],
) -> Float[np.ndarray, " neuron"]:
    total = torch.zeros(bins.counts.shape[1], dtype=torch.float64)
    for part, log_rate in _predictions(model, graph, bins, chosen):
        counts, scored_part = bins.observed(part)
        expected = log_rate.exp() * scored_part * bins.bin_s
        total += (counts * log_rate - expected).sum(0, dtype=torch.float64)
    return total.numpy()


def _drive(
    X: Recording, name: str | None, times_s: Float[np.ndarray, " time"]
) -> Float32[Tensor, " time"] | None:
    if name is None:
        return None
    _refuse(
        name not in X.covariates,
        f"the recording has no covariate {name!r} but {sorted(X.covariates) or 'none'}; "
        "name one of its covariates, or set drive to None",
    )
    return torch.from_numpy(X.covariates[name].at(times_s)).float()


def _tensors(
    arrays: Mapping[str, np.ndarray], prefix: str, like: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Arrays under a prefix, in the shapes of tensors of the same names."""
    return {
        name: torch.tensor(arrays[prefix + name]).reshape(tensor.shape)
        for name, tensor in like.items()
    }


def _refuse(bad: bool, sentence: str) -> None:
    if bad:
        raise InputError(sentence)
