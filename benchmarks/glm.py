"""The Poisson GLM on rings of 8 minutes, at several settings: python benchmarks/glm.py.

Training is on the first 90 % of the recording, bits per spike are on the last 10 %. Peak memory is
that of a process that also simulated the spikes. `glm_peers.py` compares with other software.
"""

import time

import numpy as np
import tables

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.parallel import n_processors
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

SEED = 100
MINUTES = 8.0
SETTINGS = (
    {"bin_s": 0.002, "n_basis": 3, "history_window_s": 0.1},
    {"bin_s": 0.002, "n_basis": 1, "history_window_s": 0.1},
    {"bin_s": 0.005, "n_basis": 3, "history_window_s": 0.1},
    {"bin_s": 0.001, "n_basis": 1, "history_window_s": 0.05},
)
"""The first is the default."""
RINGS = {"threshold": threshold_ring(), "LNP": lnp_ring()}


def measure(ring: str, **settings: float) -> tables.Row:
    """Error, prediction, time and memory of one fit."""
    network = RINGS[ring]
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    start, start_processor = time.perf_counter(), time.process_time()
    model = PoissonGLM(**settings).fit(recording.between(0.0, 0.9))
    seconds, processor = time.perf_counter() - start, time.process_time() - start_processor
    error = inference_error(model.connectivity_, network.connectivity)
    return {
        "n_neurons": network.n_neurons,
        "minutes": MINUTES,
        "ridge": model.ridge_,
        "seconds": round(seconds, 1),
        "processor_seconds": round(processor, 1),
        "n_processors": n_processors(),
        "peak_mib": round(tables.memory_mib("VmHWM")),
        "delta": round(error.delta, 4),
        "bias": round(error.bias, 4),
        "variance": round(error.variance, 4),
        "bits_per_spike": round(model.score(recording.between(0.9, 1.0)), 4),
        "seed": SEED,
    }


if __name__ == "__main__":
    cases = [{"ring": ring, **settings} for ring in RINGS for settings in SETTINGS]
    tables.fill(__file__, __doc__, cases, measure, ("numba", "scipy"))
