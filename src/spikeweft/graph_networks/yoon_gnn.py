"""The published method (Yoon, NeurIPS 2025), trained as published: the honest comparison."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.estimator import check_enough_neurons, saved_by_this_version
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import (
    BIN_S,
    EVALUATION_BATCH,
    N_PROBES,
    BinnedPredictor,
    LogCounts,
    as_tensors,
)
from spikeweft.graph_networks.hidden_placement import hidden_angles, ring_interpolation
from spikeweft.graph_networks.yoon_model import N_HIDDEN_UNITS, YoonModel, effect_of_a_spike
from spikeweft.graph_networks.yoon_training import (
    TrainingSettings,
    YoonFit,
    drive_at,
    log_counts,
    refuse,
)
from spikeweft.runtime.training_loop import Progress, train


class YoonGNN(BinnedPredictor):
    r"""Circuit inference by a graph neural network that learns to predict spikes (Yoon 2025).

    The model is `YoonModel`, the loss Poisson, the optimiser Adam with an exponentially
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
        n_hidden: int = 0,
        drive: str | None = None,
        message_width: int = N_HIDDEN_UNITS,
        n_epochs: int = 100,
        batch_size: int = 64,
        random_state: int = 0,
    ) -> None:
        self.tau_s = tau_s
        self.history_window_s = history_window_s
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
        early, training, held_out = self._training_parts(X)
        settings = TrainingSettings(self.n_epochs, self.batch_size, self.random_state)
        fit = YoonFit(settings, self._model, training, held_out, early.rate_hz)
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
        with saved_by_this_version():
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
        saved._model.load_state_dict(as_tensors(arrays, "model.", saved._model.state_dict()))
        saved._model.eval()
        return saved

    def _check(self, X: Recording) -> None:
        check_enough_neurons(X)
        refuse(self.tau_s <= 0, f"a time constant of {self.tau_s:g} s is not positive; use 0.01")
        refuse(
            self.history_window_s < 2 * self.tau_s * (1 - 1e-9),
            f"a history window of {self.history_window_s:g} s is shorter than the convolution of "
            f"{2 * self.tau_s:g} s; use a longer window or a shorter time constant",
        )
        refuse(
            min(self.n_epochs, self.batch_size) < 1 or self.n_hidden < 0,
            f"{self.n_epochs} epochs, {self.batch_size} bins per batch and {self.n_hidden} hidden "
            "neurons cannot be fitted; use at least 1, 1 and 0",
        )
        refuse(
            self.message_width < 1,
            f"messages of {self.message_width} numbers say nothing; use at least 1",
        )
        refuse(
            self._bin_s(X) > self.history_window_s,
            f"the recording's time resolution of {X.time_resolution_s:g} s is coarser than the "
            f"history window of {self.history_window_s:g} s; use a longer window or "
            "finer spike times",
        )
        refuse(
            X.duration_s <= self.history_window_s,
            f"the recording lasts {X.duration_s:g} s, no longer than the history window of "
            f"{self.history_window_s:g} s; use a longer recording",
        )
        angle = X.preferred_angle_rad
        refuse(
            (self.n_hidden > 0 or self.drive is not None)
            and (angle is None or not np.all(np.isfinite(angle))),
            "hidden neurons and an external drive need every neuron's place on the ring; "
            "give the recording preferred_angle_rad, without neurons that have none",
        )

    def _bin_s(self, X: Recording) -> float:
        return max(BIN_S, X.time_resolution_s)

    def _build(
        self, angle_rad: Float[np.ndarray, " neuron"] | None, n_neurons: int, mean_rate_hz: float
    ) -> YoonModel:
        interpolation = np.zeros((0, n_neurons))
        if angle_rad is not None:
            interpolation = ring_interpolation(hidden_angles(angle_rad, self.n_hidden), angle_rad)
        return YoonModel(
            kernel_bins=self._n_bins(2 * self.tau_s),
            stride_bins=self._n_bins(0.2 * self.tau_s),
            history_bins=self._n_bins(self.history_window_s),
            interpolation=interpolation,
            drive_angle_rad=None if self.drive is None else angle_rad,
            log_mean_count=math.log(mean_rate_hz * self.bin_s_),
            generator=torch.Generator().manual_seed(self.random_state),
            message_width=self.message_width,
        )

    def _n_bins(self, duration_s: float) -> int:
        return max(1, math.floor(duration_s / self.bin_s_ + 1e-6))

    def _bins(self, X: Recording) -> BinnedHistory:
        bins = BinnedHistory.of(X, self.bin_s_, self.history_window_s)
        drive_rad = drive_at(X, self.drive, bins.start_s + bins.bin_s / 2)
        return replace(bins, drive_rad=drive_rad)

    def _log_counts(self, bins: BinnedHistory) -> LogCounts:
        return log_counts(self._model, self._graph, bins)

    def _identity(self, X: Recording) -> dict[str, Any]:
        """Settings and data that a checkpoint belongs to."""
        return {"estimator": type(self).__name__, **self.get_params(), "data": X.digest()}

    def _weights_in_nats(self, bins: BinnedHistory) -> Float[np.ndarray, "post pre"]:
        """The graph among observed neurons, in units of what a spike does (least squares)."""
        rng = np.random.default_rng(self.random_state)
        n = bins.counts.shape[1]
        moment = rng.integers(len(bins), size=N_PROBES)
        pre = torch.from_numpy(rng.integers(n, size=N_PROBES))
        ago = rng.integers(1, self._n_bins(self.tau_s) + 1, size=N_PROBES)
        lag = torch.from_numpy(self._n_bins(self.history_window_s) - ago)
        product, power = 0.0, 0.0
        for part in np.array_split(np.arange(N_PROBES), N_PROBES // EVALUATION_BATCH):
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
