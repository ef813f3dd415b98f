"""What neurons do after their own spikes is not taken for what synapses do."""

import numpy as np
import pytest

from spikeweft.circuit_gnn.ablations import WithoutStructure
from spikeweft.data.recording import Recording

N, TAU_S, DEAD_STEPS, STEP_S = 6, 0.01, 3, 1e-3


def refractory_neurons(seed, seconds=150.0):
    """Exponential neurons, of 30 Hz without coupling, that do not fire for 3 ms after a spike."""
    rng = np.random.default_rng(seed)
    weights = np.where(np.eye(N, dtype=bool), 0.0, rng.normal(0.0, 0.4, (N, N)))
    n_steps = round(seconds / STEP_S)
    fired, trace = np.zeros((n_steps, N), bool), np.zeros(N)
    last, drawn = np.full(N, -DEAD_STEPS - 1), rng.random((n_steps, N))
    for step in range(n_steps):
        chance = -np.expm1(-30.0 * STEP_S * np.exp(weights @ trace))
        fired[step] = (drawn[step] < chance) & (step - last > DEAD_STEPS)
        last[fired[step]] = step
        trace = np.exp(-STEP_S / TAU_S) * (trace + fired[step])
    steps, neurons = np.nonzero(fired)
    return Recording.from_arrays(
        (steps + 0.5) * STEP_S,
        neurons,
        n_neurons=N,
        epochs_s=np.array([[0.0, seconds]]),
        time_resolution_s=STEP_S,
    )


@pytest.mark.slow
def test_a_refractory_period_shapes_neither_the_synaptic_kernel_nor_the_link():
    circuit = WithoutStructure().fit(refractory_neurons(0)).connectivity_
    assert circuit.metadata["tau_s"] == pytest.approx(TAU_S, rel=0.15)
    assert circuit.metadata["link_bend"] < 3.0
