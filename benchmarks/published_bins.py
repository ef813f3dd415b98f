"""What bins and windows do to weights: python benchmarks/published_bins.py.

A model that predicts the spikes of a bin from those of the bins before, over a limited window, sees
neither what happened since the bin began nor what came before the window. What changes slowly makes
up for both: its weights grow, those of fast fluctuations do not. For rings of development: the
regression of spike counts on exponential synaptic traces (10 ms) of the counts in earlier bins,
pattern by pattern around the ring. `level` is the coefficient of the mean over all neurons, as a
part of what it is with all spikes in bins of 0.2 ms; `pattern_k` is that of the pattern with k
periods, as a multiple of `level`: one, where neither bins nor window matter.
"""

import numpy as np
import tables
from jaxtyping import Float
from scipy.signal import lfilter

from spikeweft.data.recording import Recording
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring

RINGS = {"threshold": threshold_ring, "LNP": lnp_ring}
SEED = 3
DURATION_S = 120.0
TAU_S = 0.01
FINEST_BIN_S, WHOLE_PAST_S = 2e-4, 0.2
N_PATTERNS = 9
SIZES = tuple(
    (bin_s, window_s) for bin_s in (1e-3, 5e-4) for window_s in (0.02, 0.03, 0.05, WHOLE_PAST_S)
)


def coefficients(X: Recording, bin_s: float, window_s: float) -> Float[np.ndarray, " pattern"]:
    """Rate per trace of each pattern around the ring (least squares)."""
    n_neurons = X.n_neurons
    waves = np.exp(-2j * np.pi * np.outer(np.arange(n_neurons), np.arange(N_PATTERNS)) / n_neurons)
    counts = X.counts(bin_s).counts.astype(float)
    pattern = (counts - counts.mean(0)) @ waves
    age_s = (np.arange(round(window_s / bin_s)) + 0.5) * bin_s
    trace = lfilter(np.exp(-age_s / TAU_S), [1.0], pattern, axis=0)
    now, before = pattern[1:], trace[:-1]
    return (now * before.conj()).real.sum(0) / (np.abs(before) ** 2).sum(0) / bin_s


def measure(neuron_model: str, bin_s: float, window_s: float) -> tables.Row:
    """Coefficients of one ring, beside those of fine bins and the whole past."""
    X = simulate(RINGS[neuron_model](), DURATION_S, np.random.default_rng(SEED))
    ratio = coefficients(X, bin_s, window_s) / coefficients(X, FINEST_BIN_S, WHOLE_PAST_S)
    row: tables.Row = {"seed": SEED, "level": round(float(ratio[0]), 3)}
    for k in range(1, N_PATTERNS):
        row[f"pattern_{k}"] = round(float(ratio[k] / ratio[0]), 3)
    return row


if __name__ == "__main__":
    names = ("neuron_model", "bin_s", "window_s")
    cases = [dict(zip(names, (name, *size), strict=True)) for name in RINGS for size in SIZES]
    tables.fill(__file__, __doc__, cases, measure, ("numpy",))
