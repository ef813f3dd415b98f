"""How the published model learns, and what it takes: python benchmarks/published_learning.py.

Fits of `YoonGNN` and of `YoonGNN.as_published()`, and of the former with one departure from the
paper set back at a time, to rings of the seeds that it was developed on. A row is one fit: its
error and bits per spike, those of what is held out in training at the best epoch, the error after
every epoch of 200 batches, and the mean weight by distance on the ring, 1 to 50 neurons, after some
of them, in units of the true weights. Truth only scores. Bits per spike are those of the last
tenth, which no fit sees, as are the oracle's: by the network itself, and by what it knows at the
start of bins of half a millisecond. `cpu_s` is that of the fit on one core.
"""

import time

import numpy as np
import tables
import torch
from jaxtyping import Float, Float32
from scipy.signal import lfilter

from spikeweft.benchmark.datasets import simulated
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import HISTORY_WINDOW_S
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.graph_networks.binned_history import BinnedHistory
from spikeweft.graph_networks.binned_prediction import LogCounts, Samples, log_likelihood_of
from spikeweft.graph_networks.yoon_gnn import AS_PUBLISHED, YoonGNN
from spikeweft.graph_networks.yoon_training import log_counts
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
MINUTES = 8.0
N_EPOCHS_OF_ABLATIONS = 8
EPOCHS_SHOWN = (1, 2, 4, 8, 16, 32)
ORACLE_BIN_S, NEVER = 5e-4, 1e-30
DEPARTURES = (
    "history_window_s",
    "smooth_kernels",
    "whitened_embedding",
    "symmetric_pairs",
    "even_start",
    "n_units",
    "n_message_units",
    "message_width",
    "consecutive_bins",
    "sampled_bins",
    "steady_descent",
)
WHOLE = ("none", "all")
CASES = (
    *((whole, name, seed) for seed in (3, 4) for name in RINGS for whole in WHOLE),
    *((departure, "LNP", 3) for departure in ("nothing", *DEPARTURES)),
    *((departure, "threshold", 4) for departure in ("nothing", "smooth_kernels", "even_start")),
)
"""What is set back to the published value, neuron model, and seed. "none" and "all" are the two
forms in full; all others train for a few epochs, and "nothing" is what they are compared with."""


def estimator(set_back: str) -> YoonGNN:
    """The form with something set back to the published value."""
    if set_back == "all":
        return YoonGNN.as_published()
    if set_back == "none":
        return YoonGNN()
    changed = {set_back: AS_PUBLISHED[set_back]} if set_back != "nothing" else {}
    return YoonGNN(n_epochs=N_EPOCHS_OF_ABLATIONS, **changed)


def measure(set_back: str, neuron_model: str, seed: int) -> tables.Row:
    """Fit one form to one ring, and score it epoch by epoch."""
    torch.set_num_threads(1)
    data = simulated(RINGS[neuron_model](), MINUTES, seed)
    model = estimator(set_back)
    model.random_state = seed
    began = time.process_time()
    watched = model.training(data.training)
    deltas, profiles = [], []
    while watched.advance() is not None:
        graph = watched.graph().double().numpy()
        error = inference_error(Connectivity(weights=graph), data.truth)
        deltas.append(error.delta)
        profiles.append(error.scale * by_distance(graph))
    cpu_s = time.process_time() - began
    graph = watched.finish()
    error = inference_error(Connectivity(weights=graph.double().numpy()), data.truth)
    bins = BinnedHistory.of(data.test, model.bin_s_, model.history_window_s)
    null_hz, predicted = data.training.rate_hz, log_counts(watched.model, graph, bins)
    shown = sorted({*EPOCHS_SHOWN, len(profiles)} & set(range(1, len(profiles) + 1)))
    return {
        "delta": round(error.delta, 4),
        "bias": round(error.bias, 4),
        "variance": round(error.variance, 4),
        "n_epochs": len(deltas),
        "cpu_s": round(cpu_s),
        "bits_per_spike": round(bits_of(predicted, bins, null_hz), 4),
        "oracle_bits_per_spike": round(data.oracle.pooled, 4) if data.oracle else "",
        "oracle_bits_in_bins": round(oracle_in_bins(neuron_model, data.test, null_hz), 4),
        "held_out_bits_per_spike": round(watched.best.best_bits, 4),
        "delta_by_epoch": " ".join(f"{delta:.3f}" for delta in deltas),
        "epochs_shown": " ".join(map(str, shown)),
        "weight_by_distance": "; ".join(
            " ".join(f"{weight:.3g}" for weight in profiles[epoch - 1]) for epoch in shown
        ),
    }


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


def oracle_in_bins(
    neuron_model: str, test: Recording, null_rate_hz: Float[np.ndarray, " neuron"]
) -> float:
    """Bits per spike of the network's rates, if it forgets the spikes since a bin began."""
    network = RINGS[neuron_model]()
    bins = BinnedHistory.of(test, ORACLE_BIN_S, HISTORY_WINDOW_S)
    n_steps = round(ORACLE_BIN_S / network.time_step_s)
    steps = BinnedHistory.of(test, network.time_step_s, HISTORY_WINDOW_S).counts.numpy()
    left = network.decay ** np.arange(n_steps)
    arrived = np.einsum("s,bsn->bn", left[::-1], steps.reshape(-1, n_steps, steps.shape[1]))
    traces = lfilter([0.0, 1.0], [1.0, -(network.decay**n_steps)], arrived, axis=0)

    def log_counts_of(chosen: Samples) -> Float32[torch.Tensor, "sample neuron"]:
        drive = traces[bins.scored[chosen]] @ network.synapses.T
        expected = sum(network.neuron.spikes_per_step(part * drive) for part in left)
        return torch.from_numpy(np.log(np.maximum(expected, NEVER))).float()

    return bits_of(log_counts_of, bins, null_rate_hz)


if __name__ == "__main__":
    names = ("set_back", "neuron_model", "seed")
    tables.fill(
        __file__,
        __doc__,
        [dict(zip(names, case, strict=True)) for case in CASES],
        measure,
        ("torch", "numba"),
    )
