"""Why the published model settles at the bumps: python benchmarks/published_modes.py.

A fully connected layer on spike trains is trained through the trains' Gram matrix. For the rings
that YoonGNN was developed on: its leading eigenvalues, from counts in windows of 50 ms less each
neuron's and each window's mean, as variances per neuron, and for each the number of periods
around the ring that its eigenvector has, with the part of the eigenvector that these make up.
Four bumps are four periods.
"""

import numpy as np
import tables

from spikeweft.benchmark.datasets import simulated
from spikeweft.graph_networks.whitened_trains import gram_modes
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
SEEDS = (3, 4)
"""Seeds of development."""

MINUTES = 8.0
N_MODES = 24


def measure(neuron_model: str, seed: int) -> tables.Row:
    """Eigenvalues of one ring, and the periods of their eigenvectors."""
    training = simulated(RINGS[neuron_model](), MINUTES, seed).training
    variance, vectors = gram_modes(training)
    power = np.abs(np.fft.rfft(vectors, axis=0)) ** 2
    row: tables.Row = {}
    for mode in range(N_MODES):
        row[f"variance_{mode + 1}"] = float(f"{variance[mode]:.4g}")
        row[f"periods_{mode + 1}"] = int(power[:, mode].argmax())
        row[f"part_{mode + 1}"] = round(float(power[:, mode].max() / power[:, mode].sum()), 3)
    row["least_variance"] = float(f"{variance[-1]:.4g}")
    return row


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        [{"neuron_model": name, "seed": seed} for seed in SEEDS for name in RINGS],
        measure,
        ("numpy",),
    )
