"""One case: the method is fitted to the training spikes and its circuit is scored."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool

from spikeweft.benchmark.datasets import DataSet
from spikeweft.benchmark.rows import Row
from spikeweft.benchmark.studies import Case
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.estimator import SpikePredictor
from spikeweft.evaluation.circuit_agreement import precision_recall_area
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.memory import peak_memory_mb
from spikeweft.runtime.provenance import commit, machine, versions
from spikeweft.simulation.partial_observation import observe

_SAMPLE_S = 1.0


class Scored(NamedTuple):
    """The row of a case, and what its figures show: circuit, truth, and a stretch of the test."""

    row: Row
    inferred: Connectivity
    truth: Connectivity
    sample: Recording


def fit_and_score(case: Case, data: DataSet) -> Scored:
    """Fit and score one case; its peak memory is that of the process it is called in.

    The method sees the training spikes of the observed neurons and nothing else of the network.
    """
    seen = _observed(case, data)
    estimator = case.method.build(n_hidden=case.n_hidden, seed=case.seed)
    training, test = seen.training, seen.test
    started = time.perf_counter()
    estimator.fit(training)
    seconds = time.perf_counter() - started
    inferred = estimator.connectivity_
    scores: dict[str, Any] = {
        **_errors(inferred, seen),
        "precision_recall_area": precision_recall_area(inferred, seen.truth),
        **_limits(seen),
        "structure": str(inferred.metadata.get("structure", "")),
        "seconds": seconds,
    }
    if isinstance(estimator, SpikePredictor):
        prediction = estimator.evaluate(test)
        scores["bits_per_spike"] = prediction.mean
        scores["bits_per_spike_pooled"] = prediction.pooled
    row = replace(empty_row(case), **scores, peak_memory_mb=peak_memory_mb())
    start_s = test.epochs_s[0, 0]
    sample = test.restrict(np.array([[start_s, start_s + _SAMPLE_S]]))
    return Scored(row=row, inferred=inferred, truth=seen.truth, sample=sample)


def empty_row(case: Case, failed: str = "") -> Row:
    """The row of a case without scores: who, where and when."""
    software: Mapping[str, Any] = versions("spikeweft", "numpy", "torch", "numba")
    return Row(
        study=case.study,
        table=case.table,
        setting=case.setting,
        neuron_model=case.neuron_model,
        method=case.method.name,
        seed=case.seed,
        minutes=case.minutes,
        recurrent_strength=case.recurrent_strength,
        n_observed=case.n_observed,
        n_hidden=case.n_hidden,
        failed=failed,
        **software,
        machine=machine(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=case.command,
        commit=commit(),
    )


def _observed(case: Case, data: DataSet) -> DataSet:
    """The data set as the method is to see it; the limits are those of a network seen in full."""
    n = data.recording.n_neurons
    if case.n_observed == n:
        return data
    rng = np.random.default_rng(case.seed)
    recording, truth, observed, _ = observe(data.recording, data.truth, case.n_observed, rng)
    identifiable = data.identifiable[np.ix_(observed, observed)]
    return DataSet(recording=recording, truth=truth, identifiable=identifiable)


def _errors(inferred: Connectivity, seen: DataSet) -> dict[str, float]:
    whole = inference_error(inferred, seen.truth)
    pairs, informed = seen.truth.off_diagonal, inferred.informed
    return {
        "delta": whole.delta,
        "delta_profile": whole.delta_profile,
        "bias": whole.bias,
        "variance": whole.variance,
        "delta_informed": _delta_over(informed, inferred, seen.truth),
        "n_pairs_uninformed": float(np.sum(pairs & ~informed)),
        "delta_identifiable": _delta_over(seen.identifiable, inferred, seen.truth),
        "n_pairs_identifiable": float(np.sum(seen.identifiable)),
    }


def _delta_over(
    pairs: Bool[np.ndarray, "post pre"], inferred: Connectivity, true: Connectivity
) -> float:
    """Δ over some pairs; NaN where none of them is connected."""
    if not np.any(true.weights[pairs & true.off_diagonal]):
        return float("nan")
    return inference_error(inferred, true, pairs=pairs).delta


def _limits(seen: DataSet) -> dict[str, float]:
    if seen.oracle is None:
        return {}
    return {
        "oracle_bits_per_spike": seen.oracle.mean,
        "oracle_bits_per_spike_pooled": seen.oracle.pooled,
        "cramer_rao_delta": seen.cramer_rao_delta,
    }
