"""How the published model learns, and what it takes: python benchmarks/published_learning.py.

Fits of both forms to rings of the seeds that `YoonGNN` was developed on, and of each with one
change at a time. `start` is the form that is changed:

- "default": `change` is set back to the published value, for eight epochs each.
- "as published": the literal form without early stopping, which keeps its last epoch; `change` is a
  hypothesis about what the authors' run had that ours lacks, for thirty epochs each.

Where `change` is "nothing", the form is in full: sixty epochs of the default, a hundred of the
other.
"eight epochs" is the default that the changed ones are compared with; what the literal form had
reached after thirty stands in its `delta_by_epoch`, since its steps do not depend on their number.

A row is one fit: its error and bits per spike, those of what is held out in training at the epoch
that is kept, both after every epoch of 200 batches, and the mean weight by distance on the ring, 1
to 50 neurons, of the graph that is kept and after some epochs, in units of the true weights. Truth
only scores. Bits per spike are those of the last tenth, which no fit sees, as are the oracle's: by
the network itself, and by what it knows at the start of the bins of this row. `cpu_s` is that of
the fit on one core, without scores by the truth.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import tables
import torch
from jaxtyping import Float, Float32
from scipy.signal import lfilter

from spikeweft.benchmark.datasets import simulated
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import LogCounts, Samples, log_likelihood_of
from spikeweft.graph_networks.departures import AS_PUBLISHED, DEPARTURES
from spikeweft.graph_networks.yoon_gnn import YoonGNN
from spikeweft.graph_networks.yoon_training import LEARNING_RATE, YoonFit, drive_at, log_counts
from spikeweft.simulation.ring_networks import RingNetwork, lnp_ring, threshold_ring

DRIVEN = "LNP, drive 2"
RINGS: Mapping[str, RingNetwork] = {
    "threshold": threshold_ring(),
    "LNP": lnp_ring(),
    DRIVEN: replace(lnp_ring(), drive_amplitude_neurons=2.0),
}
MINUTES = 8.0
EPOCHS_SHOWN = (1, 2, 4, 8, 16, 32, 64)
NEVER = 1e-30

N_EPOCHS_OF_ABLATIONS = 8
N_EPOCHS_OF_LITERAL = 100
N_EPOCHS_OF_HYPOTHESES = 30

DEFAULT = YoonGNN().get_params()
SIZES = ("n_units", "n_message_units", "message_width")
SINGLE_BINS = "consecutive_bins, sampled_bins"

LONG_BINS = {
    "bin_s": AS_PUBLISHED["bin_s"],
    **{name: DEFAULT[name] // 2 for name in ("consecutive_bins", "sampled_bins")},
}
"""Bins twice as long, in stretches and samples that last as long as before."""

SET_BACK: Mapping[str, Mapping[str, Any]] = {
    "eight epochs": {},
    **{
        name: {name: AS_PUBLISHED[name]}
        for name in DEPARTURES
        if name not in ("n_epochs", "consecutive_bins", "bin_s")
    },
    "bin_s": LONG_BINS,
    SINGLE_BINS: {"consecutive_bins": 1, "sampled_bins": 1},
}
"""What is set back in the default; of bins one by one there is no sample, so both go together."""

NO_DECAY = "steps do not decay"

HYPOTHESES: Mapping[str, Mapping[str, Any]] = {
    NO_DECAY: {"n_epochs": N_EPOCHS_OF_LITERAL},
    "whitened trains": {"whitened_embedding": True},
    "symmetric pairs": {"symmetric_pairs": True},
    "small sizes": {name: DEFAULT[name] for name in SIZES},
    "steady descent": {"steady_descent": True},
    "bins of 0.5 ms": {"bin_s": DEFAULT["bin_s"], "batch_size": 2 * AS_PUBLISHED["batch_size"]},
    "window of 5τ": {"history_window_s": DEFAULT["history_window_s"]},
    "smooth kernels": {"smooth_kernels": True},
    "even start": {"even_start": True},
    "batches of 256 bins": {"batch_size": 256},
}
"""What the authors' run may have had: settings that are changed in the literal form."""

CASES = (
    *(
        (start, "nothing", name, seed)
        for seed in (3, 4)
        for name in ("threshold", "LNP")
        for start in ("default", "as published")
    ),
    *(("default", change, "LNP", 3) for change in SET_BACK if change != "input_turns"),
    *(("default", change, DRIVEN, 3) for change in ("eight epochs", "input_turns")),
    *(
        ("default", change, "threshold", 4)
        for change in ("eight epochs", "smooth_kernels", "even_start")
    ),
    *(("as published", change, "LNP", 3) for change in HYPOTHESES),
)
"""Form, what is changed in it, neuron model, and seed."""


class Course(NamedTuple):
    """What a training went through, epoch by epoch, and the processor time that it took.

    Profiles are mean weights by distance on the ring, in units of the true ones.
    """

    deltas: list[float]
    held_out_bits: list[float]
    profiles: list[Float[np.ndarray, " distance"]]
    cpu_s: float


def estimator(start: str, change: str, neuron_model: str) -> YoonGNN:
    """A form with one change, if any."""
    drive = {"drive": "drive"} if neuron_model == DRIVEN else {}
    if start == "as published":
        n_epochs = N_EPOCHS_OF_LITERAL if change == "nothing" else N_EPOCHS_OF_HYPOTHESES
        changed = {"n_epochs": n_epochs, **HYPOTHESES.get(change, {})}
        return YoonGNN.as_published(patience=None, **drive, **changed)
    n_epochs = {} if change == "nothing" else {"n_epochs": N_EPOCHS_OF_ABLATIONS}
    return YoonGNN(**drive, **n_epochs, **SET_BACK.get(change, {}))


def measure(start: str, change: str, neuron_model: str, seed: int) -> tables.Row:
    """Fit one form to one ring, and score it epoch by epoch."""
    torch.set_num_threads(1)
    network = RINGS[neuron_model]
    data = simulated(network, MINUTES, seed)
    model = estimator(start, change, neuron_model)
    model.random_state = seed
    watched, setup_s = timed(lambda: model.training(data.training))
    if change == NO_DECAY:
        watched.step_size = lambda *_: LEARNING_RATE
    course = watch(watched, data.truth)
    graph, finish_s = timed(watched.finish)
    error = inference_error(Connectivity(weights=graph.double().numpy()), data.truth)
    bins, null_hz = binned(model, data.test, watched.training.bin_s), data.training.rate_hz
    predicted = log_counts(watched.model, graph, bins)
    oracle = oracle_in_bins(network, data.test, bins)
    n_epochs = len(course.deltas)
    shown = [epoch for epoch in EPOCHS_SHOWN if epoch < n_epochs] + [n_epochs]
    return {
        "delta": round(error.delta, 4),
        "bias": round(error.bias, 4),
        "variance": round(error.variance, 4),
        "n_epochs": n_epochs,
        "cpu_s": round(setup_s + course.cpu_s + finish_s),
        "bin_s": bins.bin_s,
        "bits_per_spike": round(bits_of(predicted, bins, null_hz), 4),
        "oracle_bits_per_spike": round(data.oracle.pooled, 4) if data.oracle else "",
        "oracle_bits_in_bins": round(bits_of(oracle, bins, null_hz), 4),
        "held_out_bits_per_spike": round(watched.best.best_bits, 4),
        "delta_by_epoch": " ".join(f"{delta:.3f}" for delta in course.deltas),
        "held_out_bits_by_epoch": " ".join(f"{bits:.4f}" for bits in course.held_out_bits),
        "kept_by_distance": _written(error.scale * by_distance(graph.double().numpy())),
        "epochs_shown": " ".join(map(str, shown)),
        "weight_by_distance": "; ".join(_written(course.profiles[epoch - 1]) for epoch in shown),
    }


def _written(weights: Float[np.ndarray, " distance"]) -> str:
    return " ".join(f"{weight:.3g}" for weight in weights)


def binned(model: YoonGNN, test: Recording, bin_s: float) -> BinnedHistory:
    """What no fit sees, in the bins of a model, with the drive where it reads one."""
    bins = BinnedHistory.of(test, bin_s, model.history_window_s)
    return replace(bins, drive_rad=drive_at(test, model.drive, bins.start_s + bin_s / 2))


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """What a call answers, and the processor time that it took."""
    began = time.process_time()
    answer = call()
    return answer, time.process_time() - began


def watch(fit: YoonFit, truth: Connectivity) -> Course:
    """Train to the end, and score every epoch by the truth, which takes no part."""
    deltas, bits, profiles, cpu_s = [], [], [], 0.0
    while True:
        progress, seconds = timed(fit.advance)
        cpu_s += seconds
        if progress is None:
            return Course(deltas, bits, profiles, cpu_s)
        graph = fit.graph().double().numpy()
        error = inference_error(Connectivity(weights=graph), truth)
        deltas.append(error.delta)
        bits.append(progress.held_out_bits_per_spike)
        profiles.append(error.scale * by_distance(graph))


def by_distance(weights: Float[np.ndarray, "post pre"]) -> Float[np.ndarray, " distance"]:
    """Mean weight at each distance on the ring, from one neuron on."""
    neuron = np.arange(len(weights))
    return np.array(
        [weights[neuron, neuron - apart].mean() for apart in range(1, len(weights) // 2 + 1)]
    )


def bits_of(
    predicted: LogCounts, bins: BinnedHistory, null_rate_hz: Float[np.ndarray, " neuron"]
) -> float:
    """Pooled bits per spike of a prediction in all scored bins."""
    return bits_per_spike(
        log_likelihood_of(predicted, bins, np.arange(len(bins))),
        bins.spikes.sum(0).numpy(),
        float(bins.exposure_s.sum()),
        null_rate_hz,
    ).pooled


def oracle_in_bins(network: RingNetwork, test: Recording, bins: BinnedHistory) -> LogCounts:
    """Counts that the network's rates make expect, if it forgets the spikes since a bin began."""
    n_steps = round(bins.bin_s / network.time_step_s)
    steps = test.counts(network.time_step_s).counts
    left = network.decay ** np.arange(n_steps)
    arrived = np.einsum("s,bsn->bn", left[::-1], steps.reshape(-1, n_steps, steps.shape[1]))
    traces = lfilter([0.0, 1.0], [1.0, -(network.decay**n_steps)], arrived, axis=0)
    neuron = np.arange(network.n_neurons)

    def log_counts_of(chosen: Samples) -> Float32[torch.Tensor, "sample neuron"]:
        time_bin = bins.scored[chosen]
        turn = network.drive_rad(bins.start_s[time_bin]) * network.n_neurons / (2 * np.pi)
        sender = (neuron + np.floor(turn).astype(int)[:, None]) % network.n_neurons
        drive = np.take_along_axis(traces[time_bin], sender, 1) @ network.synapses.T
        expected = sum(network.neuron.spikes_per_step(part * drive) for part in left)
        return torch.from_numpy(np.log(np.maximum(expected, NEVER))).float()

    return log_counts_of


if __name__ == "__main__":
    names = ("start", "change", "neuron_model", "seed")
    tables.fill(
        __file__,
        __doc__,
        [dict(zip(names, case, strict=True)) for case in CASES],
        measure,
        ("torch", "numba"),
    )
