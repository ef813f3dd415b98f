"""Time and memory of whole fits as neurons and minutes grow: python benchmarks/growth.py.

Rings of LNP neurons, whose profile is in neurons: bumps of activity stay 25 neurons wide, and 200
neurons have eight of them. Peak memory is that of a process that also simulated the spikes. Each
row has the exponents of growth since the next smaller row of its kind (`seconds_by_n_neurons` 2:
four times slower with twice the neurons). Of CircuitGNN the stages of the fit are timed as well,
and the one that takes most of the time is named.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tables

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.data.recording import Recording
from spikeweft.estimator import SpikePredictor
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.parallel import n_processors
from spikeweft.runtime.training_loop import Progress
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring

SEED = 100
SIZES = (
    *((n_neurons, 2.0) for n_neurons in (25, 50, 100, 200)),
    *((100, minutes) for minutes in (1.0, 4.0, 8.0, 16.0)),
)
"""Neurons and minutes."""

COSTS = ("seconds", "processor_seconds", "peak_mib")


class StageClock:
    """Adds up the time between steps of a fit by the stage of the later one."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._last = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        """Take note of a step that has ended."""
        self._stop(progress.stage.rstrip(" 0123456789"))

    def _stop(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] += now - self._last
        self._last = now

    def row(self) -> tables.Row:
        """Seconds of each stage, and the longest with its part of the whole."""
        self._stop("result")
        stage, longest_s = self.seconds.most_common(1)[0]
        seconds = {f"{name} (s)": round(s, 2) for name, s in self.seconds.items()}
        part = longest_s / sum(self.seconds.values())
        return {"longest_stage": stage, "longest_stage_part": round(part, 3), **seconds}


def fit_circuit(recording: Recording) -> tuple[SpikePredictor, tables.Row]:
    """CircuitGNN as it comes, and its stages."""
    clock = StageClock()
    return CircuitGNN(random_state=SEED).fit(recording, on_progress=clock), clock.row()


def fit_glm(recording: Recording) -> tuple[SpikePredictor, tables.Row]:
    """PoissonGLM as it comes."""
    return PoissonGLM().fit(recording), {}


ESTIMATORS: dict[str, Callable[[Recording], tuple[SpikePredictor, tables.Row]]] = {
    "CircuitGNN": fit_circuit,
    "PoissonGLM": fit_glm,
}


def measure(estimator: str, n_neurons: int, minutes: float) -> tables.Row:
    """One fit."""
    network = replace(lnp_ring(), n_neurons=n_neurons)
    recording = simulate(network, 60 * minutes, np.random.default_rng(SEED))
    simulated_mib = tables.memory_mib("VmHWM")
    start, start_processor = time.perf_counter(), time.process_time()
    model, stages = ESTIMATORS[estimator](recording)
    seconds = time.perf_counter() - start
    processor_seconds = time.process_time() - start_processor
    return {
        "n_spikes": len(recording.spike_times_s),
        "seconds": round(seconds, 2),
        "processor_seconds": round(processor_seconds, 2),
        "n_processors": n_processors(),
        "processors_used": round(processor_seconds / seconds, 2),
        "peak_mib": round(tables.memory_mib("VmHWM")),
        "peak_before_fit_mib": round(simulated_mib),
        "delta": round(inference_error(model.connectivity_, network.connectivity).delta, 4),
        **stages,
        "seed": SEED,
    }


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        [
            {"estimator": estimator, "n_neurons": n_neurons, "minutes": minutes}
            for estimator in ESTIMATORS
            for n_neurons, minutes in SIZES
        ],
        measure,
        ("torch", "numba", "scipy"),
        [
            tables.Growth("n_neurons", COSTS, ("estimator", "minutes")),
            tables.Growth("minutes", COSTS, ("estimator", "n_neurons")),
        ],
    )
