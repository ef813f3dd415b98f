from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting import fit_state
from spikeweft.circuit_gnn.fitting.fit_state import nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters import first_state
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.spike_prediction.synaptic_kernel import SynapticKernel
from spikeweft.data.recording import Recording

N = 3


@pytest.fixture(scope="module")
def recording():
    """Three neurons, the second of which tends to follow the first."""
    rng = np.random.default_rng(0)
    leading = np.sort(rng.uniform(0.0, 19.0, 300))
    times = [leading, leading + rng.exponential(0.01, 300), rng.uniform(0.0, 20.0, 300)]
    return Recording.from_arrays(
        np.concatenate(times),
        np.repeat(np.arange(N), 300),
        epochs_s=np.array([[0.0, 20.0]]),
        time_resolution_s=1e-4,
    )


@pytest.fixture
def problem(recording):
    settings = FitSettings(
        tau_s=0.01, history_window_s=0.1, n_hidden=0, covariates=(), rotated_by=None, seed=0
    )
    return Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), settings)


@pytest.fixture
def start(problem):
    return first_state(problem).current


def inputs_of(tau_s):
    return SynapticInputs(kernel=SynapticKernel.exponential(tau_s))


def test_traces_are_made_once_for_equal_inputs(problem):
    """Asked for by value: whoever holds the inputs, the same traces come."""
    traces = problem.training(inputs_of(0.02), on_all_data=True)
    assert problem.training(inputs_of(0.02), on_all_data=True) is traces
    assert problem.training(inputs_of(0.03), on_all_data=True) is not traces


def test_traces_that_were_made_again_are_the_same(problem):
    inputs = inputs_of(0.02)
    first = next(problem.training(inputs, on_all_data=True).parts)
    problem.training(inputs_of(0.03), on_all_data=True)
    again = next(problem.training(inputs, on_all_data=True).parts)
    np.testing.assert_array_equal(first.at_spikes, again.at_spikes)
    np.testing.assert_array_equal(first.times_s, again.times_s)


def test_a_step_makes_the_training_spikes_likelier_and_leaves_the_old_candidate_alone(
    problem, start
):
    before, values = problem.estimate(start).penalised.sum(), start.parameters.values.copy()
    stepped = problem.stepped(start, 5)
    assert problem.estimate(stepped).penalised.sum() > before + 1.0
    np.testing.assert_array_equal(start.parameters.values, values)


def test_an_estimate_at_hand_is_the_one_that_would_be_made(problem, start, recording):
    stepped = problem.stepped(start, 3)
    fresh = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), problem.settings)
    at_hand, made = problem.estimate(stepped).derivatives, fresh.estimate(stepped).derivatives
    np.testing.assert_array_equal(at_hand.gradient, made.gradient)
    np.testing.assert_array_equal(at_hand.fisher, made.fisher)


def test_a_moved_candidate_has_no_score_until_it_is_scored_again(problem, start):
    scored = problem.scored(start)
    assert np.isfinite(nats_of(scored))
    assert problem.scored(scored) is scored
    assert problem.stepped(scored).held_out is None


def test_a_trial_is_taken_only_where_held_out_spikes_are_clearly_likelier(
    problem, start, monkeypatch
):
    """Going back is keeping the candidate that was there."""
    trial, current = problem.stepped(start, 8), problem.scored(start)
    gain = nats_of(problem.scored(trial)) - nats_of(current)
    assert gain > 0
    monkeypatch.setattr(fit_state, "WORTH_NATS", 0.9 * gain)
    assert problem.better(trial, current).parameters is trial.parameters
    monkeypatch.setattr(fit_state, "WORTH_NATS", 1.1 * gain)
    assert problem.better(trial, current) is current


def test_networks_are_smaller_than_the_circuit(recording, problem):
    many = replace(recording, n_neurons=13, neuron_ids=())
    large = Problem(many, many, problem.settings)
    assert problem.network_shapes(directed=False) == ()
    assert {shape.n_dimensions for shape in large.network_shapes(directed=True)} == {3, 6, 12}
    assert all(shape.directed for shape in large.network_shapes(directed=True))
