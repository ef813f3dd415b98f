"""What `spikeweft infer` takes circuits for: python benchmarks/circuit_kind.py.

Rings of the paper, random dense wirings, sparse networks with latencies, and neurons that are not
connected: on each, `CircuitGNN` and `SynapseModel` are fitted as `infer` fits them, held-out spikes
choose, and the row says which model answers, by how many nats beside the standard error of that,
and what the answer and the other model are worth: Δ where weights between all pairs were simulated,
average precision where few were.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables

from spikeweft.benchmark.sparse_circuits.cases import NETWORKS
from spikeweft.benchmark.sparse_circuits.score import simulated
from spikeweft.benchmark.studies import RANDOM_WIRINGS
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.evaluation.connection_detection import connection_order
from spikeweft.inference.settings import Inference
from spikeweft.inference.two_models import better_of_two
from spikeweft.simulation.networks import Network, simulate
from spikeweft.simulation.random_networks import random_network
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

SEEDS = (100, 101, 102)

RINGS = {"ring, threshold": threshold_ring, "ring, LNP": lnp_ring}
SPARSE = ("Poisson, all 60", "integrate-and-fire, all 60", "unconnected, all 60")

MINUTES = {
    **dict.fromkeys(RINGS, 2.0),
    **dict.fromkeys(RANDOM_WIRINGS, 4.0),
    **dict.fromkeys(SPARSE, 15.0),
}


class Data(NamedTuple):
    """Spikes and the true circuit; `is_dense` says whether all of its weights are compared."""

    recording: Recording
    truth: Connectivity
    is_dense: bool


def data_of(network: str, minutes: float, seed: int) -> Data:
    """The spikes of a network of one kind."""
    if network in NETWORKS:
        return Data(*simulated(network, minutes, seed), is_dense=False)
    if network in RINGS:
        made: Network = RINGS[network]()
    else:
        made = random_network(RANDOM_WIRINGS[network], wiring_seed=seed)
    recording = simulate(made, 60.0 * minutes, np.random.default_rng(seed))
    return Data(recording, made.connectivity, is_dense=True)


def measure(network: str, minutes: float, seed: int) -> tables.Row:
    """Fit both models, and let held-out spikes choose."""
    data = data_of(network, minutes, seed)
    training, _ = split(data.recording, TEST_FRACTION)
    dense = CircuitGNN(random_state=seed).fit(training)
    inference = Inference(recording=Path("simulated"), folder=Path("nowhere"), seed=seed)
    answer = better_of_two(dense, inference, training, lambda _: None)
    assert answer.second is not None
    answered, other = answer.model.connectivity_, answer.second
    bits = "held_out_bits_per_spike_{}"
    return {
        "answers": type(answer.model).__name__,
        "says": str(answer.metrics["circuit_kind"]).split(":")[0],
        "circuit_gnn_bits": answer.metrics[bits.format("circuit_gnn")],
        "synapse_model_bits": answer.metrics[bits.format("synapse_model")],
        "uncoupled_bits": answer.metrics[bits.format("without_coupling")],
        "worth": worth(answered, data),
        "worth_of_the_other": worth(other, data),
        "measure": "Δ" if data.is_dense else "average precision",
    }


def worth(circuit: Connectivity, data: Data) -> float:
    """Δ, or average precision; NaN where nothing is connected."""
    if data.is_dense:
        return inference_error(circuit, data.truth).delta
    return connection_order(circuit, data.truth).average_precision


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        (
            {"network": network, "minutes": minutes, "seed": seed}
            for seed in SEEDS
            for network, minutes in MINUTES.items()
        ),
        measure,
        ("numpy", "torch", "numba"),
    )
