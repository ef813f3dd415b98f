"""The Poisson GLM on rings of 8 minutes, and against scikit-learn: python benchmarks/glm.py.

Every row is a process of its own; its peak memory includes the imports. Training is on the first
90 % of the recording, bits per spike are on the last 10 %. scikit-learn solves the same problem
(design matrix, penalty, scored time), without making the design, for a sample of the neurons; how
many times faster ours is compares processor time. Whatever else the machine does adds to the times.
"""

import csv
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
from sklearn.linear_model import PoissonRegressor

from spikeweft.estimators.poisson_glm import PoissonGLM
from spikeweft.filters import SpikeHistory, raised_cosine_basis
from spikeweft.metrics import inference_error
from spikeweft.simulate.network import simulate
from spikeweft.simulate.ring import lnp_ring, threshold_ring
from spikeweft.threads import n_processors

SEED = 1
MINUTES = 8.0
SETTINGS = (
    {},
    {"n_basis": 1},
    {"bin_s": 0.005},
    {"bin_s": 0.001, "n_basis": 1, "history_window_s": 0.05},
)
RINGS = {"threshold": threshold_ring(), "LNP": lnp_ring()}
RIDGE = 0.1
"""Against scikit-learn: the ridge at which own history and couplings are penalised alike."""
PEER_BIN_S = 0.005
N_PEER_NEURONS = 5

Row = dict[str, str | int | float]
Result = TypeVar("Result")


def peak_mib() -> float:
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def timed(function: Callable[..., Result], *arguments: object) -> tuple[dict[str, float], Result]:
    """Seconds on the clock and of the processors, and the result."""
    start, start_processor = time.perf_counter(), time.process_time()
    result = function(*arguments)
    seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
    return {"seconds": round(seconds, 1), "processor_seconds": round(processor, 1)}, result


def infer(ring: str, settings: dict[str, float]) -> Row:
    """Error, prediction, time and memory of one fit."""
    network = RINGS[ring]
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    seconds, model = timed(PoissonGLM(**settings).fit, recording.between(0.0, 0.9))
    error = inference_error(model.connectivity_, network.connectivity)
    return {
        **_setting(ring, network.n_neurons, model),
        **seconds,
        "peak_mib": round(peak_mib()),
        "delta": round(error.delta, 3),
        "bias": round(error.bias, 3),
        "variance": round(error.variance, 3),
        "bits_per_spike": round(model.score(recording.between(0.9, 1.0)), 4),
    }


def compare(n_neurons: int) -> Row:
    """Processor time of ours and of scikit-learn, and the likelihoods reached."""
    network = replace(threshold_ring(), n_neurons=n_neurons)
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    seconds, model = timed(PoissonGLM(bin_s=PEER_BIN_S, ridge=RIDGE).fit, recording)
    ours_nats = model.log_likelihood(recording)
    row = {**_setting("threshold", n_neurons, model), "peak_mib": round(peak_mib())}
    n_lags = round(model.history_window_s / PEER_BIN_S)
    counts = recording.counts(PEER_BIN_S).counts
    history = SpikeHistory(raised_cosine_basis(model.n_basis, n_lags, PEER_BIN_S))
    design = history(counts, n_lags, len(counts)).double().numpy()
    sample = range(0, n_neurons, n_neurons // N_PEER_NEURONS)
    peers = [timed(_peer, design, counts[n_lags:, neuron]) for neuron in sample]
    peer_nats = np.array([nats for _, nats in peers])
    per_neuron = float(np.mean([spent["processor_seconds"] for spent, _ in peers]))
    return {
        **row,
        **seconds,
        "scikit_learn_processor_seconds": round(n_neurons * per_neuron),
        "times_faster": round(n_neurons * per_neuron / seconds["processor_seconds"], 1),
        "nats_below_scikit_learn": round(float(np.max(peer_nats - ours_nats[sample])), 3),
        "nats": round(float(ours_nats[sample].mean())),
    }


def _peer(design: np.ndarray, spikes: np.ndarray) -> float:
    """Log-likelihood that scikit-learn reaches for a neuron."""
    peer = PoissonRegressor(alpha=RIDGE / len(spikes), solver="newton-cholesky", max_iter=100)
    expected = peer.fit(design, spikes).predict(design)
    return float(np.sum(spikes * np.log(expected / PEER_BIN_S) - expected))


def _setting(ring: str, n_neurons: int, model: PoissonGLM) -> Row:
    return {
        "ring": ring,
        "n_neurons": n_neurons,
        "bin_s": model.bin_s_,
        "n_basis": model.n_basis,
        "history_window_s": model.history_window_s,
        "ridge": model.ridge_,
        "seed": SEED,
        "n_processors": n_processors(),
    }


def alone(function: Callable[..., Row], *arguments: object) -> Row:
    """Result of a call in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


if __name__ == "__main__":
    rows = [alone(infer, ring, settings) for ring in RINGS for settings in SETTINGS]
    rows += [alone(compare, n_neurons) for n_neurons in (50, 100)]
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = csv.DictWriter(file, fieldnames=names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
