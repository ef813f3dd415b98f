from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.fitting.conftest import SETTINGS, N

from spikeweft.circuit_gnn.fitting import fit_state
from spikeweft.circuit_gnn.fitting.fit_state import nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state
from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.mean_field import HiddenNeurons, Places
from spikeweft.circuit_gnn.spike_prediction.link import EXPONENTIAL, LinkShape
from spikeweft.circuit_gnn.spike_prediction.link_path import LinkPath
from spikeweft.circuit_gnn.spike_prediction.model_inputs import SynapticInputs
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import evaluate
from spikeweft.circuit_gnn.spike_prediction.synapses.synaptic_kernel import SynapticKernel
from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN


def inputs_of(tau_s):
    return SynapticInputs(kernel=SynapticKernel.exponential(tau_s), mean_rate_hz=50.0)


def traces_of(problem, inputs, n_neurons=N):
    return problem.training(inputs, on_all_data=True, n_neurons=n_neurons)


def test_of_the_first_neurons_traces_are_those_of_all(problem):
    """They receive from all neurons, as they do where all are postsynaptic."""
    (whole,) = traces_of(problem, inputs_of(0.02)).parts
    expected, times_s = whole.at_spikes[: whole.offsets[2]].copy(), whole.times_s
    (some,) = traces_of(problem, inputs_of(0.02), n_neurons=2).parts
    np.testing.assert_array_equal(some.at_spikes, expected)
    np.testing.assert_array_equal(some.times_s, times_s)
    assert [own.shape[1] for own in some.own_at_times] == [2] * N_OWN
    assert some.at_times.shape[1] == N + 1


def test_traces_are_made_once_for_equal_inputs(problem):
    """Asked for by value: whoever holds the inputs, the same traces come."""
    traces = traces_of(problem, inputs_of(0.02))
    assert traces_of(problem, inputs_of(0.02)) is traces
    assert traces_of(problem, inputs_of(0.03)) is not traces


def test_traces_that_were_made_again_are_the_same(problem):
    inputs = inputs_of(0.02)
    first = next(traces_of(problem, inputs).parts)
    traces_of(problem, inputs_of(0.03))
    again = next(traces_of(problem, inputs).parts)
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


def test_memory_is_given_back_but_for_the_estimate_of_the_answer(problem, start):
    """Which need not be the last one: what is asked for again does not move up."""
    answer = problem.stepped(start)
    estimate = problem.estimate(answer)
    problem.scored(problem.stepped(answer))
    assert problem.estimate(answer) is estimate
    problem.release(answer)
    assert problem.estimate(answer) is estimate
    assert problem._training_traces is problem._held_out_traces is None
    assert len(problem._estimates) == 1


def test_what_was_not_estimated_yet_is_before_memory_is_given_back(recording, problem, start):
    """As after a fit was taken up again."""
    again = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), problem.settings)
    again.release(start)
    assert again._training_traces is None
    again.estimate(start)
    assert again._training_traces is None


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


# -- links and kernels --


def test_units_of_the_drive_do_not_change_the_evidence(problem, start):
    """An exponential link stays one at any bend far below zero: only its units change."""
    exponential = problem.stepped(problem.reshaped(start, EXPONENTIAL), 12)
    exponential = problem.stepped(problem.with_estimated_prior(exponential), 3)
    before = problem.log_evidence(exponential)
    weights = exponential.parameters.weights
    assert np.abs(weights).max() > 1.0
    for shape in (LinkShape(1.0, -12.0), LinkShape(2.0, -16.0)):
        again = problem.reshaped(exponential, shape)
        np.testing.assert_allclose(problem.shape(again), shape, atol=1e-3)
        np.testing.assert_allclose(again.parameters.weights * shape.power, weights, rtol=1e-4)
        assert problem.log_evidence(again) == pytest.approx(before, abs=0.05)


def test_a_sharper_link_is_a_softer_one_back_and_forth(problem, settled):
    there = problem.reshaped(settled, LinkShape(1.0, 20.0))
    parameters = LinkPath.towards(
        there.parameters, problem.estimate(settled).log_rate_at_spikes, problem.shape(settled)
    ).at(1.0)
    np.testing.assert_allclose(parameters.values, settled.parameters.values, atol=1e-6)
    np.testing.assert_allclose(parameters.precision, settled.parameters.precision, rtol=1e-6)


def test_another_kernel_keeps_the_area_under_every_effect(problem, settled):
    """Of a mixture of two equal exponentials nothing changes; of others the area does not."""
    kernel = settled.inputs.kernel
    twice = SynapticKernel(taus_s=kernel.taus_s * 2, shares=(0.3, 0.7))
    longer = SynapticKernel(taus_s=(0.02, 0.05), shares=(0.5, 0.5))
    same, other = (problem.with_kernel(settled, k) for k in (twice, longer))
    np.testing.assert_allclose(same.parameters.values, settled.parameters.values, rtol=1e-9)
    assert problem.log_evidence(same) == pytest.approx(problem.log_evidence(settled), abs=0.05)
    areas = [c.parameters.weights * c.inputs.kernel.area_s for c in (settled, other)]
    np.testing.assert_allclose(*areas)
    penalties = [
        c.parameters.penalty(np.where(c.parameters.is_weight, c.parameters.values, 0.0))
        for c in (settled, other)
    ]
    np.testing.assert_allclose(*penalties)


def test_the_evidence_does_not_depend_on_the_units_of_traces(problem, settled):
    """Traces half as high, and all weights twice: the same model, the same evidence."""
    (part,) = problem.training_of(settled).parts
    halved = replace(part, at_spikes=part.at_spikes.copy(), at_times=part.at_times.copy())
    halved.at_spikes[:, :N] /= 2
    halved.at_times[:, :N] /= 2
    parameters, fluctuation = settled.parameters, settled.inputs.kernel.fluctuation
    values = parameters.values.copy()
    values[:, :N] *= 2
    scale = np.append(2.0, np.ones(N_OWN))
    twice = replace(
        parameters,
        values=values,
        precision=parameters.precision / 4,
        history_mean=parameters.history_mean * scale,
        history_precision=parameters.history_precision / scale**2,
    )
    found = evaluate(halved, twice).log_evidence(fluctuation / 2)
    before = problem.log_evidence(settled)
    assert found == pytest.approx(before, abs=0.05)


def test_networks_are_smaller_than_the_circuit(recording, problem):
    many = replace(recording, n_neurons=13, neuron_ids=())
    large = Problem(many, many, problem.settings)
    assert problem.network_shapes(directed=False) == ()
    assert {shape.n_dimensions for shape in large.network_shapes(directed=True)} == {3, 6, 12}
    assert all(shape.directed for shape in large.network_shapes(directed=True))


def test_another_kernel_leaves_hidden_neurons_as_active_as_they_were(recording):
    """What drives them is scaled with all else, or a trial of a kernel would be one of theirs."""
    settings = replace(SETTINGS, n_hidden=2)
    problem = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), settings)
    start = first_state(problem).current
    values = start.parameters.values.copy()
    values[:, :N] = 0.5 * (1.0 - np.eye(N))
    parameters = replace(start.parameters, values=values)
    mix = np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
    places = Places(mix, np.zeros((N, N), dtype=bool))
    hidden = HiddenNeurons.at(places, values, parameters.link)
    inputs = replace(start.inputs, hidden=hidden)
    candidate = replace(start, parameters=parameters, inputs=inputs, held_out=None)

    def drive_of_hidden(tau_s):
        """Of steady activity, through the area under the kernel."""
        moved = problem.with_kernel(candidate, SynapticKernel.exponential(tau_s)).inputs
        return moved.hidden.weights * moved.kernel.area_s

    np.testing.assert_allclose(drive_of_hidden(0.02), drive_of_hidden(0.01))
    assert np.all(drive_of_hidden(0.01)[0, :2] > 0.0)
