"""The biases that Das & Fiete (2020) published, measured again: one row per fit, das_fiete.csv.

    python benchmarks/das_fiete.py PUBLISHED [--rings 0.025 0.01] [--seed 100]

Das & Fiete inferred rings of threshold neurons from 1e8 spikes with the same-bin GLM and with an
Ising model fitted by minimum probability flow, and split the error into bias and variance. The
published parts come from the authors' result files, PUBLISHED, and are written into every row.
Spikes are counted as each method sees them: the Ising model sees one where several fall into a bin.

Here the weakest rings have as many spikes as published; the stronger ones fewer, enough to resolve
their bias. The bias of few spikes is above that of many: a tenth of the variance part is left after
averaging over the ring, and least squares shrinks a scattered circuit by about the square of its
variance part. Every ring is also fitted on a tenth of the spikes: the scatter of the weights around
their average over the ring, relative to that average, should be √10 times as large.

Development used seeds 0 to 9. Rows that das_fiete.csv has already are not made again.
"""

import argparse
import csv
import resource
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from spikeweft.baselines.same_bin.ising import Ising
from spikeweft.baselines.same_bin.same_bin_counts import whole_bins
from spikeweft.baselines.same_bin.same_bin_glm import SameBinGLM
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.evaluation.circuit_error import inference_error, ring_average
from spikeweft.results.csv_table import read_cells, write_cells
from spikeweft.runtime.provenance import machine
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import RingNetwork, threshold_ring

COMMAND = "python benchmarks/das_fiete.py das_fiete_2020_errors.csv"
"""With the published errors."""

TABLE = Path(__file__).with_suffix(".csv")
PUBLISHED_SPIKES = 1e8
N_SPIKES = {0.0005: 1e8, 0.0025: 1e8, 0.005: 1e8, 0.01: 5e7}
"""Spikes of each weak ring."""
N_SPIKES_STRONG = 1e7
PIECE_S = 800.0
BIN_S = 0.01
METHODS = {"same-bin GLM": SameBinGLM, "Ising (MPF)": Ising}
COLUMNS = {"same-bin GLM": "glm", "Ising (MPF)": "ising_mpf"}
MOST_COUNTED = {"same-bin GLM": np.inf, "Ising (MPF)": 1}
"""Spikes of a bin that a method sees."""


def ring_counts(network: RingNetwork, n_spikes: float, seed: int) -> np.ndarray:
    """Counts in bins of which enough hold a spike, in pieces so that no spike time need be kept."""
    rng = np.random.default_rng(seed)
    pieces, n_fired = [], 0
    while n_fired < n_spikes:
        recording = simulate(network, PIECE_S, rng)
        pieces.append(whole_bins(recording, BIN_S).counts.astype(np.int8))
        n_fired += np.count_nonzero(pieces[-1])
    return np.concatenate(pieces)


def seen_by_bin(counts: np.ndarray, method: str) -> np.ndarray:
    """Spikes of all neurons in each bin, as the method sees them."""
    return np.minimum(counts, MOST_COUNTED[method]).sum(axis=1, dtype=np.int64)


def first_bins(counts: np.ndarray, n_bins: int) -> SpikeCounts:
    """The first bins as an estimator takes them."""
    return SpikeCounts(
        counts=counts[:n_bins],
        exposure_s=np.full(n_bins, BIN_S),
        start_s=BIN_S * np.arange(n_bins),
        epoch=np.zeros(n_bins, dtype=np.int64),
        bin_s=BIN_S,
    )


def scatter(weights: np.ndarray) -> float:
    """Size of the weights' departure from their average over the ring, relative to the average."""
    off_diagonal = ~np.eye(len(weights), dtype=bool)
    averaged = ring_average(weights)
    departure = np.linalg.norm((weights - averaged)[off_diagonal])
    return float(departure / np.linalg.norm(averaged[off_diagonal]))


def row(published: dict[str, str], method: str, n_spikes: float, counts: np.ndarray) -> dict:
    """One fit beside the published figures."""
    truth = threshold_ring(float(published["recurrent_strength"])).connectivity
    seen = np.cumsum(seen_by_bin(counts, method))
    binned = first_bins(counts, int(np.searchsorted(seen, n_spikes)))
    start = time.process_time()
    model = METHODS[method](bin_s=BIN_S).fit_counts(binned)
    seconds = time.process_time() - start
    error = inference_error(model.connectivity_, truth)
    variance = float(published[f"{COLUMNS[method]}_variance"])
    return {
        "recurrent_strength": published["recurrent_strength"],
        "method": method,
        "n_spikes": n_spikes,
        "bias": round(error.bias, 4),
        "published_bias": published[f"{COLUMNS[method]}_bias"],
        "variance": round(error.variance, 4),
        "published_variance": variance,
        "published_variance_at_n_spikes": round(variance * (PUBLISHED_SPIKES / n_spikes) ** 0.5, 4),
        "scatter": round(scatter(model.connectivity_.weights), 4),
        "minutes": round(len(binned.counts) * BIN_S / 60, 1),
        "converged": bool(np.all(model.converged_)),
        "processor_seconds": round(seconds, 1),
        "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10),
    }


def rows(published: dict[str, str], seed: int, have: set[tuple[str, ...]]) -> Iterator[dict]:
    """The rows of one ring that are missing."""
    strength = published["recurrent_strength"]
    most = N_SPIKES.get(float(strength), N_SPIKES_STRONG)
    wanted = [(method, n_spikes) for method in METHODS for n_spikes in (most, most / 10)]
    missing = [(m, n) for m, n in wanted if (strength, m, str(n), str(seed)) not in have]
    if not missing:
        return
    counts = ring_counts(threshold_ring(float(strength)), most, seed)
    for method, n_spikes in missing:
        yield {
            **row(published, method, n_spikes, counts),
            "seed": seed,
            "version": version("spikeweft"),
            "torch": version("torch"),
            "machine": machine(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "command": f"{COMMAND} --rings {strength} --seed {seed}",
        }


def done(table: Path) -> list[dict[str, str]]:
    """Rows that exist."""
    return read_cells(table) if table.exists() else []


def main() -> None:
    """Make the rows that are missing, writing each as soon as it is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "published", type=Path, help="CSV of the published errors, by ring and method"
    )
    parser.add_argument("--rings", nargs="+", help="recurrent strengths; all where none is given")
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--table", type=Path, default=TABLE)
    chosen = parser.parse_args()
    keys = ("recurrent_strength", "method", "n_spikes", "seed")
    have = {tuple(r[key] for key in keys) for r in done(chosen.table)}
    lines = chosen.published.read_text().splitlines()
    table = csv.DictReader(line for line in lines if not line.startswith("#"))
    rings = {published["recurrent_strength"]: published for published in table}
    for strength in chosen.rings or rings:
        published = rings[strength]
        for made in rows(published, chosen.seed, have):
            made_rows = [*done(chosen.table), made]
            write_cells(chosen.table, made_rows, list(made))


if __name__ == "__main__":
    main()
