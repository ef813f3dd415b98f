"""Time and memory of whole fits as neurons and minutes grow: python benchmarks/growth.py.

Rings of LNP neurons, whose profile is in neurons: bumps of activity stay 25 neurons wide, and 200
neurons have eight of them; slow ones fire at 5 Hz where the others fire at 62.5. Sparse networks
that fire little: Poisson neurons with a shared state and 5 % of all connections, or 2 %, and 100 of
1,000 Izhikevich neurons for an hour. Peak memory is that of
a process that also simulated the spikes. Each row has the exponents of growth since the next
smaller row of its kind (`seconds_by_n_neurons` 2: four times slower with twice the neurons). Of
CircuitGNN the stages of the fit are timed as well, and the one that takes most of it is named; and
`foreseen_seconds` is how long the fit was expected to take at its fifth step; `foreseen_at_start_s`
and `foreseen_mib` are the time, on the machine on which work was measured, and the memory that were
expected before it began.
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import tables

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.benchmark.sparse_circuits.score import simulated
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.expected_cost import expected_cost
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.estimator import SpikePredictor
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.parallel import n_processors
from spikeweft.runtime.training_loop import Progress
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.ring_networks import RingNetwork, lnp_ring
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork

SEED = 100
SIZES = (
    *(("ring", n_neurons, 2.0) for n_neurons in (25, 50, 100, 200)),
    *(("ring", 100, minutes) for minutes in (1.0, 4.0, 8.0, 16.0)),
    ("Izhikevich", 100, 60.0),
    ("sparse Poisson", 384, 10.0),
    ("sparse Poisson", 384, 60.0),
    ("sparser Poisson", 1000, 10.0),
    ("slow ring", 1000, 10.0),
)
"""Network, neurons and minutes."""

_CONNECTED = {"sparse Poisson": 0.05, "sparser Poisson": 0.02}

_WEIGHT = 2.5
"""Weight of a connection times those a neuron has; 60 neurons then have that of the default."""

_SLOWER = 12.5
"""By what factor the neurons of a slow ring fire less; their weights are as much larger."""

_STEP_OF_FORECAST = 5

COSTS = ("seconds", "processor_seconds", "peak_mib")


class StageClock:
    """Adds up the time between steps of a fit by the stage of the later one."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.foreseen_s: float | None = None
        self._first = self._last = time.perf_counter()

    def __call__(self, progress: Progress) -> None:
        """Take note of a step that has ended."""
        learns = progress.stage.startswith("structure")
        self._stop("structure" if learns else progress.stage)
        if progress.step == _STEP_OF_FORECAST and progress.seconds_left is not None:
            self.foreseen_s = round(self._last - self._first + progress.seconds_left, 1)

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
        longest = {"longest_stage": stage, "longest_stage_part": round(part, 3)}
        return {"foreseen_seconds": self.foreseen_s, **longest, **seconds}


def fit_circuit(recording: Recording) -> tuple[SpikePredictor, tables.Row]:
    """CircuitGNN as it comes, its stages, and what was expected before it began."""
    model = CircuitGNN(random_state=SEED)
    expected = expected_cost(model.problem_of(recording))
    before = {
        "foreseen_at_start_s": round(expected.seconds, 1),
        "foreseen_mib": round(expected.memory_mb),
    }
    clock = StageClock()
    return model.fit(recording, on_progress=clock), {**before, **clock.row()}


def fit_glm(recording: Recording) -> tuple[SpikePredictor, tables.Row]:
    """PoissonGLM as it comes."""
    return PoissonGLM().fit(recording), {}


ESTIMATORS: dict[str, Callable[[Recording], tuple[SpikePredictor, tables.Row]]] = {
    "CircuitGNN": fit_circuit,
    "PoissonGLM": fit_glm,
}


def slow_ring() -> RingNetwork:
    """A ring whose neurons fire at 5 Hz, with the mean drive of one that fires at 62.5 Hz."""
    ring = lnp_ring()
    assert isinstance(ring.neuron, LNPNeuron)
    neuron = replace(ring.neuron, gain=ring.neuron.gain / _SLOWER)
    return replace(ring, neuron=neuron, recurrent_strength=ring.recurrent_strength * _SLOWER)


RINGS: dict[str, Callable[[], RingNetwork]] = {"ring": lnp_ring, "slow ring": slow_ring}


def recorded(network: str, n_neurons: int, minutes: float) -> tuple[Recording, Connectivity]:
    """Spikes of a network and its true circuit."""
    if network in RINGS:
        ring = replace(RINGS[network](), n_neurons=n_neurons)
        return simulate(ring, 60 * minutes, np.random.default_rng(SEED)), ring.connectivity
    if network == "Izhikevich":
        data = simulated(f"Izhikevich, {n_neurons} of 1,000", minutes, SEED)
        return data.recording, data.truth
    probability = _CONNECTED[network]
    weight = _WEIGHT / (probability * n_neurons)
    sparse = SparsePoissonNetwork(
        n_neurons=n_neurons,
        connection_probability=probability,
        excitatory_weight=weight,
        inhibitory_weight=1.4 * weight,
        median_rate_hz=4.0,
        wiring_seed=SEED,
    )
    return sparse.simulate(60 * minutes, np.random.default_rng(SEED)), sparse.connectivity


def measure(network: str, estimator: str, n_neurons: int, minutes: float) -> tables.Row:
    """One fit."""
    recording, truth = recorded(network, n_neurons, minutes)
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
        "delta": round(inference_error(model.connectivity_, truth).delta, 4),
        **stages,
        "seed": SEED,
    }


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        [
            {
                "network": network,
                "estimator": estimator,
                "n_neurons": n_neurons,
                "minutes": minutes,
            }
            for estimator in ESTIMATORS
            for network, n_neurons, minutes in SIZES
        ],
        measure,
        ("torch", "numba", "scipy"),
        [
            tables.Growth("n_neurons", COSTS, ("network", "estimator", "minutes")),
            tables.Growth("minutes", COSTS, ("network", "estimator", "n_neurons")),
        ],
    )
