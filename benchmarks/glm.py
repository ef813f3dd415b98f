"""The Poisson GLM on rings of 8 minutes: python benchmarks/glm.py.

Every row is a process of its own; its peak memory includes the imports. Training is on the first
90 % of the recording, bits per spike are on the last 10 %. Whatever else the machine does adds to
the times. `glm_peers.py` compares with other software.
"""

import csv
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from spikeweft.estimators.poisson_glm import PoissonGLM
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
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        names = list(dict.fromkeys(name for row in rows for name in row))
        table = csv.DictWriter(file, fieldnames=names, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
