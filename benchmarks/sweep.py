"""How much faster two local workers make a sweep than one: python benchmarks/sweep.py.

The same small fits over seeds, once by one worker and once by two, in one run; `ratio` is the
second time by the first. Workers make one fit each before the clock starts, so that importing and
compiling do not count; what is written, reports included, does. `--n-fits N` makes fewer.
"""

import argparse
import os
import tempfile
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import tables

from spikeweft.inference.cluster import local_cluster
from spikeweft.inference.sweep.grid import Grid, planned
from spikeweft.inference.sweep.run import fits_folder, sweep
from spikeweft.inference.sweep.worker import fit
from spikeweft.results.csv_table import write_cells
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.random_networks import SymmetricWiring, random_network
from spikeweft.simulation.storage import save_simulation

SEED = 100
N_FITS = 100
N_NEURONS = 6
MINUTES = 0.2
WORKERS = (1, 2)


def small_recording(path: Path) -> Path:
    """A few seconds of a few neurons with random connections."""
    network = replace(random_network(SymmetricWiring()), n_neurons=N_NEURONS)
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    save_simulation(path, recording, network.connectivity)
    return path


def seconds_of(n_workers: int, n_fits: int, recording: Path, folder: Path) -> float:
    """Time that so many workers take for the fits, once they are warm."""
    grid = Grid(recordings=(recording,), seeds=tuple(range(SEED, SEED + n_fits)))
    warm = Grid(recordings=(recording,), seeds=tuple(range(n_workers)))
    with local_cluster(n_workers) as cluster:
        cluster.client.wait_for_workers(n_workers)
        workers = list(cluster.client.nthreads())
        first = planned(warm, folder / "warm")
        (folder / "warm").mkdir(parents=True)
        cluster.client.gather(
            [
                cluster.client.submit(fit, one, workers=[worker])
                for one, worker in zip(first, workers, strict=True)
            ]
        )
        start = time.perf_counter()
        rows = sweep(planned(grid, fits_folder(folder)), folder, nullcontext(cluster))
        seconds = time.perf_counter() - start
    failed = [row.failed for row in rows if row.failed]
    assert not failed, failed[0]
    return seconds


def measure(n_fits: int) -> list[tables.Row]:
    """A row for each number of workers."""
    with tempfile.TemporaryDirectory() as place:
        recording = small_recording(Path(place) / "small.npz")
        made = [
            {
                "n_fits": n_fits,
                "n_workers": n,
                "n_neurons": N_NEURONS,
                "minutes": MINUTES,
                "seed": SEED,
                "n_processors": len(os.sched_getaffinity(0)),
                "seconds": round(seconds_of(n, n_fits, recording, Path(place) / str(n)), 2),
            }
            for n in WORKERS
        ]
    return [row | {"ratio": round(row["seconds"] / made[0]["seconds"], 3)} for row in made]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=Path(__file__).with_suffix(".csv"))
    parser.add_argument("--n-fits", type=int, default=N_FITS)
    chosen = parser.parse_args()
    origin = tables.provenance(__file__, ("distributed", "torch", "numba"))
    rows = [row | origin for row in measure(chosen.n_fits)]
    write_cells(chosen.table, rows)
    for row in rows:
        print(", ".join(f"{name} {value}" for name, value in row.items() if name not in origin))
