"""Many neurons, a block at a time: as if all had been fitted together."""

import numpy as np
import pytest
from tests.circuit_gnn.interruptions import fit_with_interruptions
from tests.circuit_gnn.recordings import directed_network, independent_neurons

from spikeweft.circuit_gnn import estimator
from spikeweft.circuit_gnn.ablations import WithoutStructure
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import problem
from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit
from spikeweft.circuit_gnn.fitting.needed_memory import needed_memory_mb
from spikeweft.circuit_gnn.fitting.neuron_blocks import NeuronBlocks
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.data.recording import Recording
from spikeweft.runtime.workers import Here
from spikeweft.simulation.networks import simulate

N, N_SEARCHED = 8, 3


@pytest.fixture(scope="module")
def recording():
    return simulate(directed_network(N), 40.0, np.random.default_rng(0))


@pytest.fixture(scope="module")
def together(recording):
    """All neurons searched, and held at a time."""
    return WithoutStructure(tau_s=0.01).fit(recording)


@pytest.fixture(scope="module")
def few_at_a_time(together):
    """Three neurons are searched, and more than four are too many to hold."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (estimator, problem):
            patch.setattr(module, "MOST_SEARCHED", N_SEARCHED)
        patch.setattr(problem, "MOST_TOGETHER", 4)
        yield patch


@pytest.fixture(scope="module")
def by_blocks(recording, few_at_a_time):
    return CircuitGNN(tau_s=0.01).fit(recording)


def test_all_is_found_as_if_all_had_been_held_at_a_time(together, by_blocks):
    """Each weight and its error with its neurons."""
    found, wanted = (fit.connectivity_ for fit in (by_blocks, together))
    assert [step.stage for step in by_blocks.history_].count("weights of all neurons") == 3
    known = np.isfinite(wanted.standard_error) & np.isfinite(found.standard_error)
    assert known.sum() > 0.6 * found.off_diagonal.sum()
    away = (found.weights - wanted.weights)[known] / wanted.standard_error[known]
    assert np.sqrt(np.mean(away**2)) < 0.5
    ratio = found.standard_error[known] / wanted.standard_error[known]
    assert np.median(ratio) == pytest.approx(1.0, abs=0.05)
    np.testing.assert_allclose(ratio, 1.0, atol=0.5)


def test_all_is_predicted_as_if_all_had_been_held_at_a_time(recording, together, by_blocks):
    """Without coupling a little worse: three neurons say what the link is then."""
    likelihoods = [fit.log_likelihood(recording) for fit in (by_blocks, together)]
    np.testing.assert_allclose(*likelihoods, rtol=2e-2)
    held_out = [fit.held_out_ for fit in (by_blocks, together)]
    np.testing.assert_allclose(*(one.log_likelihood for one in held_out), rtol=5e-3, atol=3.0)
    alone, wanted = (one.without_coupling.sum() for one in held_out)
    assert alone == pytest.approx(wanted, rel=0.1)
    assert alone < held_out[0].log_likelihood.sum() - 10.0


def test_a_fit_by_blocks_goes_on_where_it_stopped(recording, by_blocks, few_at_a_time, tmp_path):
    again = fit_with_interruptions(recording, tmp_path / "fit.npz", {"tau_s": 0.01}, every=9)
    np.testing.assert_array_equal(again.connectivity_.weights, by_blocks.connectivity_.weights)


def test_no_traces_of_all_neurons_are_held_beside_a_block(recording, few_at_a_time, tmp_path):
    """Nor where the fit was interrupted between two blocks."""
    model = CircuitGNN(tau_s=0.01)
    posed = model.problem_of(recording)
    fit = CircuitFit(posed)
    while fit.advance().stage != NeuronBlocks.name:
        pass
    reached = fit.state()
    fit.advance()
    assert posed._training_traces is None
    again = CircuitFit(model.problem_of(recording))
    again.restore(reached)
    again.advance()
    assert again.problem._training_traces is None


def test_more_workers_take_less_time_for_all_blocks(recording, few_at_a_time):
    """Two blocks are left to two of them; a third has nothing to do."""

    class Others(Here):
        def __init__(self, n):
            self.number = lambda: n

    posed = CircuitGNN(tau_s=0.01).problem_of(recording)
    one, two, three = (NeuronBlocks(posed, Others(n)).work_left(None) for n in (1, 2, 3))
    assert two.on_spikes_s == three.on_spikes_s == pytest.approx(one.on_spikes_s / 2)


def test_neurons_without_coupling_have_none_in_any_block(few_at_a_time):
    alone = independent_neurons(N)
    fit = CircuitGNN(tau_s=0.01).fit(alone)
    assert fit.connectivity_.metadata["structure"] == "no coupling"
    assert not fit.connectivity_.weights.any()
    rate_hz = fit.predict(alone, 0.1).mean(axis=0) / 0.1
    np.testing.assert_allclose(rate_hz, alone.rate_hz, rtol=0.06)


def test_memory_is_that_of_a_block(recording, few_at_a_time):
    settings = CircuitGNN(tau_s=0.01)._fit_settings(recording)
    posed = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), settings)
    by_blocks = needed_memory_mb(posed)
    assert posed.n_at_a_time == N_SEARCHED
    few_at_a_time.setattr(problem, "MOST_TOGETHER", N)
    assert by_blocks < needed_memory_mb(posed)
    few_at_a_time.setattr(problem, "MOST_TOGETHER", 4)


def test_neurons_that_decide_nothing_may_fill_a_block(few_at_a_time):
    """The last one fires at another rate in the held-out part; coupling is shown without it."""
    rng = np.random.default_rng(1)
    n, seconds = 7, 60.0
    trains = [np.sort(rng.uniform(0.0, seconds, 900)) for _ in range(n)]
    for k in range(1, n):
        follows = trains[k - 1][rng.random(len(trains[k - 1])) < 0.5] + 0.002
        trains[k] = np.sort(np.append(trains[k], follows))
    last = int(np.random.default_rng(0).permutation(n)[-1])
    trains[last] = np.append(trains[last][trains[last] < 50.0], rng.uniform(54.0, seconds, 12))
    recording = Recording.from_arrays(
        np.concatenate(trains),
        np.repeat(np.arange(n), [len(train) for train in trains]),
        epochs_s=np.array([[0.0, seconds + 0.1]]),
    )
    fit = CircuitGNN(tau_s=0.004).fit(recording)
    assert any(warning.endswith(f": {last}") for warning in fit.warnings_)
    assert fit.connectivity_.metadata["structure"] == "free weights, structure not tried"
    assert np.all(np.isfinite(fit.connectivity_.weights))
