"""Estimators that take no time, and small networks that they are fitted to."""

import numpy as np
import pytest

import spikeweft.benchmark.sparse_circuits.run as run_module
from spikeweft.benchmark.methods import Method
from spikeweft.benchmark.sparse_circuits.cases import METHODS, NETWORKS, ObservedNetwork
from spikeweft.data.connectivity import Connectivity
from spikeweft.estimator import CircuitEstimator
from spikeweft.runtime.isolated_call import CallError
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork


class ShortLags(CircuitEstimator):
    """Counts who fires within 10 ms, and calls the upper half of it probable."""

    fitted = 0

    def fit(self, X, y=None):
        type(self).fitted += 1
        weights = np.corrcoef(X.counts(0.01).counts.T)
        np.fill_diagonal(weights, 0.0)
        rank = np.argsort(np.argsort(weights, axis=None)).reshape(weights.shape)
        self.connectivity_ = Connectivity(
            weights=weights, probability=rank / rank.max(), latency_s=np.full(rank.shape, 0.003)
        )
        return self


class Failing(CircuitEstimator):
    def fit(self, X, y=None):
        raise ZeroDivisionError("the spikes ran out")


def small(seed, connection_probability=0.2):
    return SparsePoissonNetwork(
        n_neurons=12, wiring_seed=seed, connection_probability=connection_probability
    )


@pytest.fixture(autouse=True)
def small_study(monkeypatch):
    """Two networks of twelve neurons and two methods that take no time, in this process."""
    networks = {
        "small": ObservedNetwork(small, 8, acts_at_once=True),
        "unconnected": ObservedNetwork(lambda seed: small(seed, 0.0), 12),
    }
    for name, kind in networks.items():
        monkeypatch.setitem(NETWORKS, name, kind)
    for kind in (ShortLags, Failing):
        name = kind.__name__
        method = Method(name=name, estimator=f"{kind.__module__}.{name}")
        monkeypatch.setitem(METHODS, name, method)

    def here(function, *arguments):
        try:
            return function(*arguments)
        except Exception as error:
            raise CallError(str(error)) from error

    monkeypatch.setattr(run_module, "alone", here)
    ShortLags.fitted = 0
