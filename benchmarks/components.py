"""Read-outs of seqNMF and TCA, by what is not published of them: python benchmarks/components.py.

Four minutes of LNP rings. Neither the number of components, nor the bins, nor the smoothing behind
the paper's numbers is known. `neurons_per_component` is how many neurons share the power of a
component, (Σp)² / Σp² with p the power of each neuron in it, mean over components: of one neuron
alone it is 1, and such a component connects nobody. The first row of each ring is no fit: the same
weight for every pair.
"""

import time

import numpy as np
import tables

from spikeweft.baselines.factorisation.seqnmf import SeqNMF
from spikeweft.baselines.factorisation.tca import TCA
from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring, profile_ii_lnp_ring

SEED = 100
MINUTES = 4.0
RINGS = {"ring": lnp_ring(), "Profile II": profile_ii_lnp_ring()}
EQUAL_WEIGHTS = "equal weights"
N_COMPONENTS = (1, 2, 4, 8, 16)
BY_RULE = "by rule"
"""As many as held-out counts ask for, which is what the other tables have."""
SEQUENCE_BINS_S = (0.01, 0.05)
SMOOTHINGS_S = (0.02, 0.1, 0.5)


def measure(
    ring: str, method: str, n_components: int | str | None = None, **settings: float
) -> tables.Row:
    """Error of one fit, and how local its components are."""
    network = RINGS[ring]
    if method == EQUAL_WEIGHTS:
        n = network.n_neurons
        same = Connectivity(weights=np.ones((n, n)) - np.eye(n))
        return _errors(same, network.connectivity)
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    asked = None if n_components == BY_RULE else n_components
    start = time.perf_counter()
    if method == "SeqNMF":
        fitted = SeqNMF(n_components=asked, random_state=SEED, **settings).fit(recording)
        power = np.sum(fitted.sequences_.pattern.astype(float) ** 2, axis=0)
    else:
        fitted = TCA(n_components=asked, random_state=SEED, **settings).fit(recording)
        power = fitted.components_.neuron.astype(float) ** 2
    shared_by = power.sum(0) ** 2 / np.maximum((power**2).sum(0), np.finfo(float).tiny)
    return {
        **_errors(fitted.connectivity_, network.connectivity),
        "n_components_fitted": fitted.n_components_,
        "neurons_per_component": round(float(shared_by.mean()), 2),
        "seconds": round(time.perf_counter() - start, 1),
        "minutes": MINUTES,
        "seed": SEED,
    }


def _errors(inferred: Connectivity, true: Connectivity) -> tables.Row:
    error = inference_error(inferred, true)
    return {"delta": round(error.delta, 4), "delta_profile": round(error.delta_profile, 4)}


def cases() -> list[tables.Row]:
    """All rings, methods, numbers of components and bins."""
    settings: list[tables.Row] = [
        *({"method": "SeqNMF", "bin_s": bin_s} for bin_s in SEQUENCE_BINS_S),
        *({"method": "TCA", "smoothing_s": smoothing_s} for smoothing_s in SMOOTHINGS_S),
    ]
    fits = [{**setting, "n_components": n} for setting in settings for n in N_COMPONENTS]
    by_default = ({"method": method, "n_components": BY_RULE} for method in ("SeqNMF", "TCA"))
    fits = [{"method": EQUAL_WEIGHTS}, *fits, *by_default]
    return [{"ring": ring, **case} for ring in RINGS for case in fits]


if __name__ == "__main__":
    tables.fill(__file__, __doc__, cases(), measure, ("numpy", "tensorly"))
