"""Networks that predict spikes bin by bin: their training parts, scores, and best epoch."""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy

import numpy as np
import torch
from jaxtyping import Float, Float32, Int
from torch import Tensor, nn

from spikeweft.data.holdout import BASELINE_VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor, check_enough_neurons
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.graph_networks.binned_history import BinnedHistory, rebin
from spikeweft.runtime.training_loop import Progress

BIN_S = 1e-3
"""Width of the bins that are predicted; a coarser recording is binned at its own resolution."""

N_HELD_OUT_BINS = 4096
"""Bins, spread evenly over the held-out part, that each epoch is judged by, and more where these
do not hold enough spikes."""

N_HELD_OUT_SPIKES = 5000
"""Spikes that are enough to judge an epoch by."""

N_PROBES = 2048
"""Moments at which one spike is added to see what the fitted circuit does."""

EVALUATION_BATCH = 256

Samples = Int[np.ndarray, " sample"]
LogCounts = Callable[[Samples], Float32[Tensor, "sample neuron"]]
"""Log of the expected spike count of each neuron in some scored bins."""


class BinnedPredictor(SpikePredictor):
    """A network that predicts each bin's spikes from the bins before.

    After `fit`:

    bin_s_
        Width of the bins.
    """

    bin_s_: float

    @abstractmethod
    def _bins(self, X: Recording, bin_s: float) -> BinnedHistory:
        """The recording in bins of this width, as this network sees it."""

    @abstractmethod
    def _log_counts(self, bins: BinnedHistory) -> LogCounts:
        """The fitted network's predictions in these bins."""

    def log_likelihood(self, X: Recording) -> Float[np.ndarray, " neuron"]:
        """Σ log λ(t_spike) - ∫λ dt of each neuron, in nats with rates in Hz, on scored time."""
        self.check_fitted(X)
        bins = self._bins(X, self.bin_s_)
        return log_likelihood_of(self._log_counts(bins), bins, np.arange(len(bins)))

    def predict(self, X: Recording, bin_s: float = 0.01) -> Float[np.ndarray, "time neuron"]:
        """Expected spike counts in the bins of `X.counts(bin_s)`, given the spikes before.

        The network's bins are predicted from the spikes before them and summed over those wanted.
        Where an epoch has no full history window yet, the neuron's mean rate is expected.
        """
        self.check_fitted(X)
        bins = self._bins(X, self.bin_s_)
        expected = np.outer(bins.width_s, self.null_rate_hz_).astype(np.float32)
        for chosen, log_rate in log_rates(self._log_counts(bins), bins, np.arange(len(bins))):
            time = bins.scored[chosen]
            expected[time] = log_rate.exp().numpy() * bins.width_s[time, None]
        return rebin(expected, bins.width_s, X.counts(bin_s).exposure_s)

    def _training_parts(
        self, X: Recording, bin_s: float
    ) -> tuple[Recording, BinnedHistory, BinnedHistory]:
        """The part to train on, its bins, and those of the last part, which say when to stop.

        Raises
        ------
        InputError
            Where either is too short or has no spikes.
        """
        early, late = split(X, BASELINE_VALIDATION_FRACTION)
        check_enough_neurons(early)
        training, held_out = self._bins(early, bin_s), self._bins(late, bin_s)
        if min(len(training), len(held_out)) == 0:
            raise InputError(
                f"a recording of {X.duration_s:g} s in {len(X.epochs_s)} epochs leaves nothing to "
                f"train on or to hold out after a history window of {self.history_window_s:g} s; "
                "use a longer recording or a shorter window"
            )
        if not held_out.spikes.any():
            raise InputError(
                f"no neuron fires in the last {late.duration_s:g} s, which say when training is to "
                "stop; use a longer recording, or leave out its silent end"
            )
        return early, training, held_out


def check_finite(progress: Progress) -> Progress:
    """Refuse to go on with a training that has diverged.

    Raises
    ------
    InputError
        Where it has.
    """
    if not math.isfinite(progress.loss + progress.held_out_bits_per_spike):
        raise InputError(
            f"training has diverged: the loss of epoch {progress.step} is {progress.loss:g} nats "
            f"per spike, and the score {progress.held_out_bits_per_spike:g} bits; use another "
            "random_state, or smaller batches"
        )
    return progress


class BestEpoch:
    """The parameters of the epoch that predicts held-out spikes best, and when to stop.

    The first ones, as many as `n_resting`, do not count: part of the model rests in them. Where
    `patience` is None, training never stops, and the last epoch is taken for the best.
    """

    def __init__(self, model: nn.Module, patience: int | None, n_resting: int = 0) -> None:
        self.model, self.patience, self.n_resting = model, patience, n_resting
        self.epoch = 0
        self.best_epoch = 0
        self.best_bits = -math.inf
        self.best = deepcopy(model.state_dict())

    @property
    def is_past(self) -> bool:
        """Whether the last epochs, as many as `patience`, were no better."""
        return self.patience is not None and self.epoch - self.best_epoch >= self.patience

    def judge(self, bits: float) -> None:
        """Note the held-out score of one more epoch."""
        self.epoch += 1
        is_better = self.patience is None or bits > self.best_bits
        if self.epoch > self.n_resting and is_better:
            self.best_epoch, self.best_bits = self.epoch, bits
            self.best = deepcopy(self.model.state_dict())

    def take(self) -> None:
        """Give the model its best parameters."""
        self.model.load_state_dict(self.best)

    def state(self) -> dict[str, np.ndarray]:
        """The best parameters and the counters, by name."""
        arrays = {f"best.{name}": t.numpy().copy() for name, t in self.best.items()}
        return arrays | {
            "epochs": np.array([self.epoch, self.best_epoch]),
            "best_bits": np.array([self.best_bits]),
        }

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from what `state` gave."""
        self.best = as_tensors(state, "best.", self.model.state_dict())
        self.epoch, self.best_epoch = (int(epoch) for epoch in state["epochs"])
        self.best_bits = float(state["best_bits"][0])


def log_rates(
    log_counts: LogCounts, bins: BinnedHistory, chosen: Samples
) -> Iterator[tuple[Samples, Float32[Tensor, "batch neuron"]]]:
    """Scored bins and each neuron's log rate in them, in log Hz, some at a time."""
    for start in range(0, len(chosen), EVALUATION_BATCH):
        part = chosen[start : start + EVALUATION_BATCH]
        with torch.no_grad():
            log_count = log_counts(part)
        yield part, log_count - math.log(bins.bin_s)


def log_likelihood_of(
    log_counts: LogCounts, bins: BinnedHistory, chosen: Samples
) -> Float[np.ndarray, " neuron"]:
    """Log-likelihood of each neuron in the chosen bins, in nats."""
    total = torch.zeros(bins.counts.shape[1], dtype=torch.float64)
    for part, log_rate in log_rates(log_counts, bins, chosen):
        counts, scored_part = bins.observed(part)
        expected = log_rate.exp() * scored_part * bins.bin_s
        total += (counts * log_rate - expected).sum(0, dtype=torch.float64)
    return total.numpy()


def held_out_bits(
    log_counts: LogCounts,
    held_out: BinnedHistory,
    null_rate_hz: Float[np.ndarray, " neuron"],
    n_consecutive: int = 1,
) -> float:
    """Bits per spike, pooled as the loss is: a mean over neurons would weigh the rarest most.

    In bins that are spread evenly, as many in a row as are wanted.
    """
    chosen = held_out.evenly(_n_judging(held_out), n_consecutive)
    time = held_out.scored[chosen]
    return bits_per_spike(
        log_likelihood_of(log_counts, held_out, chosen),
        held_out.spikes[torch.from_numpy(time)].sum(0).numpy(),
        float(held_out.exposure_s[time].sum()),
        null_rate_hz,
    ).pooled


def _n_judging(held_out: BinnedHistory) -> int:
    """Bins that an epoch is judged by."""
    n_spikes = int(held_out.spikes.sum())
    enough = len(held_out) * N_HELD_OUT_SPIKES // max(n_spikes, 1)
    return min(max(N_HELD_OUT_BINS, enough), len(held_out))


def as_tensors(
    arrays: Mapping[str, np.ndarray], prefix: str, like: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Arrays under a prefix, for tensors of the same names.

    Raises
    ------
    KeyError
        Where there is none of a name.
    ValueError
        Where one has another shape.
    """
    found = {name: arrays[prefix + name] for name in like}
    for name, array in found.items():
        if array.shape != like[name].shape:
            raise ValueError(f"{name} has shape {array.shape}, not {tuple(like[name].shape)}")
    return {name: torch.tensor(array) for name, array in found.items()}
