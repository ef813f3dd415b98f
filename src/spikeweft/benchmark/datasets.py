"""What a case is fitted to and scored by: spikes, truth, and the limits of any method."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Bool, Int, Shaped

from spikeweft.data.connectivity import DECODER_ERRORS, Connectivity
from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.cramer_rao import cramer_rao_delta, fisher_information
from spikeweft.evaluation.oracle import oracle_bits_per_spike
from spikeweft.evaluation.prediction import PredictionScore
from spikeweft.simulation.networks import Network, simulate


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
        Least Δ of free weights, symmetric where the truth is, fitted to the training part.
    """

    recording: Recording
    truth: Connectivity
    identifiable: Bool[np.ndarray, "post pre"]
    oracle: PredictionScore | None = None
    cramer_rao_delta: float = float("nan")

    @property
    def minutes(self) -> float:
        """Length of the recording, to a tenth."""
        return round(self.recording.duration_s / 60.0, 1)

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
        Where the file is not of this kind, or names a neuron that is not among its `nodes`.
    """
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as arrays:
            file = _SpyconFile(*(arrays[name] for name in _SpyconFile._fields))
        file.check()
        neurons, (pre, post) = file.place(file.ids), file.place(file.marked_edges[:, :2]).T
    except (*DECODER_ERRORS, BadZipFile) as error:
        raise InputError(
            f"{path} is not a spycon file with times, ids, nodes and marked_edges ({error}); "
            "check --spycon"
        ) from error
    weights = np.zeros((len(file.nodes), len(file.nodes)))
    weights[post, pre] = file.marked_edges[:, 2]
    truth = Connectivity(weights=weights, neuron_ids=tuple(str(node) for node in file.nodes))
    recording = Recording.from_arrays(
        file.times,
        neurons,
        n_neurons=len(file.nodes),
        epochs_s=np.array([[0.0, np.floor(file.times.max()) + 1.0]]),
        neuron_ids=truth.neuron_ids,
    )
    return DataSet(recording=recording, truth=truth, identifiable=truth.off_diagonal)


class _SpyconFile(NamedTuple):
    times: Shaped[np.ndarray, "..."]
    ids: Shaped[np.ndarray, "..."]
    nodes: Shaped[np.ndarray, "..."]
    marked_edges: Shaped[np.ndarray, "..."]

    def check(self) -> None:
        """Raise a ValueError where the arrays are no spikes, neurons and edges."""
        times, ids, nodes, edges = self
        if edges.ndim != 2 or edges.shape[1] != 3 or not np.all(np.isfinite(edges)):
            raise ValueError(f"its edges are an array of shape {edges.shape}, not one row of three")
        if nodes.ndim != 1 or len(np.unique(nodes)) != nodes.size or nodes.size < 2:
            raise ValueError("its nodes are no list of at least two different neurons")
        if times.ndim != 1 or times.shape != ids.shape or not times.size:
            raise ValueError("it has no spikes with one time and one id each")
        if not np.all(np.isfinite(times)) or times.min() < 0:
            raise ValueError("its times are not all seconds from 0")

    def place(self, ids: Shaped[np.ndarray, "..."]) -> Int[np.ndarray, "..."]:
        """Indices of neurons among the nodes; a ValueError names one that is not there."""
        order = np.argsort(self.nodes)
        sorted_place = np.searchsorted(self.nodes, ids, sorter=order)
        place = order[np.minimum(sorted_place, len(order) - 1)]
        unknown = ids[self.nodes[place] != ids]
        if unknown.size:
            raise ValueError(f"the neuron {unknown.ravel()[0]} is not among its nodes")
        return place


def _identifiable(network: Network, training: Recording) -> Bool[np.ndarray, "post pre"]:
    circuit = network.connectivity
    information = np.diagonal(fisher_information(network, training), axis1=1, axis2=2)
    typical = np.mean(circuit.weights[circuit.off_diagonal] ** 2)
    return circuit.off_diagonal & (information * typical >= 1.0)
