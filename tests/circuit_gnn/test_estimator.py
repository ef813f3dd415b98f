import json
from dataclasses import replace

import numpy as np
import pytest
from tests.circuit_gnn.interruptions import InterruptedFitError, fit_with_interruptions
from tests.circuit_gnn.recordings import directed_network, independent_neurons

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn import ablations, estimator
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import choice, fit_state, problem
from spikeweft.circuit_gnn.fitting.circuit_fit import CircuitFit
from spikeweft.circuit_gnn.fitting.fit_state import nats_of
from spikeweft.circuit_gnn.fitting.problem import Problem
from spikeweft.circuit_gnn.fitting.structure_rounds import is_fitted
from spikeweft.data.covariate import Covariate
from spikeweft.data.holdout import VALIDATION_FRACTION, split
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.simulation.networks import simulate

pytestmark = pytest.mark.usefixtures("short_descents")


N = 8


@pytest.fixture(scope="module")
def truth():
    return directed_network(N).connectivity


@pytest.fixture(scope="module")
def recording():
    return simulate(directed_network(N), 40.0, np.random.default_rng(0))


@pytest.fixture(scope="module")
def fitted(recording):
    return CircuitGNN(tau_s=0.01).fit(recording)


@pytest.fixture(scope="module")
def short():
    return simulate(directed_network(N), 8.0, np.random.default_rng(1))


@pytest.fixture(scope="module")
def fitted_to_short(short):
    return CircuitGNN(tau_s=0.01, random_state=3).fit(short)


@pytest.fixture(scope="module")
def fitted_with_hidden(short):
    return CircuitGNN(tau_s=0.01, n_hidden=2, random_state=3).fit(short)


def test_it_finds_who_drives_whom(fitted, truth):
    mask = truth.off_diagonal
    found, true = fitted.connectivity_.weights, truth.weights
    assert np.corrcoef(found[mask], true[mask])[0, 1] > 0.9
    assert np.corrcoef(found.T[mask], true[mask])[0, 1] < 0.5, "and not the other way round"
    strong = np.abs(true) > 1e-3
    np.testing.assert_array_equal(np.sign(found[strong]), np.sign(true[strong]))


def test_of_many_neurons_some_say_what_all_share(recording, fitted, truth, monkeypatch):
    """Drawn at random; every weight, spike and prediction stays with its neuron."""
    for module in (estimator, problem):
        monkeypatch.setattr(module, "MOST_SEARCHED", 5)
    some = CircuitGNN(tau_s=0.01).fit(recording)
    order = some.model_.modelled
    assert sorted(order) == list(range(N))
    assert list(order) != list(range(N))
    mask = truth.off_diagonal
    for known in (truth, fitted.connectivity_):
        pairs = some.connectivity_.weights[mask], known.weights[mask]
        assert np.corrcoef(*pairs)[0, 1] > 0.9
    np.testing.assert_allclose(
        some.log_likelihood(recording), fitted.log_likelihood(recording), rtol=0.01
    )
    counts = [model.predict(recording, 0.1) for model in (some, fitted)]
    assert np.corrcoef(*(c.ravel() for c in counts))[0, 1] > 0.98


def test_its_circuit_is_nearer_to_the_truth_than_the_glms(recording, fitted, truth):
    glm = PoissonGLM(bin_s=0.005).fit(recording)
    deltas = [inference_error(m.connectivity_, truth).delta for m in (fitted, glm)]
    assert deltas[0] < 0.8 * deltas[1]
    assert fitted.score(recording) > glm.score(recording)


def test_standard_errors_are_the_scatter_of_weights_that_are_not_there(fitted, truth):
    """Of unconnected pairs, weights over standard errors scatter by about one."""
    none = truth.off_diagonal & (truth.weights == 0)
    none &= np.isfinite(fitted.connectivity_.standard_error)
    assert none.sum() > 20
    z = fitted.connectivity_.weights[none] / fitted.connectivity_.standard_error[none]
    assert 0.5 < np.sqrt(np.mean(z**2)) < 1.8


def test_more_spikes_make_standard_errors_smaller(fitted_to_short, fitted):
    few = fitted_to_short.connectivity_.standard_error
    many = fitted.connectivity_.standard_error
    both = np.isfinite(few) & np.isfinite(many)
    ratio = np.median(few[both] / many[both])
    assert 1.4 < ratio < 3.5, "five times the data: √5"


def test_silent_neurons_change_nothing_and_nothing_is_known_of_them(short, fitted_to_short):
    """Three among the others: all that is found of those is the same, bit for bit."""
    among = np.array([0, 2, 3, 5, 6, 7, 9, 10])
    more = replace(short, spike_neurons=among[short.spike_neurons], n_neurons=N + 3, neuron_ids=())
    alone, joined = fitted_to_short, CircuitGNN(tau_s=0.01, random_state=3).fit(more)
    pairs, silent = np.ix_(among, among), np.setdiff1d(np.arange(N + 3), among)
    for name in ("weights", "standard_error"):
        found = getattr(joined.connectivity_, name)
        np.testing.assert_array_equal(found[pairs], getattr(alone.connectivity_, name))
    np.testing.assert_array_equal(joined.model_.modelled, among)
    for one_way in (np.s_[silent], np.s_[:, silent]):
        np.testing.assert_array_equal(joined.connectivity_.weights[one_way], 0.0)
        assert np.all(np.isinf(joined.connectivity_.standard_error[one_way]))
    likelihood = joined.log_likelihood(more)
    np.testing.assert_array_equal(likelihood[among], alone.log_likelihood(short))
    assert np.all(np.abs(likelihood[silent]) < 0.01)
    np.testing.assert_array_equal(joined.predict(more)[:, among], alone.predict(short))


def test_a_neuron_that_only_fires_later_is_not_modelled_but_can_be_scored(short):
    """Its rate is that of the whole recording."""
    late = np.arange(short.duration_s - 0.5, short.duration_s, 0.05)
    more = Recording.from_arrays(
        np.concatenate([short.spike_times_s, late]),
        np.concatenate([short.spike_neurons, np.full(len(late), N)]),
        epochs_s=short.epochs_s,
        time_resolution_s=short.time_resolution_s,
    )
    fit = ablations.WithoutStructure(tau_s=0.01).fit(more)
    np.testing.assert_array_equal(fit.model_.modelled, np.arange(N))
    rate_hz, scored_s = len(late) / short.duration_s, short.duration_s - fit.history_window_s
    expected = len(late) * np.log(rate_hz) - rate_hz * scored_s
    np.testing.assert_allclose(fit.log_likelihood(more)[N], expected)
    np.testing.assert_allclose(fit.predict(more)[:, N].sum(), len(late), rtol=0.01)


def test_a_recording_of_which_one_neuron_fires_is_refused(short):
    """In the part for training; another one fires once, at the end."""
    first = short.select(np.array([0])).spike_times_s
    neurons = np.append(np.zeros(len(first), int), 1)
    alone = Recording.from_arrays(
        np.append(first, 7.99), neurons, n_neurons=3, epochs_s=short.epochs_s
    )
    with pytest.raises(InputError, match="only 1 of 3 neurons fire"):
        CircuitGNN(tau_s=0.01).fit(alone)


def test_a_weight_is_the_change_of_the_log_rate_after_a_spike():
    """Poisson neurons, one of which fires e^½ times as fast right after the other's spikes."""
    rng, n_ticks, trace = np.random.default_rng(0), 200_000, 0.0
    ticks, neurons = [], []
    for tick in range(n_ticks):
        fired = rng.random(2) < 1e-3 * np.array([8.0, 40.0 * np.exp(0.5 * trace)])
        for neuron in np.flatnonzero(fired):
            ticks.append(tick)
            neurons.append(int(neuron))
        trace = (trace + fired[0]) * np.exp(-0.1)
    recording = Recording.from_arrays(
        np.array(ticks) * 1e-3, np.array(neurons), time_resolution_s=1e-3
    )
    circuit = CircuitGNN(tau_s=0.01).fit(recording).connectivity_
    error = circuit.standard_error[1, 0]
    assert error < 0.15
    assert abs(circuit.weights[1, 0] - 0.5) < 3 * error
    assert abs(circuit.weights[0, 1]) < 3 * circuit.standard_error[0, 1]


@pytest.mark.slow
def test_the_synaptic_time_constant_is_found():
    tau_s = 0.03
    X = simulate(directed_network(N, tau_s), 60.0, np.random.default_rng(0))
    fit = CircuitGNN().fit(X)
    kernel = fit.model_.inputs.kernel
    assert abs(kernel.mean_lag_s - tau_s) < 0.1 * tau_s
    assert fit.connectivity_.metadata["synaptic_kernel"] == str(kernel)


def driven_after(latency_s, tau_s, duration_s=120.0):
    """Two Poisson neurons; the first drives the second some time after its spikes."""
    rng, n_ticks, trace = np.random.default_rng(0), round(duration_s * 1e3), 0.0
    first = np.flatnonzero(rng.random(n_ticks) < 0.02)
    arrives = np.zeros(n_ticks + 100)
    arrives[first + round(latency_s * 1e3)] = 1.0
    drive = np.zeros(n_ticks)
    for tick in range(n_ticks):
        drive[tick] = trace
        trace = (trace + arrives[tick]) * np.exp(-1e-3 / tau_s)
    second = np.flatnonzero(rng.random(n_ticks) < 5e-3 + 0.1 * drive)
    return Recording.from_arrays(
        np.concatenate([first, second]) * 1e-3,
        np.repeat([0, 1], [len(first), len(second)]),
        epochs_s=np.array([[0.0, duration_s]]),
        time_resolution_s=1e-3,
    )


@pytest.mark.slow
@pytest.mark.parametrize("latency_s", [0.0, 0.005])
def test_the_latency_of_synapses_is_found(latency_s):
    kernel = CircuitGNN().fit(driven_after(latency_s, 0.01)).model_.inputs.kernel
    assert abs(kernel.latency_s - latency_s) <= 0.001
    assert abs(kernel.mean_lag_s - latency_s - 0.01) < 0.003


def test_structured_weights_are_those_of_a_pair_network(short, monkeypatch):
    """Taken here whatever held-out spikes say: an undirected network's are symmetric."""
    monkeypatch.setattr(fit_state, "WORTH_NATS", -1e9)
    monkeypatch.setattr(choice, "_choose_kind", lambda problem, state: state)
    fit = CircuitGNN(tau_s=0.01).fit(short)
    assert fit.connectivity_.metadata["structure"].startswith("symmetric pair network")
    np.testing.assert_allclose(fit.connectivity_.weights, fit.connectivity_.weights.T)


@pytest.fixture(scope="module")
def candidates():
    """All that a fit of eight neurons that do not drive each other has scored, and the fit."""
    recording = independent_neurons(N)
    training, held_out = split(recording, VALIDATION_FRACTION)
    settings = CircuitGNN(tau_s=0.01)._fit_settings(recording)
    fit = CircuitFit(Problem(training, held_out, settings))
    while fit.advance() is not None:
        pass
    return fit


def test_what_is_returned_is_no_worse_than_a_glm_or_no_coupling(candidates):
    """On the held-out spikes of a population that has none."""
    glm, uncoupled = candidates._reached.simpler
    assert candidates.problem.shape(glm).bend < -10.0
    assert glm.parameters.weights.any()
    assert not uncoupled.parameters.weights.any()
    best = max(nats_of(glm), nats_of(uncoupled), nats_of(candidates._reached.free))
    assert nats_of(candidates.found) >= best


def test_where_neurons_are_not_coupled_no_coupling_is_reported(candidates):
    assert candidates.structure == "no coupling"
    assert nats_of(candidates.found) >= nats_of(candidates._reached.free)


def test_weights_that_make_their_own_spikes_less_likely_than_none_are_no_fit(
    candidates,
):
    problem, reached = candidates.problem, candidates._reached
    wild = problem.with_weights(reached.free, np.full((N, N), 50.0))
    assert is_fitted(problem, reached.free, reached)
    assert not is_fitted(problem, wild, reached)


@pytest.mark.slow
def test_without_coupling_a_fit_predicts_no_worse_than_rates_do():
    """Held-out spikes of two populations that have none; weights are small or none."""
    for seed in (1, 2):
        rng = np.random.default_rng(seed)
        counts = rng.poisson(np.full(N, 10.0) * 60.0)
        X = Recording.from_arrays(
            rng.uniform(0.0, 60.0, counts.sum()),
            np.repeat(np.arange(N), counts),
            epochs_s=np.array([[0.0, 60.0]]),
            time_resolution_s=1e-4,
        )
        fit = CircuitGNN().fit(X.between(0.0, 0.9))
        assert fit.score(X.between(0.9, 1.0)) > -0.02
        assert np.abs(fit.connectivity_.weights).max() < 0.3


@pytest.mark.parametrize("name", ["fitted_to_short", "fitted_with_hidden"])
def test_a_saved_model_predicts_as_before(short, name, request):
    fit = request.getfixturevalue(name)
    again = CircuitGNN.from_saved(fit.model_arrays(), json.loads(json.dumps(fit.model_settings())))
    np.testing.assert_array_equal(again.predict(short), fit.predict(short))
    np.testing.assert_array_equal(again.log_likelihood(short), fit.log_likelihood(short))
    assert again.score(short) == fit.score(short)
    assert again.get_params() == fit.get_params()
    np.testing.assert_array_equal(again.connectivity_.weights, fit.connectivity_.weights)
    assert again.connectivity_.neuron_ids == fit.connectivity_.neuron_ids


def test_a_saved_circuit_keeps_what_is_known_of_its_weights(fitted_to_short):
    fit = fitted_to_short
    again = CircuitGNN.from_saved(fit.model_arrays(), fit.model_settings())
    np.testing.assert_array_equal(
        again.connectivity_.standard_error, fit.connectivity_.standard_error
    )
    np.testing.assert_array_equal(again.connectivity_.informed, fit.connectivity_.informed)


def test_a_model_of_another_version_is_refused(fitted_to_short):
    arrays, settings = fitted_to_short.model_arrays(), fitted_to_short.model_settings()
    without = {name: array for name, array in arrays.items() if name != "neuron_parameters"}
    for saved in ((without, settings), (arrays, {**settings, "recipe": {}})):
        with pytest.raises(InputError, match="saved by another version of spikeweft"):
            CircuitGNN.from_saved(*saved)


@pytest.mark.usefixtures("short_learning")
@pytest.mark.parametrize(
    ("settings", "worth_nats"),
    [
        pytest.param({"tau_s": None}, 10.0, marks=pytest.mark.slow),
        ({"tau_s": 0.01, "n_hidden": 2}, 10.0),
        pytest.param({"tau_s": 0.01}, -1e9, marks=pytest.mark.slow),
    ],
    ids=["unknown time constant", "hidden neurons", "structured weights"],
)
def test_a_fit_that_was_interrupted_ends_as_one_that_was_not(
    short, tmp_path, monkeypatch, settings, worth_nats
):
    monkeypatch.setattr(fit_state, "WORTH_NATS", worth_nats)
    if worth_nats < 0:
        monkeypatch.setattr(choice, "_choose_kind", lambda problem, state: state)
    whole = CircuitGNN(**settings).fit(short)
    resumed = fit_with_interruptions(short, tmp_path / "fit.safetensors", settings, every=7)
    np.testing.assert_array_equal(resumed.connectivity_.weights, whole.connectivity_.weights)
    np.testing.assert_array_equal(
        resumed.connectivity_.standard_error, whole.connectivity_.standard_error
    )
    assert [p.loss for p in resumed.history_] == [p.loss for p in whole.history_]
    assert resumed.connectivity_.metadata == whole.connectivity_.metadata


@pytest.mark.usefixtures("short_learning")
def test_a_checkpoint_of_other_data_or_settings_is_refused(recording, short, tmp_path):
    checkpoint = tmp_path / "fit.safetensors"

    def stop(progress):
        raise InterruptedFitError

    with pytest.raises(InterruptedFitError):
        CircuitGNN(tau_s=0.01).fit(short, checkpoint=checkpoint, on_progress=stop)
    with pytest.raises(InputError, match="recording"):
        CircuitGNN(tau_s=0.01).fit(recording, checkpoint=checkpoint)
    with pytest.raises(InputError, match="recording"):
        CircuitGNN(tau_s=0.01).fit(with_a_covariate(short, 1.0), checkpoint=checkpoint)
    with pytest.raises(InputError, match="tau_s"):
        CircuitGNN(tau_s=0.02).fit(short, checkpoint=checkpoint)


def with_a_covariate(X, value):
    speed = Covariate(times_s=np.zeros(1), values=np.full(1, value))
    return replace(X, covariates={"speed": speed})


@pytest.mark.usefixtures("short_learning")
def test_every_step_is_reported(short):
    reported = []
    fit = CircuitGNN(tau_s=0.01, random_state=3).fit(short, on_progress=reported.append)
    assert reported == fit.history_
    assert [p.step for p in reported] == list(range(1, len(reported) + 1))
    assert reported[-1].loss < reported[0].loss
    assert reported[-1].held_out_bits_per_spike > 0


def tuned(turning_hz):
    """Neurons that fire by the direction of an animal that turns, and do not drive each other."""
    rng, n_ticks = np.random.default_rng(0), 120_000
    times_s = np.arange(n_ticks) * 1e-3
    angle_rad = 2 * np.pi * turning_hz * times_s
    preferred = 2 * np.pi * np.arange(6) / 6
    rate_hz = 30.0 * np.exp(np.cos(angle_rad[:, None] - preferred) - 0.5)
    ticks, neurons = np.nonzero(rng.random(rate_hz.shape) < rate_hz * 1e-3)
    direction = Covariate(times_s=times_s, values=angle_rad % (2 * np.pi), is_angle=True)
    return Recording.from_arrays(
        ticks * 1e-3, neurons, time_resolution_s=1e-3, covariates={"direction": direction}
    )


@pytest.mark.slow
def test_a_covariate_explains_what_looks_like_a_circuit():
    """Neurons that share a tuning seem connected until the direction is known."""
    X = tuned(0.7)
    uninformed = CircuitGNN(tau_s=0.01).fit(X)
    informed = CircuitGNN(tau_s=0.01, covariates=("direction",)).fit(X)
    assert informed.score(X) > uninformed.score(X) + 0.05
    seen, left = (np.linalg.norm(m.connectivity_.weights) for m in (uninformed, informed))
    assert left < 0.5 * seen
    still = Covariate(times_s=np.zeros(1), values=np.zeros(1), is_angle=True)
    frozen = replace(X, covariates={"direction": still})
    assert informed.score(X) > informed.score(frozen) + 0.05


def test_each_bin_of_a_prediction_has_its_own_time(fitted_to_short):
    """Where nobody has fired for long it is constant; an integral over all needs fewer times."""
    quiet = Recording.from_arrays(
        1e-3 * np.arange(1, N + 1), np.arange(N), epochs_s=np.array([[0.0, 14.0]])
    )
    late = fitted_to_short.predict(quiet, 0.01)[1200:]
    np.testing.assert_allclose(late, np.broadcast_to(late.mean(axis=0), late.shape), rtol=1e-3)


def test_hidden_neurons_join_the_model_but_not_the_report(
    short, fitted_to_short, fitted_with_hidden
):
    fit = fitted_with_hidden
    assert fit.connectivity_.n_neurons == N
    assert fit.model_.neuron_parameters.shape == fitted_to_short.model_.neuron_parameters.shape
    expected = fit.predict(short, 0.02).sum(axis=0)
    np.testing.assert_allclose(expected, short.n_spikes, rtol=0.15)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"covariates": ("speed",)}, "no covariate 'speed'; it has: none"),
        ({"rotated_by": "drive"}, "no covariate 'drive'; it has: none"),
        ({"n_hidden": -1}, "n_hidden is -1"),
        ({"tau_s": 0.0}, "time constant is 0 s"),
        ({"tau_s": -0.01}, "time constant is -0.01 s"),
    ],
)
def test_settings_that_do_not_fit_the_recording_are_refused(short, settings, words):
    with pytest.raises(InputError, match=words):
        CircuitGNN(**settings).fit(short)


def test_a_recording_whose_last_ninth_cannot_be_scored_is_refused(short):
    """0.8 s leave 89 ms to be held out, less than the history window."""
    with pytest.raises(InputError, match=r"held-out part .* holds no spike"):
        CircuitGNN(tau_s=0.01).fit(short.restrict(np.array([[0.0, 0.8]])))


def test_it_says_how_likely_the_spikes_are_that_it_held_out(fitted, recording):
    held_out = split(recording, VALIDATION_FRACTION)[1]
    said = fitted.held_out_
    np.testing.assert_allclose(said.log_likelihood, fitted.log_likelihood(held_out), rtol=0.01)
    np.testing.assert_allclose(said.epochs_s, scored_epochs(held_out, fitted.history_window_s))
    assert said.without_coupling.sum() <= said.log_likelihood.sum()


def test_a_covariate_with_missing_values_is_refused(short):
    """As a covariate and as what rotates the circuit; unused, it may lack what it likes."""
    times_s = np.arange(0.0, 8.0, 0.01)
    values = np.where(times_s < 0.195, np.nan, times_s)
    recording = replace(short, covariates={"angle": Covariate(times_s=times_s, values=values)})
    for settings in ({"covariates": ("angle",)}, {"rotated_by": "angle"}):
        with pytest.raises(InputError, match=r"'angle' has 20 values that are no numbers"):
            CircuitGNN(**settings).check_recording(recording)
    CircuitGNN().check_recording(recording)


def test_bins_too_short_to_follow_rates_in_are_refused(fitted_to_short, short):
    with pytest.raises(InputError, match=r"bins of 0\.5 ms .* at least 1 ms"):
        fitted_to_short.predict(short, bin_s=0.0005)
    assert np.all(fitted_to_short.predict(short, bin_s=0.001) > 0)
