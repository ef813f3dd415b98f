"""How much of Δ is the level of all weights, and how much their shape: python benchmarks/level.py.

A model may find the shape of a circuit and miss its level, a constant added to all weights. For
circuits of `paper/paper.csv` by methods that are not told that level: Δ, Δ of the same weights
after the constant that would suit the truth best, and their correlation with the true weights;
both levels are in standard deviations of the weights. Nothing is fitted; the circuits are those
that `spikeweft benchmark paper benchmarks/paper --table 1 2 3 --methods "YoonGNN, as published"
"YoonGNN+drive, as published" NRI` leaves in `paper/weights` (with `--force`, where the table has
the rows already).
"""

from pathlib import Path

import numpy as np
import tables

from spikeweft.benchmark.rows import Row, read_rows
from spikeweft.benchmark.run import weights_file

PAPER = Path(__file__).parent / "paper"
METHODS = ("YoonGNN, as published", "YoonGNN+drive, as published", "NRI")


def measure(**case: str | int) -> tables.Row:
    """Compare the weights of one circuit with the true ones."""
    row = next(row for row in read_rows(PAPER / "paper.csv") if _case(row) == case)
    with np.load(weights_file(PAPER, row)) as arrays:
        everyone = ~np.eye(len(arrays["weights"]), dtype=bool)
        inferred, true = arrays["weights"][everyone], arrays["true_weights"][everyone]
    correlation = float(np.corrcoef(inferred, true)[0, 1])
    unexplained = true.std() * np.sqrt(1 - max(correlation, 0.0) ** 2)
    return {
        "delta": round(row.delta, 4),
        "delta_but_for_level": round(float(unexplained / np.sqrt(np.mean(true**2))), 4),
        "correlation": round(correlation, 4),
        "level": round(float(inferred.mean() / inferred.std()), 3),
        "true_level": round(float(true.mean() / true.std()), 3),
        "bits_per_spike": round(row.bits_per_spike_pooled, 4),
    }


def cases() -> list[tables.Row]:
    """Circuits of the methods that are there."""
    rows = [row for row in read_rows(PAPER / "paper.csv") if row.method in METHODS]
    return [_case(row) for row in rows if weights_file(PAPER, row).exists()]


def _case(row: Row) -> tables.Row:
    return {
        "setting": row.setting,
        "neuron_model": row.neuron_model,
        "method": row.method,
        "seed": row.seed,
    }


if __name__ == "__main__":
    tables.fill(__file__, __doc__, cases(), measure, ("numpy",))
