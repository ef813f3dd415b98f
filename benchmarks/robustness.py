"""Fits of many unseen recordings, to see how bad the worst one is: python benchmarks/robustness.py.

Kinds of recordings, each of its seeds fitted once by `CircuitGNN` as it comes; the last tenth only
scores:

- `ring`: rings of threshold and of LNP neurons, eight minutes.
- `two_minutes`: rings of LNP neurons, two minutes.
- `small`: 8, 12 and 20 LNP neurons with random connections, directed (even seeds) or excitatory
  and inhibitory (odd seeds), 100 and 300 s. Beside the fit a Poisson GLM, and the reference: the
  best of 30 random starts of free weights by the likelihood of the training spikes
  (`random_starts.py`).
- `silent`, `late`: 8 such neurons, 100 s, with 52 units that never fire, or one that fires only
  late (`hardly_there.py`). The others are scored, beside a fit without these units.
- `uncoupled`: 10 to 20 independent Poisson neurons of 0.1 to 60 Hz.
- `odd`: 8 to 30 neurons, 1 to 10 minutes, that are odd in the four ways of `odd_recordings.py`;
  beside the fit a Poisson GLM.

Every fit has a process of its own. Its row is written as soon as it is made; rows that the table
has from the same source code are not made again, those that failed are. `--summary` says what the
table holds.
"""

import argparse
import shlex
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import hardly_there
import numpy as np
from jaxtyping import Int
from odd_recordings import TAU_S, WAYS, odd_recording
from random_starts import best_of_random_starts
from robustness_table import Row, read_rows, summary, write_rows
from threadpoolctl import threadpool_limits

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.benchmark.datasets import simulated
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit
from spikeweft.circuit_gnn.fitting.fit_state import Candidate, FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.spike_prediction.likelihood import mean_slope
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.holdout import TEST_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.runtime.files import only_writer
from spikeweft.runtime.flat_arrays import from_arrays
from spikeweft.runtime.isolated_call import CallError, alone
from spikeweft.runtime.memory import peak_memory_mb
from spikeweft.runtime.provenance import commit, is_of_this_code, machine, versions
from spikeweft.runtime.training_loop import Progress
from spikeweft.simulation.networks import Network
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
)
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

SEEDS = range(200, 220)
SEEDS_OF_EACH_SMALL_SIZE = range(200, 210)
SEEDS_OF_EACH_WAY = range(200, 206)
SEEDS_OF_HARDLY_THERE = range(200, 205)
N_STARTS = 30
_STEP_OF_FORECAST = 5
POISSON_RATES_HZ = (0.1, 60.0)
TABLE = Path(__file__).with_suffix(".csv")

RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
OF_SMALL_NETWORKS = ("small", "silent", "late")
WIRINGS = {"directed": DirectedWiring, "excitatory/inhibitory": ExcitatoryInhibitoryWiring}


class Case(NamedTuple):
    """One recording to fit; `seconds` with the last tenth, which only scores."""

    kind: str
    neuron_model: str
    n_neurons: int
    seconds: float
    seed: int

    @property
    def wiring(self) -> str:
        """What kind of connections there are."""
        if self.kind in OF_SMALL_NETWORKS:
            return list(WIRINGS)[self.seed % 2]
        return {"uncoupled": "none", "odd": "directed"}.get(self.kind, "ring")

    @property
    def network(self) -> Network | None:
        """The network that makes the spikes; None where they are made otherwise."""
        if self.kind in ("uncoupled", "odd"):
            return None
        if self.kind not in OF_SMALL_NETWORKS:
            return replace(RINGS[self.neuron_model](), n_neurons=self.n_neurons)
        wiring = WIRINGS[self.wiring](connection_probability=0.3, weight_sd=4e-3)
        neuron = LNPNeuron(threshold=8e-4)
        return RandomNetwork(
            neuron=neuron, n_neurons=self.n_neurons, wiring=wiring, wiring_seed=self.seed
        )


class Data(NamedTuple):
    """Spikes to fit, spikes to score by, and what is known of the network."""

    training: Recording
    test: Recording
    truth: Connectivity | None
    oracle_bits_per_spike: float
    others: Int[np.ndarray, " other"] | None = None
    """The neurons that are scored, where some are hardly there."""


# -- which recordings --


def rings(seeds: Sequence[int]) -> list[Case]:
    """Rings of each neuron model."""
    return [Case("ring", model, 100, 480.0, seed) for model in RINGS for seed in seeds]


def two_minutes(seeds: Sequence[int]) -> list[Case]:
    """Short recordings of rings."""
    return [Case("two_minutes", "LNP", 100, 120.0, seed) for seed in seeds]


def small(seeds: Sequence[int]) -> list[Case]:
    """Few neurons with random connections."""
    return [
        Case("small", "LNP", n_neurons, seconds, seed)
        for n_neurons in (8, 12, 20)
        for seconds in (100.0, 300.0)
        for seed in seeds
    ]


def silent(seeds: Sequence[int]) -> list[Case]:
    """The smallest of these beside units that never fire."""
    return [Case("silent", "LNP", 8, 100.0, seed) for seed in seeds]


def late(seeds: Sequence[int]) -> list[Case]:
    """The same with a unit that is there only for a part of the time."""
    return [Case("late", way, 8, 100.0, seed) for way in hardly_there.WAYS for seed in seeds]


def uncoupled(seeds: Sequence[int]) -> list[Case]:
    """Independent neurons."""
    return [Case("uncoupled", "Poisson", 10 + seed % 11, 180.0, seed) for seed in seeds]


def odd(seeds: Sequence[int]) -> list[Case]:
    """Few neurons, few minutes, and something that fits do not expect."""
    minutes = np.geomspace(1.0, 10.0, 6)
    return [
        Case("odd", way, 8 + 9 * seed % 23, float(round(60.0 * minutes[seed % 6])), seed)
        for way in WAYS
        for seed in seeds
    ]


KINDS = {
    "ring": (rings, SEEDS),
    "two_minutes": (two_minutes, SEEDS),
    "small": (small, SEEDS_OF_EACH_SMALL_SIZE),
    "silent": (silent, SEEDS_OF_HARDLY_THERE),
    "late": (late, SEEDS_OF_HARDLY_THERE),
    "uncoupled": (uncoupled, SEEDS),
    "odd": (odd, SEEDS_OF_EACH_WAY),
}


def data_of(case: Case) -> Data:
    """The spikes of a case."""
    if case.kind == "odd":
        made = odd_recording(case.neuron_model, case.n_neurons, case.seconds, case.seed)
        return Data(*split(made.recording, TEST_FRACTION), made.truth, float("nan"))
    if case.network is None:
        recording = poisson_neurons(case.n_neurons, case.seconds, case.seed)
        return Data(*split(recording, TEST_FRACTION), None, float("nan"))
    found = simulated(case.network, case.seconds / 60.0, case.seed)
    assert found.oracle is not None
    data = Data(found.training, found.test, found.truth, found.oracle.mean)
    return seen_of(case, data) if case.kind in ("silent", "late") else data


def seen_of(case: Case, data: Data) -> Data:
    """Data of which some units are hardly there; the oracle knows of all their spikes."""
    if case.kind == "silent":
        seen, others = hardly_there.with_silent, np.arange(case.n_neurons)
    else:
        seen = partial(hardly_there.with_late, way=case.neuron_model, whole_s=case.seconds)
        others = hardly_there.others(case.n_neurons)
    return Data(seen(data.training), seen(data.test), data.truth, float("nan"), others)


def poisson_neurons(n_neurons: int, seconds: float, seed: int) -> Recording:
    """Independent neurons, their rates spread evenly in the logarithm."""
    rng = np.random.default_rng(seed)
    rates_hz = np.exp(rng.uniform(*np.log(POISSON_RATES_HZ), n_neurons))
    n_spikes = rng.poisson(rates_hz * seconds)
    return Recording.from_arrays(
        rng.uniform(0.0, seconds, n_spikes.sum()),
        np.repeat(np.arange(n_neurons), n_spikes),
        n_neurons=n_neurons,
        epochs_s=np.array([[0.0, seconds]]),
    )


# -- one fit --


class ObservedFit(CircuitGNN):
    """CircuitGNN that keeps the fit, for what it does not return."""

    def _take_result(
        self, X: Recording, modelled: Int[np.ndarray, " modelled"], circuit: CircuitFit
    ) -> None:
        super()._take_result(X, modelled, circuit)
        self.circuit_ = circuit

    @property
    def free_(self) -> Candidate:
        """The candidate with free weights."""
        free = from_arrays(FitState, self.circuit_.state()).free
        assert free is not None
        return free


def measure(case: Case, data: Data) -> Row:
    """Fit and score one case; its costs are those of the process it is called in."""
    model = ObservedFit(random_state=case.seed)
    wall, processor = time.perf_counter(), time.process_time()
    model.fit(data.training)
    found: dict[str, Any] = {
        "processor_seconds": time.process_time() - processor,
        "wall_seconds": time.perf_counter() - wall,
        "peak_memory_mb": peak_memory_mb(),
        "time_left_factor": time_left_factor(model.history_),
        **fitted(model),
        **scores(model.connectivity_, data),
        "bits_per_spike": model.evaluate(data.test).mean,
    }
    if case.kind in ("small", "odd"):
        found |= beside_glm(data)
    if case.kind == "small":
        found |= beside_reference(model, data, case.seed)
    if data.others is not None:
        found["reference_delta"] = delta_of_others(data, data.others, case.seed)
    return replace(empty_row(case), oracle_bits_per_spike=data.oracle_bits_per_spike, **found)


def fitted(model: ObservedFit) -> dict[str, Any]:
    """What the fit found."""
    names = ("structure", "tau_s", "latency_s", "synaptic_kernel", "link_power", "link_bend")
    circuit, estimate = model.connectivity_, model.circuit_.estimate
    weights, error = (part[circuit.off_diagonal] for part in (circuit.weights, _error(circuit)))
    return {
        **{name: circuit.metadata[name] for name in names},
        "n_spikes": float(estimate.derivatives.n_spikes.sum()),
        "free_nats": model.circuit_.problem.estimate(model.free_).log_likelihood,
        "returned_nats": estimate.log_likelihood,
        "weight_rms": float(np.sqrt(np.mean(weights**2))),
        "largest_weight": float(np.max(np.abs(weights) / error)),
    }


def _error(circuit: Connectivity) -> np.ndarray:
    assert circuit.standard_error is not None
    return circuit.standard_error


def time_left_factor(history: Sequence[Progress]) -> float:
    """By what factor, at worst, the time left was wrong, once something is known of it.

    From the fifth step on, and as long as a tenth of the whole is left.
    """
    whole_s = history[-1].seconds
    judged = [
        (one.seconds_left, whole_s - one.seconds)
        for one in history[_STEP_OF_FORECAST - 1 :]
        if one.seconds_left is not None and one.seconds <= 0.9 * whole_s
    ]
    foreseen_s, true_s = np.array(judged).T
    return float(np.exp(np.abs(np.log(foreseen_s / true_s)).max()))


def scores(inferred: Connectivity, data: Data) -> dict[str, float]:
    """Inference error, where anything is connected."""
    if data.truth is None:
        return {}
    truth = data.truth
    if data.others is not None:
        inferred, truth = inferred.select(data.others), truth.select(data.others)
    error = inference_error(inferred, truth)
    return {"delta": error.delta, "bias": error.bias, "variance": error.variance}


# -- what it is held against --


def beside_glm(data: Data) -> dict[str, float]:
    """The same of a Poisson GLM as it comes."""
    glm = PoissonGLM().fit(data.training)
    return {
        "glm_delta": scores(glm.connectivity_, data)["delta"],
        "glm_bits_per_spike": glm.evaluate(data.test).mean,
    }


def beside_reference(model: ObservedFit, data: Data, seed: int) -> dict[str, float]:
    """How far the free weights fall behind the best of many random starts."""
    problem, free = model.circuit_.problem, model.free_
    start, rng = time.process_time(), np.random.default_rng(seed)
    with threadpool_limits(1):
        reference = best_of_random_starts(problem, N_STARTS, rng)
    processor_seconds = time.process_time() - start
    estimate, shape = problem.estimate(reference), problem.shape(reference)
    evidence = problem.log_evidence(reference) - problem.log_evidence(free)
    gain = estimate.log_likelihood - problem.estimate(free).log_likelihood
    thousands = estimate.derivatives.n_spikes.sum() / 1000.0
    return {
        "reference_nats": estimate.log_likelihood,
        "reference_gain": float(gain / thousands),
        "reference_evidence_gain": float(evidence / thousands),
        "reference_delta": scores(circuit_of(problem, reference, model), data)["delta"],
        "reference_tau_s": reference.inputs.kernel.taus_s[0],
        "reference_link_power": shape.power,
        "reference_link_bend": shape.bend,
        "reference_processor_seconds": processor_seconds,
    }


def delta_of_others(data: Data, others: Int[np.ndarray, " other"], seed: int) -> float:
    """Δ of a fit that the units which are hardly there had no part in."""
    assert data.truth is not None
    alone = CircuitGNN(random_state=seed).fit(data.training.select(others))
    return inference_error(alone.connectivity_, data.truth.select(others)).delta


def circuit_of(problem: Problem, candidate: Candidate, model: ObservedFit) -> Connectivity:
    """The circuit of a candidate, in the units of a fit, among all neurons."""
    estimate = problem.estimate(candidate)
    traces = problem.training_of(candidate)
    weights = np.zeros_like(model.connectivity_.weights)
    unit = mean_slope(traces, estimate.values, estimate.link)
    weights[np.ix_(model.model_.modelled, model.model_.modelled)] = unit * estimate.weights
    return Connectivity(weights=weights)


# -- the table --


def empty_row(case: Case, failed: str = "") -> Row:
    """The row of a case without scores: what, by what, where and when."""
    words = ["--kinds", case.kind, "--seeds", str(case.seed), "--force"]
    software: Mapping[str, Any] = versions("spikeweft", "numpy", "scipy", "torch", "numba")
    return Row(
        **case._asdict(),
        wiring=case.wiring,
        **_truth(case),
        failed=failed,
        **software,
        machine=machine(),
        date=datetime.now(UTC).isoformat(timespec="seconds"),
        command=shlex.join(["python", "benchmarks/robustness.py", *words]),
        commit=commit(),
    )


def _truth(case: Case) -> dict[str, Any]:
    if case.kind == "odd":
        return {"true_tau_s": TAU_S, "true_latency_s": 0.0}
    if case.network is None:
        return {}
    truth = {"true_tau_s": case.network.tau_s, "true_latency_s": 0.0}
    if case.neuron_model == "LNP":
        truth |= {"true_link_power": 1.0, "true_link_bend": float("inf")}
    return truth


def fill(cases: Iterable[Case], table: Path, force: bool = False) -> None:
    """Make the rows that the table does not have from this code, one after the other."""
    with only_writer(table.with_suffix(".lock"), f"another run writes to {table}; let it end"):
        rows = read_rows(table)
        made = {row.key for row in rows if is_of_this_code(row.commit) and not row.failed}
        for case in cases:
            if case in made and not force:
                continue
            row = made_row(case)
            rows = [*(other for other in rows if other.key != row.key), row]
            write_rows(table, rows)
            print(f"{row.name}: {row.failed or f'Δ {row.delta:.4f}, {row.structure}'}", flush=True)


def made_row(case: Case) -> Row:
    """The row of a case, from processes of its own, or why there is none."""
    try:
        return alone(measure, case, alone(data_of, case))
    except CallError as error:
        return empty_row(case, failed=str(error))


def main(words: Sequence[str]) -> None:
    """Make the rows asked for, or all; or say what the table holds."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--force", action="store_true", help="make rows again")
    parser.add_argument("--summary", action="store_true", help="say what the table holds")
    chosen = parser.parse_args(words)
    if chosen.summary:
        print(summary(read_rows(chosen.out)))
        return
    asked = [KINDS[kind] for kind in chosen.kinds]
    cases = [case for cases_of, seeds in asked for case in cases_of(chosen.seeds or seeds)]
    fill(cases, chosen.out, chosen.force)


if __name__ == "__main__":
    main(sys.argv[1:])
