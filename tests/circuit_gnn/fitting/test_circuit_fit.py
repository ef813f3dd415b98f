from dataclasses import replace

import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit, stages_of
from spikeweft.circuit_gnn.fitting.fit_state import FitState
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.shared_parameters.stages import first_state
from spikeweft.circuit_gnn.spike_prediction.settings import FitSettings
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.errors import CannotResumeError
from spikeweft.runtime.flat_arrays import from_arrays, same
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.ring_networks import FlatInhibition, RingNetwork

N = 10


@pytest.fixture(autouse=True, scope="module")
def short_descents():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", 25)
        patch.setattr(network_fit, "IMITATION_STEPS", 25)
        yield


def recorded():
    """A ring of ten neurons that an input rotates."""
    network = RingNetwork(
        neuron=LNPNeuron(threshold=0.0),
        profile=FlatInhibition(excitation_sd=2.0),
        n_neurons=N,
        recurrent_strength=0.2,
        drive_amplitude_neurons=1.0,
        drive_period_s=2.0,
    )
    return simulate(network, 6.0, np.random.default_rng(0))


def problem(n_hidden=0, rotated_by=None, n_searched=N):
    """What a fit to the ring solves; every fifth of its neurons may be hidden."""
    recording = recorded()
    if n_hidden:
        recording = recording.select(np.flatnonzero(np.arange(N) % 5))
    settings = FitSettings(
        tau_s=None,
        history_window_s=0.1,
        n_hidden=n_hidden,
        covariates=(),
        rotated_by=rotated_by,
        seed=0,
    )
    posed = Problem(recording.between(0.0, 0.8), recording.between(0.8, 1.0), settings)
    posed.n_searched = min(n_searched, posed.n_searched)
    return posed


def whole_fit(posed):
    fit = CircuitFit(posed)
    states, progress = [], []
    while (step := fit.advance()) is not None:
        progress.append(step)
        states.append(fit.state())
    return fit, states, progress


@pytest.fixture(
    scope="module",
    params=[(0, None, N), (2, "drive", N), (0, None, 6)],
    ids=["plain", "hidden, rotated", "some searched"],
)
def fitted(request):
    return request.param, *whole_fit(problem(*request.param))


def test_a_state_is_all_that_a_checkpoint_holds(fitted):
    """Nothing is lost on the way through arrays, at any step."""
    _, fit, states, _ = fitted
    for arrays in states:
        again = from_arrays(FitState, arrays)
        fit.restore(arrays)
        assert same(again, fit._reached)
        kept = fit.state()
        assert all(np.array_equal(kept[key], arrays[key]) for key in arrays)


def test_a_fit_goes_on_from_any_stage_as_if_it_had_not_stopped(fitted):
    posed, _, states, progress = fitted
    stages = [step.stage for step in progress]
    for k in sorted({stages.index(stage) for stage in stages}):
        resumed = CircuitFit(problem(*posed))
        resumed.restore(states[k])
        step = resumed.advance()
        if k + 1 == len(progress):
            assert step is None
            continue
        assert step == progress[k + 1]
        after = resumed.state()
        assert after.keys() == states[k + 1].keys()
        assert all(np.array_equal(after[key], states[k + 1][key]) for key in after)


def test_a_state_of_another_version_is_refused(fitted):
    posed, _, states, _ = fitted
    lacking = {name: array for name, array in states[-1].items() if "tau_s" not in name}
    with pytest.raises(CannotResumeError, match="another version"):
        CircuitFit(problem(*posed)).restore(lacking)


def test_the_work_left_shrinks_to_nothing(fitted):
    """Once a fit has ended, no time is left."""
    *_, progress = fitted
    assert [one.step for one in progress] == list(range(1, len(progress) + 1))
    assert all(one.seconds_left >= 0 for one in progress)
    assert progress[-1].seconds_left == 0
    assert progress[1].seconds_left > 0


def test_a_stage_that_will_not_come_is_not_waited_for(fitted):
    """Rounds of structure count by half until networks were tried, and then in full or not."""
    posed, _, states, _ = fitted
    stages = {stage.name: stage for stage in stages_of(problem(*posed))}
    first, last = (from_arrays(FitState, states[k]) for k in (0, -1))
    third = stages["structure, round 3"]
    expected = third.work(first, 1).on_networks_s
    assert expected > 0
    after = third.work(last, 1).on_networks_s
    assert after == pytest.approx(0.0 if last.shape is None else 2 * expected)


def test_a_fit_that_has_ended_takes_no_further_step(fitted):
    _, fit, states, _ = fitted
    fit.restore(states[-1])
    assert fit.advance() is None


def test_a_neuron_that_seemed_silent_is_fitted_to_its_later_spikes():
    """Where all spikes come in, it starts anew: no step leads out of a certainty of silence."""
    posed = problem()
    stage = next(stage for stage in stages_of(posed) if stage.name == "weights from all spikes")
    start = first_state(posed)
    values = start.current.parameters.values.copy()
    values[2, -1] = -200.0
    parameters = replace(start.current.parameters, values=values)
    certain = replace(start, current=replace(start.current, parameters=parameters))
    found = stage.advance(posed, certain).current.parameters.values
    assert np.all(np.delete(found, 2, axis=0) == np.delete(values, 2, axis=0))
    assert found[2, -1] > -10


def test_what_some_neurons_say_holds_for_all():
    """The others' weights are then found with it, as well as where all are searched."""
    some, _, _ = whole_fit(problem(n_searched=6))
    whole, _, _ = whole_fit(problem())
    searched = some._reached.searched
    assert searched is not None
    assert searched.n_neurons == 6
    assert some._reached.free is not None
    assert some._reached.free.n_neurons == N
    assert some._reached.free.inputs.kernel == searched.inputs.kernel
    found, expected = (f._reached.free.parameters.weights for f in (some, whole))
    others = found[6:], expected[6:]
    assert np.corrcoef(*(w.ravel() for w in others))[0, 1] > 0.95
