"""Rates and speed of the simulators, against a plain NumPy loop in the same run.

Run `python benchmarks/simulator.py > benchmarks/simulator.csv` with one thread
(OMP_NUM_THREADS=1).
"""

import csv
import datetime
import platform
import sys
import time

import numba
import numpy as np

from spikeweft.simulate.network import Network, simulate
from spikeweft.simulate.neuron import LNPNeuron
from spikeweft.simulate.ring import PUBLISHED_THRESHOLDS, lnp_ring, threshold_ring
from spikeweft.simulate.spiking import lnp_spikes_plain, threshold_spikes_plain

SEED = 1
MINUTES = 8
PLAIN_TICKS = 10_000


def plain_ticks_per_s(network: Network) -> float:
    """Speed of the plain loop on the same network, from traces of the mean rate on."""
    law, trace = network.neuron, np.full(network.n_neurons, 0.625)
    common = (network.synapses, trace, PLAIN_TICKS, network.decay, law.threshold - law.bias)
    rng = np.random.default_rng(SEED)
    start = time.perf_counter()
    if isinstance(law, LNPNeuron):
        lnp_spikes_plain(*common, law.gain, rng)
    else:
        threshold_spikes_plain(*common, law.bias * law.noise_sd, law.noise_fraction, rng)
    return PLAIN_TICKS / (time.perf_counter() - start)


def row(network: Network) -> dict[str, str | int | float]:
    """One network: its rate, and how fast it runs."""
    simulate(network, 1.0, np.random.default_rng(SEED))  # compiled outside the timing
    start = time.perf_counter()
    recording = simulate(network, 60.0 * MINUTES, np.random.default_rng(SEED))
    seconds = time.perf_counter() - start
    ticks_per_s = 60.0 * MINUTES / network.tick_s / seconds
    return {
        "neuron": type(network.neuron).__name__,
        "recurrent_strength": network.recurrent_strength,
        "rate_hz": round(float(recording.rate_hz.mean()), 2),
        "minutes": MINUTES,
        "seconds": round(seconds, 2),
        "ticks_per_s": f"{ticks_per_s:.3g}",
        "times_faster_than_numpy_loop": round(ticks_per_s / plain_ticks_per_s(network), 1),
        "seed": SEED,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "machine": f"{platform.system()} {platform.machine()}, one core",
        "date": datetime.date.today().isoformat(),
    }


if __name__ == "__main__":
    rows = (row(ring(r)) for ring in (threshold_ring, lnp_ring) for r in PUBLISHED_THRESHOLDS)
    first = next(rows)
    table = csv.DictWriter(sys.stdout, first.keys(), lineterminator="\n")
    table.writeheader()
    table.writerow(first)
    table.writerows(rows)
