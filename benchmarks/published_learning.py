"""How the published model learns, and what it takes: python benchmarks/published_learning.py.

Fits of `YoonGNN` and of `YoonGNN.as_published()`, and of the former with one departure from the
paper set back at a time, to rings of the seeds that it was developed on. A row is one fit: error
and bits per spike of what is held out in training, at the best epoch, and the error after every
epoch of 200 batches. Truth only scores. The oracle's bits are those of the last tenth, which no fit
sees. `cpu_s` is that of the fit on one core.
"""

import time

import tables
import torch

from spikeweft.benchmark.datasets import simulated
from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.graph_networks.yoon_gnn import AS_PUBLISHED, YoonGNN
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
MINUTES = 8.0
N_EPOCHS_OF_ABLATIONS = 8
DEPARTURES = (
    "history_window_s",
    "whitened_embedding",
    "symmetric_pairs",
    "n_units",
    "n_message_units",
    "message_width",
    "consecutive_bins",
    "steady_descent",
)
WHOLE = ("none", "all")
CASES = (
    *((whole, name, seed) for name in RINGS for seed in (3, 4) for whole in WHOLE),
    *((departure, "LNP", 3) for departure in ("nothing", *DEPARTURES)),
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
    model, deltas = estimator(set_back), []
    model.random_state = seed
    began = time.process_time()
    watched = model.training(data.training)
    while watched.advance() is not None:
        graph = watched.graph()[: data.truth.n_neurons, : data.truth.n_neurons]
        circuit = Connectivity(weights=graph.double().numpy())
        deltas.append(inference_error(circuit, data.truth).delta)
    cpu_s = time.process_time() - began
    circuit = Connectivity(weights=watched.finish().double().numpy())
    error = inference_error(circuit, data.truth)
    return {
        "delta": round(error.delta, 4),
        "bias": round(error.bias, 4),
        "variance": round(error.variance, 4),
        "n_epochs": len(deltas),
        "cpu_s": round(cpu_s),
        "held_out_bits_per_spike": round(watched.best.best_bits, 4),
        "oracle_bits_per_spike": round(data.oracle.pooled, 4) if data.oracle else "",
        "delta_by_epoch": " ".join(f"{delta:.3f}" for delta in deltas),
    }


if __name__ == "__main__":
    names = ("set_back", "neuron_model", "seed")
    tables.fill(
        __file__,
        __doc__,
        [dict(zip(names, case, strict=True)) for case in CASES],
        measure,
        ("torch", "numba"),
    )
