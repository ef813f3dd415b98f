"""One case: the method is fitted to the training spikes, and what it calls connected is scored."""

import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from spikeweft.benchmark import datasets
from spikeweft.benchmark.sparse_circuits.cases import NETWORKS, SparseCase
from spikeweft.benchmark.sparse_circuits.rows import SparseRow, empty_row
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.estimator import CircuitEstimator, SpikePredictor
from spikeweft.evaluation.connection_detection import (
    certainty,
    connection_order,
    latency_share,
    matthews_correlation,
)
from spikeweft.runtime.memory import peak_memory_mb
from spikeweft.simulation.partial_observation import observe

_CONNECTED = 0.5
"""Probability from which a pair is taken for connected where a method has no threshold."""


class SparseData(NamedTuple):
    """Spikes of the observed neurons, and the true circuit among them."""

    recording: Recording
    truth: Connectivity


def simulated(network: str, minutes: float, seed: int) -> SparseData:
    """Spikes of one of `NETWORKS`, as `spikeweft simulate sparse` makes them."""
    kind = NETWORKS[network]
    made, rng = kind.network(seed), np.random.default_rng(seed)
    recording = made.simulate(60.0 * minutes, rng)
    seen = observe(recording, made.connectivity, kind.n_observed, rng)
    return SparseData(seen.recording, seen.connectivity)


def recorded(file: Path) -> SparseData:
    """Spikes and true circuit of a file of christiando/spycon."""
    data = datasets.recorded(file)
    return SparseData(data.recording, data.truth)


def fit_and_score(case: SparseCase, data: SparseData) -> SparseRow:
    """Fit and score one case; its costs are those of the process it is called in.

    The method sees the training spikes of the observed neurons and nothing else of the network.
    """
    training, test = split(data.recording, TEST_FRACTION)
    estimator = case.method.build(n_hidden=0, seed=case.seed)
    wall, processor = time.perf_counter(), time.process_time()
    estimator.fit(training)
    processor_seconds, wall_seconds = time.process_time() - processor, time.perf_counter() - wall
    bits = estimator.evaluate(test).pooled if isinstance(estimator, SpikePredictor) else np.nan
    scores = _scores(case, estimator, data.truth)
    return replace(
        empty_row(case),
        **scores,
        bits_per_spike=float(bits),
        processor_seconds=processor_seconds,
        wall_seconds=wall_seconds,
        peak_memory_mb=peak_memory_mb(),
    )


def taken_for_connected(estimator: CircuitEstimator) -> Bool[np.ndarray, "post pre"] | None:
    """Pairs that a fitted method takes for connected at its own threshold; None without one."""
    if hasattr(estimator, "connected_"):
        return estimator.connected_
    probability = estimator.connectivity_.probability
    return None if probability is None else probability > _CONNECTED


def _scores(case: SparseCase, estimator: CircuitEstimator, truth: Connectivity) -> dict[str, Any]:
    """All scores of a circuit; what a method does not state is left out."""
    inferred, connected = estimator.connectivity_, taken_for_connected(estimator)
    scores = asdict(connection_order(inferred, truth))
    scores["n_connections"] = float(np.sum(truth.weights[truth.off_diagonal] != 0))
    sure = certainty(inferred, truth)
    if sure is not None:
        scores |= {**asdict(sure), "n_sure": float(sure.n_sure)}
    if connected is not None:
        scores["matthews_correlation"] = matthews_correlation(connected, truth)
        scores["n_called"] = float(np.sum(connected & truth.off_diagonal))
        if case.has_latencies:
            scores["latency_within_1_ms"] = latency_share(inferred, truth, connected)
    return scores
