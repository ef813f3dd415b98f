"""Recordings that a check has something, or nothing, to say about."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.check import expected_error as power
from spikeweft.data.recording import Recording
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring

DURATION_S = 200.0
RING = replace(lnp_ring(), n_neurons=12)


def train(rng, rate_hz=20.0, duration_s=DURATION_S, refractory_s=3e-3):
    """Spikes of a Poisson neuron with a dead time."""
    intervals = refractory_s + rng.exponential(
        1 / rate_hz - refractory_s, int(3 * rate_hz * duration_s)
    )
    times = np.cumsum(intervals)
    return times[times < duration_s]


def recorded(trains, **options):
    units = np.repeat(np.arange(len(trains)), [len(times) for times in trains])
    options = {"n_neurons": len(trains), "epochs_s": np.array([[0.0, DURATION_S]]), **options}
    return Recording.from_arrays(np.concatenate(trains), units, **options)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def sound(rng):
    """Six neurons that have nothing to do with each other."""
    return [train(rng) for _ in range(6)]


@pytest.fixture(scope="module")
def ring():
    return simulate(RING, 60.0, np.random.default_rng(0))


@pytest.fixture(scope="module")
def quick(ring):
    return power.pilot(ring, np.random.default_rng(0), lambda stage: None)
