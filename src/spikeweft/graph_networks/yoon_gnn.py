"""The published method (Yoon, NeurIPS 2025): as published, and as it learns the circuit."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Float32

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.estimator import (
    check_enough_neurons,
    check_whole_numbers,
    saved_by_this_version,
)
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import (
    EVALUATION_BATCH,
    N_PROBES,
    BinnedPredictor,
    LogCounts,
    as_tensors,
)
from spikeweft.graph_networks.departures import AS_PUBLISHED
from spikeweft.graph_networks.hidden_placement import hidden_angles, ring_interpolation
from spikeweft.graph_networks.whitened_trains import whitened_trains
from spikeweft.graph_networks.yoon_model import (
    N_SNAPSHOTS,
    YoonModel,
    YoonShape,
    effect_of_a_spike,
    weight_of_a_spike,
)
from spikeweft.graph_networks.yoon_training import (
    TrainingSettings,
    YoonFit,
    drive_at,
    log_counts,
    refuse,
)
from spikeweft.runtime.training_loop import Progress, train

TAU_S = 0.01
"""Synaptic time constant τ of the published networks."""

BATCH_NEURON_S, SHORTEST_BATCH_S = 12.8, 0.128
"""Time of single neurons in a batch (chosen), and time of all that it has at least."""


class YoonGNN(BinnedPredictor):
    r"""Circuit inference by a graph neural network that learns to predict spikes (Yoon 2025).

    The model is `YoonModel`, the loss Poisson, the optimiser Adam. `YoonGNN.as_published()` is the
    published form, which settles where neurons of co-active bumps have the same weights. The
    default departs from it in the settings of `departures.DEPARTURES`, which has the published
    value of each and says why the default has another; every one can be set back by itself. Sizes
    and rates that the paper does not give are marked "chosen".

    The sign and unit of the weights follow from what the fitted model does with a spike: a weight
    is the change of the postsynaptic log rate (in nats) that one more presynaptic spike predicts,
    to first order in the weight. Ground truth plays no part.

    Parameters
    ----------
    tau_s
        Synaptic time constant τ.
    history_window_s
        Past spikes that a prediction sees, at least 2τ, and length of the convolution. Published:
        2τ.
    n_hidden
        Hidden neurons, put into the gaps of the ring that the observed neurons form.
    drive
        Name of an angular covariate that drives the circuit, such as a ring's "drive"; it is taken
        within (-π, π], and has to be known all the time.
    bin_s
        Width of the bins that are predicted (chosen); a coarser recording is binned at its own
        resolution. The paper gives none.
    smooth_kernels
        The convolution's kernels start about exponential decays of τ/4 to 4τ (chosen).
    whitened_embedding
        Embeddings are computed from trains that are whitened over neurons (`whitened_trains`).
        Published: False, a layer on the convolved trains.
    symmetric_pairs
        The MLP sees z_i + z_j, (z_i - z_j)² and z_i·z_j. Published: False, [z_i, z_j].
    even_start
        All pairs start with nearly the same weight (chosen).
    input_turns
        A `drive` also turns the ring of senders against that of receivers, by a learned gain.
        Published: False, an input to the states of neurons alone.
    n_units
        Width of the state h_i, the GRU and the decoder (chosen).
    n_message_units, message_width
        Width of the hidden layer of φ, and numbers that one neuron sends another at a time
        (chosen).
    consecutive_bins
        Bins in a row that a batch is made of (chosen).
    sampled_bins
        In training, the loss takes log λ at every spike and ∫λ from one bin in so many of those in
        a row (chosen); where `consecutive_bins` is 1, it takes every bin, whatever this says.
    steady_descent
        Five changes in one, each of which `departures.STEADY_DESCENT` gives a reason: Adam's steps
        fall evenly from 3e-3 to zero; they rise over the first epoch; what structure learning alone
        owns rests in the first epoch; unusually long gradients are shortened; and training goes on
        to the last epoch. Published: False, steps that decay exponentially from 5e-4.
    n_epochs
        Epochs at most, of 200 batches.
    batch_size
        Bins of all neurons per batch; None for as many as make 12.8 s of single neurons, and at
        least 0.128 s.
    patience
        Epochs without a better held-out likelihood after which training stops (chosen); where its
        descent is steady, it goes on to the last. The weights are those of the best epoch, or of
        the last where this is None.
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
        tau_s: float = TAU_S,
        history_window_s: float = 0.05,
        n_hidden: int = 0,
        drive: str | None = None,
        bin_s: float = 5e-4,
        smooth_kernels: bool = True,
        whitened_embedding: bool = True,
        symmetric_pairs: bool = True,
        even_start: bool = True,
        input_turns: bool = True,
        n_units: int = 16,
        n_message_units: int = 8,
        message_width: int = 8,
        consecutive_bins: int = 32,
        sampled_bins: int = 4,
        steady_descent: bool = True,
        n_epochs: int = 60,
        batch_size: int | None = None,
        patience: int | None = 10,
        random_state: int = 0,
    ) -> None:
        self.tau_s = tau_s
        self.history_window_s = history_window_s
        self.n_hidden = n_hidden
        self.drive = drive
        self.bin_s = bin_s
        self.smooth_kernels = smooth_kernels
        self.whitened_embedding = whitened_embedding
        self.symmetric_pairs = symmetric_pairs
        self.even_start = even_start
        self.input_turns = input_turns
        self.n_units = n_units
        self.n_message_units = n_message_units
        self.message_width = message_width
        self.consecutive_bins = consecutive_bins
        self.sampled_bins = sampled_bins
        self.steady_descent = steady_descent
        self.n_epochs = n_epochs
        self.batch_size = batch_size
        self.patience = patience
        self.random_state = random_state

    @classmethod
    def as_published(cls, *, tau_s: float = TAU_S, **settings: Any) -> Self:
        """The published form, `AS_PUBLISHED`, with other settings where they are named.

        The history window follows τ: unless named, it is 2τ, as published.
        """
        times: dict[str, Any] = {"tau_s": tau_s, "history_window_s": 2 * tau_s}
        return cls(**{**AS_PUBLISHED, **times, **settings})

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
        fit, history = self.training(X), []
        for progress in train(fit, self._identity(X), checkpoint):
            history.append(progress)
            if on_progress is not None:
                on_progress(progress)
        graph = fit.finish()
        weights = self._weights_in_nats(fit.model, graph, fit.training)
        # A neuron that was silent in training has taught the network nothing.
        fired = fit.training.counts.sum(0).numpy() > 0
        self._graph, self._model, self.bin_s_ = graph, fit.model, fit.training.bin_s
        self.history_, self.null_rate_hz_ = history, X.rate_hz
        self.connectivity_ = Connectivity(
            weights=np.where(fired[:, None] & fired, weights, 0.0),
            neuron_ids=X.neuron_ids,
            angle_rad=X.preferred_angle_rad,
            metadata={"method": type(self).__name__, "unit": "nats per spike"},
        )
        return self

    def training(self, X: Recording) -> YoonFit:
        """Training on a recording, not yet begun: what `fit` goes through, for those who watch.

        Raises
        ------
        InputError
            Where the settings or the recording cannot be used.
        """
        self._check(X)
        bin_s = self._bin_s(X)
        early, training, held_out = self._training_parts(X, bin_s)
        return YoonFit(
            self._settings(X.n_neurons, bin_s),
            self._build(X.preferred_angle_rad, X.n_neurons, float(X.rate_hz.mean()), bin_s),
            self._trains(early, training),
            training,
            held_out,
            early.rate_hz,
        )

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
            saved._model = saved._build(
                arrays.get("angle_rad"), len(arrays["weights"]), 1.0, saved.bin_s_
            )
            parameters = as_tensors(arrays, "model.", saved._model.state_dict())
            saved._model.load_state_dict(parameters)
        saved._model.eval()
        return saved

    def _check(self, X: Recording) -> None:
        check_enough_neurons(X)
        check_whole_numbers(
            self,
            n_epochs=1,
            consecutive_bins=1,
            sampled_bins=1,
            n_hidden=0,
            n_units=1,
            n_message_units=1,
            message_width=1,
            **{name: 1 for name in ("batch_size", "patience") if getattr(self, name) is not None},
        )
        refuse(
            not 0 < self.tau_s < math.inf,
            f"a time constant of {self.tau_s:g} s is not positive; use 0.01",
        )
        refuse(
            not self.history_window_s >= 2 * self.tau_s * (1 - 1e-9),
            f"a history window of {self.history_window_s:g} s is shorter than the convolution of "
            f"{2 * self.tau_s:g} s; use a longer window or a shorter time constant",
        )
        refuse(
            self.batch_size is not None and self.consecutive_bins > self.batch_size,
            f"batches of {self.batch_size} bins cannot have {self.consecutive_bins} in a row; use "
            "larger batches or fewer consecutive_bins",
        )
        refuse(
            not 0 < self.bin_s < math.inf,
            f"bins of {self.bin_s:g} s cannot be predicted; use 0.001",
        )
        refuse(
            self._bin_s(X) > self.history_window_s,
            f"bins of {self._bin_s(X):g} s are longer than the history window of "
            f"{self.history_window_s:g} s; use a longer window, or narrower bins if the time "
            f"resolution of the spikes, {X.time_resolution_s:g} s, allows them",
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
        return max(self.bin_s, X.time_resolution_s)

    def _build(
        self,
        angle_rad: Float[np.ndarray, " neuron"] | None,
        n_neurons: int,
        mean_rate_hz: float,
        bin_s: float,
    ) -> YoonModel:
        interpolation, nodes_rad = np.zeros((0, n_neurons)), None
        if angle_rad is not None:
            hidden_rad = hidden_angles(angle_rad, self.n_hidden)
            interpolation = ring_interpolation(hidden_rad, angle_rad)
            nodes_rad = np.concatenate([angle_rad, hidden_rad])
        shape = YoonShape(
            history_bins=whole_bins(self.history_window_s, bin_s),
            tau_bins=self.tau_s / bin_s if self.smooth_kernels else None,
            n_components=n_neurons - 1 if self.whitened_embedding else None,
            symmetric_pairs=self.symmetric_pairs,
            even_start=self.even_start,
            input_turns=self.input_turns,
            n_units=self.n_units,
            n_message_units=self.n_message_units,
            message_width=self.message_width,
        )
        return YoonModel(
            shape,
            interpolation=interpolation,
            drive_angle_rad=None if self.drive is None else nodes_rad,
            log_mean_count=math.log(mean_rate_hz * bin_s),
            generator=torch.Generator().manual_seed(int(self.random_state)),
        )

    def _settings(self, n_neurons: int, bin_s: float) -> TrainingSettings:
        enough = round(max(SHORTEST_BATCH_S, BATCH_NEURON_S / n_neurons) / bin_s)
        return TrainingSettings(
            n_epochs=int(self.n_epochs),
            batch_size=int(enough if self.batch_size is None else self.batch_size),
            consecutive_bins=int(self.consecutive_bins),
            sampled_bins=int(self.sampled_bins),
            steady_descent=self.steady_descent,
            patience=None if self.patience is None else int(self.patience),
            random_state=int(self.random_state),
        )

    def _trains(self, X: Recording, bins: BinnedHistory) -> Float32[torch.Tensor, "..."]:
        """What embeddings are computed from."""
        if self.whitened_embedding:
            return torch.from_numpy(whitened_trains(X)).float()
        return bins.history(bins.evenly(N_SNAPSHOTS))

    def _bins(self, X: Recording, bin_s: float) -> BinnedHistory:
        bins = BinnedHistory.of(X, bin_s, self.history_window_s)
        drive_rad = drive_at(X, self.drive, bins.start_s + bins.bin_s / 2)
        return replace(bins, drive_rad=drive_rad)

    def _log_counts(self, bins: BinnedHistory) -> LogCounts:
        return log_counts(self._model, self._graph, bins)

    def _identity(self, X: Recording) -> dict[str, Any]:
        """Settings and data that a checkpoint belongs to."""
        return {"estimator": type(self).__name__, **self.get_params(), "data": X.digest()}

    def _weights_in_nats(
        self, model: YoonModel, graph: Float32[torch.Tensor, "node node"], bins: BinnedHistory
    ) -> Float[np.ndarray, "post pre"]:
        """The graph among observed neurons, in units of what a spike does (least squares)."""
        rng = np.random.default_rng(self.random_state)
        n = bins.counts.shape[1]
        moment = rng.integers(len(bins), size=N_PROBES)
        pre = torch.from_numpy(rng.integers(n, size=N_PROBES))
        ago = rng.integers(1, whole_bins(self.tau_s, bins.bin_s) + 1, size=N_PROBES)
        lag = torch.from_numpy(whole_bins(self.history_window_s, bins.bin_s) - ago)
        neuron, product, power = torch.arange(n), 0.0, 0.0
        for part in np.array_split(np.arange(N_PROBES), N_PROBES // EVALUATION_BATCH):
            drive_rad = bins.stretch_drive(bins.scored[moment[part]], 1)
            effect = effect_of_a_spike(
                model,
                bins.history(moment[part]),
                graph,
                pre[part],
                lag[part],
                drive_rad,
            )
            weight = weight_of_a_spike(model, graph, pre[part], drive_rad)
            others = (
                neuron != pre[part][:, None]
            )  # what a spike does to its own neuron is no weight
            product += float((effect * weight)[others].sum())
            power += float((weight[others] ** 2).sum())
        slope = product / power if power > 0 else 0.0
        return slope * graph[:n, :n].double().numpy()


def whole_bins(duration_s: float, bin_s: float) -> int:
    """Bins that fit into a time, at least one."""
    return max(1, math.floor(duration_s / bin_s + 1e-6))
