"""What a case is fitted to and scored by: spikes, truth, and the limits of any method."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.cramer_rao import cramer_rao_delta, fisher_information
from spikeweft.evaluation.oracle import oracle_bits_per_spike
from spikeweft.evaluation.prediction import PredictionScore
from spikeweft.simulation.networks import Network, simulate

SPYCON_NEURONS, SPYCON_MINUTES = 20, 30.0
"""Of spycon_sim1917Cell1Block1_tiny.npz, a network that others simulated (christiando/spycon)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """The spikes of one network, and what is known about it, none of which a method sees.

    Attributes
    ----------
    recording, truth
        Spikes and true circuit of all its neurons.
    identifiable
        Pairs whose weight the training spikes would tell to within the size of a typical weight
        (root mean square) if all else were known: Fisher information · mean square ≥ 1.
    oracle
        Bits per spike of the network's own rates; None where it is not known.
    cramer_rao_delta
        Least Δ of free symmetric weights fitted to the training part.
    """

    recording: Recording
    truth: Connectivity
    identifiable: Bool[np.ndarray, "post pre"]
    oracle: PredictionScore | None = None
    cramer_rao_delta: float = float("nan")

    @property
    def training(self) -> Recording:
        """The part for fitting."""
        return split(self.recording, TEST_FRACTION)[0]

    @property
    def test(self) -> Recording:
        """The part for scoring."""
        return split(self.recording, TEST_FRACTION)[1]


def simulated(network: Network, minutes: float, seed: int) -> DataSet:
    """Spikes of a network, with its limits."""
    recording = simulate(network, 60.0 * minutes, np.random.default_rng(seed))
    training, test = split(recording, TEST_FRACTION)
    truth = network.connectivity
    return DataSet(
        recording=recording,
        truth=truth,
        identifiable=_identifiable(network, training),
        oracle=oracle_bits_per_spike(network, test, training.rate_hz),
        cramer_rao_delta=cramer_rao_delta(network, training),
    )


def recorded(path: Path) -> DataSet:
    """Spikes and true edges of a file of christiando/spycon: `times` (s), `ids`, `marked_edges`.

    An edge is (presynaptic neuron, postsynaptic neuron, weight).

    Raises
    ------
    InputError
        Where the file is not of this kind.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            nodes, times, ids = arrays["nodes"], arrays["times"], arrays["ids"]
            edges = arrays["marked_edges"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} is not a spycon file with times, ids, nodes and marked_edges ({error}); "
            "check --spycon"
        ) from error
    weights = np.zeros((len(nodes), len(nodes)))
    pre, post = np.searchsorted(nodes, edges[:, :2].T)
    weights[post, pre] = edges[:, 2]
    truth = Connectivity(weights=weights, neuron_ids=tuple(str(node) for node in nodes))
    recording = Recording.from_arrays(
        times,
        np.searchsorted(nodes, ids),
        n_neurons=len(nodes),
        epochs_s=np.array([[0.0, np.floor(times.max()) + 1.0]]),
        neuron_ids=truth.neuron_ids,
    )
    return DataSet(recording=recording, truth=truth, identifiable=truth.off_diagonal)


def _identifiable(network: Network, training: Recording) -> Bool[np.ndarray, "post pre"]:
    circuit = network.connectivity
    information = np.diagonal(fisher_information(network, training), axis1=1, axis2=2)
    typical = np.mean(circuit.weights[circuit.off_diagonal] ** 2)
    return circuit.off_diagonal & (information * typical >= 1.0)
