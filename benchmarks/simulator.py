"""The simulators' rates, and their speed beside a NumPy loop and Brian2.

    python benchmarks/simulator.py

Brian2 comes with `pip install 'spikeweft[peers]'`, into an environment of its own; without it only
the other rows are made. All run on one thread.

The first rows are spikeweft alone: rates at all published recurrent strengths, growth with neurons
and with minutes. Each other row is one simulator and spikeweft on the same network, in turns in the
same process; a time is the fastest of its turns. Compilation is apart: the time of the first call,
with no compiled code cached. What is compared is alike: the neurons' model and the order within
a step are the same, and so are rate, number of bumps (the wave number along the ring at which
counts in tenths of a second have most power) and the part of the power that is theirs, but for
chance.

Brian2 translates the networks to NumPy or Cython, or builds one C++ program of the whole
simulation.
"""

import importlib.util
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import tables

from spikeweft.simulation.networks import BURN_IN_S, Network, simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.ring_networks import PUBLISHED_THRESHOLDS, lnp_ring, threshold_ring
from spikeweft.simulation.spike_kernels import lnp_spikes_plain, threshold_spikes_plain

SEED = 100
RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
STRONG = 0.025
RATES_S = 480.0
GROWTH_S = (60.0, 120.0, 240.0, 480.0, 960.0)
SIZES = (100, 300, 1000)
SIZES_S = 60.0
PEERS_S, COMPILED_S = 5.0, 20.0
"""Simulated by peers; longer by the C++ program, whose start counts."""

N_TURNS = 3
BIN_S = 0.1


class Run(NamedTuple):
    """What a simulator gave: its costs, the time simulated, and spikes of `duration_s`."""

    compile_s: float
    seconds: float
    simulated_s: float
    times_s: np.ndarray
    neurons: np.ndarray
    duration_s: float


def spikeweft(network: Network, duration_s: float) -> Run:
    """Ours; the stretch before the recording starts is simulated, so it counts."""
    first_s = _seconds(lambda: simulate(network, BURN_IN_S, np.random.default_rng(SEED)))
    start = time.perf_counter()
    recording = simulate(network, duration_s, np.random.default_rng(SEED))
    seconds = time.perf_counter() - start
    return Run(
        max(0.0, first_s - seconds * 2 * BURN_IN_S / (duration_s + BURN_IN_S)),
        seconds,
        duration_s + BURN_IN_S,
        recording.spike_times_s,
        recording.spike_neurons,
        duration_s,
    )


def numpy_loop(network: Network, duration_s: float) -> Run:
    """The plain loop over steps, with the same neurons, once the bumps have formed."""
    neuron, trace, rng = network.neuron, np.zeros(network.n_neurons), np.random.default_rng(SEED)
    steps = [round(seconds / network.time_step_s) for seconds in (BURN_IN_S, duration_s)]
    neuron.spikes(network.synapses, trace, steps[0], network.decay, rng)
    common = (network.synapses, trace, steps[1], network.decay, neuron.threshold - neuron.bias)
    start = time.perf_counter()
    if isinstance(neuron, LNPNeuron):
        spikes = lnp_spikes_plain(*common, neuron.gain, rng)
    else:
        noise = (neuron.bias * neuron.noise_sd, neuron.noise_fraction)
        spikes = threshold_spikes_plain(*common, *noise, rng)
    seconds = time.perf_counter() - start
    times_s = spikes.steps * network.time_step_s
    return Run(0.0, seconds, duration_s, times_s, spikes.neurons, duration_s)


class Brian:
    """A network in Brian2, kept between turns."""

    def __init__(self, target: str) -> None:
        self.target = target
        self._built: tuple[Any, Any, float] | None = None

    def __call__(self, network: Network, duration_s: float) -> Run:
        """Simulate on; the first time, build the network and compile it."""
        import brian2

        if self._built is None:
            self._built = self._build(brian2, network, duration_s)
        monitor, simulation, compile_s = self._built
        if self.target == "C++":
            seconds, first_s, simulated_s = _seconds(brian2.device.run), 0.0, duration_s + BURN_IN_S
        else:
            first_s, simulated_s = float(simulation.t / brian2.second), duration_s
            seconds = _seconds(lambda: simulation.run(duration_s * brian2.second))
        times_s, neurons = np.array(monitor.t / brian2.second) - first_s, np.array(monitor.i)
        if "n" in monitor.record_variables:
            times_s, neurons = (np.repeat(a, np.array(monitor.n, int)) for a in (times_s, neurons))
        kept = times_s >= simulated_s - duration_s
        times_s = times_s[kept] - (simulated_s - duration_s)
        return Run(compile_s, seconds, simulated_s, times_s, neurons[kept], duration_s)

    def _build(self, brian2: Any, network: Network, duration_s: float) -> tuple[Any, Any, float]:
        folder = tempfile.mkdtemp(dir=os.environ["NUMBA_CACHE_DIR"])
        if self.target == "C++":
            brian2.set_device("cpp_standalone", build_on_run=False, directory=folder)
        else:
            brian2.prefs.codegen.target = self.target
            brian2.prefs.codegen.runtime.cython.cache_dir = folder
        start = time.perf_counter()
        monitor, simulation = _brian_network(brian2, network)
        if self.target == "C++":
            simulation.run((BURN_IN_S + duration_s) * brian2.second)
            brian2.device.build(run=False)
            return monitor, simulation, time.perf_counter() - start
        simulation.run(network.time_step_s * brian2.second)
        compile_s = time.perf_counter() - start
        simulation.run(BURN_IN_S * brian2.second)
        return monitor, simulation, compile_s


def _brian_network(brian2: Any, network: Network) -> tuple[Any, Any]:
    """The network with g the drive: threshold first, then decay, then the new spikes."""
    brian2.defaultclock.dt = network.time_step_s * brian2.second
    brian2.seed(SEED)
    neuron, decay = network.neuron, "dg/dt = -g / tau : 1"
    names = {"tau": network.tau_s * brian2.second, "critical": neuron.threshold - neuron.bias}
    if isinstance(neuron, LNPNeuron):
        names["gain"] = neuron.gain
        cells = brian2.NeuronGroup(
            network.n_neurons,
            f"{decay}\nn : integer",
            threshold="n > 0",
            method="euler",
            namespace=names,
        )
        cells.run_regularly("n = poisson(gain * clip(g - critical, 0, inf))", when="start")
    else:
        names |= {"sd": neuron.bias * neuron.noise_sd, "fraction": neuron.noise_fraction}
        fires = "g + sd * randn() * int(rand() < fraction) > critical"
        cells = brian2.NeuronGroup(
            network.n_neurons, decay, threshold=fires, method="euler", namespace=names
        )
    poisson = isinstance(neuron, LNPNeuron)
    arrives = "g_post += w * n_pre" if poisson else "g_post += w"
    synapses = brian2.Synapses(cells, cells, "w : 1", on_pre=arrives)
    synapses.connect()
    synapses.w[:] = network.synapses.T.ravel()
    monitor = brian2.SpikeMonitor(cells, variables=["n"] if poisson else [])
    simulation = brian2.Network(cells, synapses, monitor)
    simulation.schedule = ["start", "thresholds", "groups", "synapses", "resets", "end"]
    return monitor, simulation


PEERS: dict[str, Callable[[], Callable[[Network, float], Run]]] = {
    "NumPy loop": lambda: numpy_loop,
    "Brian2, NumPy": partial(Brian, "numpy"),
    "Brian2, Cython": partial(Brian, "cython"),
    "Brian2, C++": partial(Brian, "C++"),
}


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(
    simulator: str, neuron: str, recurrent_strength: float, n_neurons: int, duration_s: float
) -> tables.Row:
    """One row, on one thread and without compiled code from before."""
    case = {"neuron": neuron, "recurrent_strength": recurrent_strength, "n_neurons": n_neurons}
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"OMP_NUM_THREADS": "1", "NUMBA_CACHE_DIR": folder}
        return tables.alone(_measure, {"simulator": simulator, "duration_s": duration_s, **case})


def _measure(
    simulator: str, neuron: str, recurrent_strength: float, n_neurons: int, duration_s: float
) -> tables.Row:
    network = replace(RINGS[neuron](recurrent_strength), n_neurons=n_neurons)
    if simulator == "spikeweft":
        return {**_costs(network, [spikeweft(network, duration_s)]), "seed": SEED}
    peer = PEERS[simulator]()
    turns = [(spikeweft(network, SIZES_S), peer(network, duration_s)) for _ in range(N_TURNS)]
    ours, theirs = (_costs(network, list(runs)) for runs in zip(*turns, strict=True))
    ratio = float(theirs["seconds_per_simulated_s"]) / float(ours["seconds_per_simulated_s"])
    beside = {f"spikeweft_{name}": value for name, value in ours.items() if name != "seconds"}
    return {**theirs, **beside, "times_faster": round(ratio, 1), "seed": SEED}


def _costs(network: Network, runs: list[Run]) -> tables.Row:
    """Time of the fastest turn, compilation of the first, and what the spikes of the last do."""
    fastest = min(run.seconds / run.simulated_s for run in runs)
    last = runs[-1]
    rate_hz = len(last.times_s) / last.duration_s / network.n_neurons
    n_bumps, part = bumps(last, network.n_neurons)
    return {
        "seconds": round(min(run.seconds for run in runs), 3),
        "seconds_per_simulated_s": float(f"{fastest:.4g}"),
        "compile_s": round(runs[0].compile_s, 1),
        "rate_hz": round(rate_hz, 2),
        "n_bumps": n_bumps,
        "part_of_power_in_bumps": round(part, 3),
    }


def bumps(run: Run, n_neurons: int) -> tuple[int, float]:
    """Wave number along the ring that has most power, and the part of all power that it has."""
    edges = math.floor(run.duration_s / BIN_S + 0.5), n_neurons
    extent = (0, run.duration_s), (-0.5, n_neurons - 0.5)
    counts = np.histogram2d(run.times_s, run.neurons, bins=edges, range=extent)[0]
    power = np.mean(np.abs(np.fft.rfft(counts, axis=1)[:, 1:]) ** 2, axis=0)
    return int(np.argmax(power)) + 1, float(power.max() / power.sum())


def cases() -> list[tables.Row]:
    """All rows of the table, those without Brian2 first."""
    alone = [
        *((r, 100, RATES_S) for r in PUBLISHED_THRESHOLDS),
        *((STRONG, n_neurons, SIZES_S) for n_neurons in SIZES),
        *((STRONG, 100, duration_s) for duration_s in GROWTH_S),
    ]
    wanted = [("spikeweft", neuron, *setting) for neuron in RINGS for setting in alone]
    peers = list(PEERS)
    if importlib.util.find_spec("brian2") is None:
        print("Brian2 is not installed, so its rows are left out", file=sys.stderr)
        peers = ["NumPy loop"]
    wanted += [
        (peer, neuron, STRONG, n, COMPILED_S if peer == "Brian2, C++" else PEERS_S)
        for peer in peers
        for n in SIZES
        for neuron in RINGS
    ]
    names = ("simulator", "neuron", "recurrent_strength", "n_neurons", "duration_s")
    return [dict(zip(names, case, strict=True)) for case in dict.fromkeys(wanted)]


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        cases(),
        measure,
        ("numpy", "numba", *(["brian2"] if importlib.util.find_spec("brian2") else [])),
        [
            tables.Growth(
                "n_neurons",
                ("seconds_per_simulated_s",),
                ("simulator", "neuron", "recurrent_strength", "duration_s"),
            ),
            tables.Growth(
                "duration_s",
                ("seconds",),
                ("simulator", "neuron", "recurrent_strength", "n_neurons"),
            ),
        ],
    )
