from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    evaluate,
    without_connections,
)
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import synaptic_traces
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork

N = 6
RECTIFIED = Link(1.0, 3.0)
KERNEL = SynapticKernel.exponential(0.01)


EXPONENTIAL = Link(1.0, 12.0)
"""So much gain that every rate lies on the softplus's exponential foot."""


@pytest.fixture(scope="module")
def traces():
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N, recurrent_strength=0.1
    )
    recording = simulate(network, 30.0, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    return synaptic_traces(recording, kernel=KERNEL, history_window_s=0.1, rng=rng)


SCORING = FisherScoring()


def start(traces, link):
    """No connection, with the derivatives there."""
    return evaluate(traces, without_connections(traces, link))


def converged(traces, link, n_steps=40, scoring=SCORING, **changes):
    fit = replace(start(traces, link), **changes)
    for _ in range(n_steps):
        fit = scoring.step(traces, fit)
    return fit


@pytest.fixture(scope="module")
def rectified(traces):
    return converged(traces, RECTIFIED)
