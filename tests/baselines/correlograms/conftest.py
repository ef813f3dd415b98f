"""Spike trains with and without a synapse made by hand."""

import numpy as np
import pytest

from spikeweft.data.recording import Recording

DURATION_S = 600.0

LATENCY_S = 0.006


def recording_of(trains, epochs_s=None):
    return Recording.from_arrays(
        np.concatenate(trains),
        np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        n_neurons=len(trains),
        epochs_s=np.array([[0.0, DURATION_S]]) if epochs_s is None else epochs_s,
        time_resolution_s=1e-4,
    )


def poisson(rng, rate_hz):
    steps = np.unique(rng.integers(0, round(DURATION_S * 1e4), rng.poisson(rate_hz * DURATION_S)))
    return steps * 1e-4


@pytest.fixture(scope="session")
def independent():
    """Thirty neurons that have nothing to do with each other."""
    rng = np.random.default_rng(0)
    return recording_of([poisson(rng, rate_hz) for rate_hz in rng.uniform(3.0, 20.0, 30)])


@pytest.fixture(scope="session")
def two_synapses():
    """Neuron 0 makes neuron 1 fire 6 ms later, and keeps neuron 2 from firing 6 to 10 ms later."""
    rng = np.random.default_rng(1)
    trains = [poisson(rng, rate_hz) for rate_hz in (12.0, 10.0, 20.0, 10.0)]
    sender = trains[0]
    made = sender[rng.random(len(sender)) < 0.1] + LATENCY_S
    trains[1] = np.unique(np.concatenate([trains[1], made[made < DURATION_S - 0.01]]))
    since_s = trains[2] - sender[np.maximum(np.searchsorted(sender, trains[2]) - 1, 0)]
    kept_from = (since_s >= LATENCY_S) & (since_s < LATENCY_S + 0.004)
    trains[2] = trains[2][~(kept_from & (rng.random(len(since_s)) < 0.8))]
    return recording_of(trains)


@pytest.fixture(scope="session")
def shared_state():
    """Twelve unconnected neurons that fire together in half of all quarter seconds."""
    rng = np.random.default_rng(2)
    trains = [poisson(rng, 20.0) for _ in range(12)]
    fires = rng.random(round(4 * DURATION_S) + 1) < 0.5
    return recording_of([train[fires[np.floor(4 * train).astype(int)]] for train in trains])
