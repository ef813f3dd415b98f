"""The Poisson GLM against scikit-learn and NeMoS: python benchmarks/glm_peers.py.

One problem (design matrix, penalty, scored time), solved to the same penalised log-likelihood in
one run. Ours is fitted for all neurons, its peers for a few, evenly spread, from a design that is
made for them beforehand; their time for all neurons is in proportion. scikit-learn runs its
quickest solver that converges here, Newton's with Cholesky. NeMoS runs L-BFGS in double precision
with twice as many iterations each time until it has come within 0.1 nats of the best of the other
two, or 6400; only the last of these fits counts, less what compiling takes, measured by a fit of
one iteration. How many times faster ours is compares processor time, of linear algebra on one
thread, since several would be charged for waiting on each other. A row's nats below ours are those
of the neuron that lies furthest. NeMoS comes with `pip install '.[nemos]'`.
"""

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import jax
import numpy as np
import tables
from nemos.glm import GLM
from sklearn.linear_model import PoissonRegressor

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.baselines.glm.spike_history import SpikeHistory, raised_cosine_basis
from spikeweft.runtime.parallel import n_processors
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import threshold_ring

SEED = 1
MINUTES = 2.0
BIN_S = 0.005
RIDGE = 0.1
"""At which own history and couplings are penalised alike."""
N_PEER_NEURONS = 3
EQUAL_NATS = 0.1
FIRST_ITERATIONS, LAST_ITERATIONS = 100, 6400

CASES = [
    {"n_neurons": n, "minutes": MINUTES, "bin_s": BIN_S, "ridge": RIDGE, "seed": SEED}
    for n in (50, 100)
]

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The spikes of one neuron and the features that all share."""

    design: np.ndarray
    spikes: np.ndarray

    def penalised_nats(self, coupling: np.ndarray, constant: float) -> float:
        """Log-likelihood with rates in Hz, less the penalty."""
        log_expected = self.design @ coupling + constant
        value = np.sum(self.spikes * (log_expected - np.log(BIN_S)) - np.exp(log_expected))
        return float(value - 0.5 * RIDGE * np.sum(coupling**2))


def timed(function: Callable[..., Result], *arguments: object) -> tuple[float, Result]:
    """Seconds of the processors, and the result."""
    start = time.process_time()
    result = function(*arguments)
    return time.process_time() - start, result


def scikit_learn(problem: Problem) -> tuple[float, float]:
    """Seconds of the processors, and nats reached."""
    model = PoissonRegressor(
        alpha=RIDGE / len(problem.spikes), solver="newton-cholesky", max_iter=100
    )
    seconds, fit = timed(model.fit, problem.design, problem.spikes)
    return seconds, problem.penalised_nats(fit.coef_, fit.intercept_)


def nemos(problem: Problem, wanted_nats: float) -> tuple[float, float]:
    """Seconds of the processors beyond compiling, and nats reached."""
    compiling, _ = _nemos_fit(problem, 1)
    n_iterations = FIRST_ITERATIONS
    seconds, nats = _nemos_fit(problem, n_iterations)
    while nats < wanted_nats and n_iterations < LAST_ITERATIONS:
        n_iterations *= 2
        seconds, nats = _nemos_fit(problem, n_iterations)
    return seconds - compiling, nats


def _nemos_fit(problem: Problem, n_iterations: int) -> tuple[float, float]:
    with jax.enable_x64(True), warnings.catch_warnings(action="ignore"):
        model = GLM(
            regularizer="Ridge",
            regularizer_strength=RIDGE / len(problem.spikes),
            solver_name="LBFGS",
            solver_kwargs={"maxiter": n_iterations, "tol": 1e-12},
        )
        seconds, fit = timed(model.fit, problem.design, problem.spikes)
        coupling, constant = np.asarray(fit.coef_), float(np.asarray(fit.intercept_)[0])
    return seconds, problem.penalised_nats(coupling, constant)


def compare(n_neurons: int, **_case: float) -> tables.Row:
    """Processor time of ours and of both peers, and how far apart their likelihoods are."""
    network = replace(threshold_ring(), n_neurons=n_neurons)
    recording = simulate(network, 60 * MINUTES, np.random.default_rng(SEED))
    ours_s, model = timed(PoissonGLM(bin_s=BIN_S, ridge=RIDGE).fit, recording)
    n_lags = round(model.history_window_s / BIN_S)
    basis = raised_cosine_basis(model.n_basis, n_lags, BIN_S)
    counts = recording.counts(BIN_S).counts
    design = SpikeHistory(basis)(counts, n_lags, len(counts)).double().numpy()
    coupling = np.linalg.pinv(basis) @ model.coupling_filters_.transpose(0, 2, 1)
    peers: dict[str, list[tuple[float, float]]] = {"scikit_learn": [], "nemos": []}
    for neuron in range(0, n_neurons, -(-n_neurons // N_PEER_NEURONS)):
        problem = Problem(design=design, spikes=counts[n_lags:, neuron].astype(float))
        constant = np.log(model.baseline_rate_hz_[neuron] * BIN_S)
        ours_nats = problem.penalised_nats(coupling[neuron].ravel(), constant)
        seconds, nats = scikit_learn(problem)
        peers["scikit_learn"].append((seconds, nats - ours_nats))
        seconds, their_nats = nemos(problem, max(ours_nats, nats) - EQUAL_NATS)
        peers["nemos"].append((seconds, their_nats - ours_nats))
    row: tables.Row = {"n_processors": n_processors(), "processor_seconds": round(ours_s, 2)}
    for name, fits in peers.items():
        per_neuron_s, gained_nats = np.mean([s for s, _ in fits]), [nats for _, nats in fits]
        row[f"{name}_processor_seconds"] = round(float(n_neurons * per_neuron_s), 1)
        row[f"times_faster_than_{name}"] = round(float(n_neurons * per_neuron_s / ours_s), 1)
        row[f"{name}_nats_below_ours"] = round(-min(gained_nats, key=lambda x: -abs(x)), 3)
    return row


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes of the rows, before their imports
    tables.fill(__file__, __doc__, CASES, compare, ("scikit-learn", "nemos"))
