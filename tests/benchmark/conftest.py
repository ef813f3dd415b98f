"""Estimators that take no time, and cases with them."""

from dataclasses import replace

import numpy as np
import pytest

import spikeweft.benchmark.run as run_module
from spikeweft.benchmark.datasets import simulated
from spikeweft.benchmark.methods import Method
from spikeweft.benchmark.rows import Row
from spikeweft.benchmark.score import empty_row
from spikeweft.benchmark.studies import Case
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.scored_time import scored_epochs
from spikeweft.estimator import CircuitEstimator, SpikePredictor
from spikeweft.runtime.isolated_call import CallError
from spikeweft.simulation.ring_networks import lnp_ring

FITS = []
"""What was fitted in this process, in order."""


class CoincidenceCounter(SpikePredictor):
    """Neurons that fire in the same 20 ms are said to be connected; rates are constant."""

    history_window_s = 0.02

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        assert y is None
        FITS.append((type(self).__name__, X))
        self.null_rate_hz_ = X.rate_hz
        weights = np.corrcoef(X.counts(0.02).counts.T)
        self.connectivity_ = Connectivity(weights=weights, angle_rad=X.preferred_angle_rad)
        return self

    def log_likelihood(self, X):
        scored = X.restrict(scored_epochs(X, self.history_window_s))
        rate_hz = np.maximum(self.null_rate_hz_, 1e-3)
        return scored.n_spikes * np.log(rate_hz) - scored.duration_s * rate_hz

    def predict(self, X, bin_s=0.01):
        raise AssertionError("no study asks for predicted counts")


class PatternOnly(CircuitEstimator):
    """Says of each pair whether it is near on the ring, and predicts no spikes."""

    def fit(self, X, y=None):
        FITS.append((type(self).__name__, X))
        apart = X.preferred_angle_rad[:, None] - X.preferred_angle_rad
        error = np.where(np.cos(apart) > 0, 0.1, np.inf)
        self.connectivity_ = Connectivity(weights=-np.cos(apart), standard_error=error)
        return self


class Broken(CircuitEstimator):
    def fit(self, X, y=None):
        raise ZeroDivisionError("the spikes ran out")


def method(estimator):
    return Method(name=estimator.__name__, estimator=f"{estimator.__module__}.{estimator.__name__}")


def case(estimator=CoincidenceCounter, **changes):
    ring = replace(lnp_ring(), n_neurons=12)
    settings = {"study": "paper", "table": "1", "setting": "ring", "neuron_model": "LNP"}
    settings |= {"network": ring, "method": method(estimator), "n_observed": 12, "minutes": 0.1}
    return Case(**settings | changes)


@pytest.fixture
def here(monkeypatch):
    """Calls that are to be alone are made in this process, which is quicker."""

    called = []

    def call(function, *arguments):
        called.append(function)
        try:
            return function(*arguments)
        except Exception as error:
            raise CallError(str(error)) from error

    monkeypatch.setattr(run_module, "alone", call)
    FITS.clear()
    return called


@pytest.fixture(scope="module")
def ring_data():
    return simulated(case().network, 0.2, 1)


def spycon_file(folder, **changes):
    """A file as christiando/spycon has them: six neurons for twenty seconds, two connections."""
    rng = np.random.default_rng(0)
    arrays = {
        "times": np.sort(rng.uniform(0.0, 20.0, 600)),
        "ids": rng.integers(3, 9, 600),
        "nodes": np.arange(3, 9),
        "marked_edges": np.array([[3.0, 4.0, 1.0], [5.0, 8.0, -1.0]]),
    }
    path = folder / "spycon.npz"
    np.savez(path, **arrays | changes)
    return path


def row(**changes) -> Row:
    return replace(empty_row(case()), **changes)
