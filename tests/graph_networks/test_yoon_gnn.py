import json

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.evaluation.prediction import bits_per_spike
from spikeweft.graph_networks import binned_prediction, yoon_gnn, yoon_training
from spikeweft.graph_networks.departures import AS_PUBLISHED, DEPARTURES
from spikeweft.graph_networks.yoon_gnn import YoonGNN

N = 8


@pytest.fixture(autouse=True, scope="module")
def short_epochs():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yoon_training, "BATCHES_PER_EPOCH", 10)
        patch.setattr(yoon_gnn, "BATCH_NEURON_S", 1.0)
        patch.setattr(binned_prediction, "N_HELD_OUT_BINS", 500)
        patch.setattr(yoon_gnn, "N_PROBES", 512)
        yield


def record(duration_s=20.0, *, seed=0, paired=False, epochs_s=None, **more):
    """Poisson neurons at 20 Hz; where `paired`, neurons 0 and 1 follow each other within 3 ms."""
    rng = np.random.default_rng(seed)
    n_spikes = rng.poisson(20 * duration_s, size=N)
    times = [rng.uniform(0, duration_s, n) for n in n_spikes]
    if paired:
        echoes = [t[t < duration_s - 3e-3] + rng.uniform(1e-3, 3e-3) for t in times[1::-1]]
        times[:2] = [np.concatenate(pair) for pair in zip(times[:2], echoes, strict=True)]
    units = np.repeat(np.arange(N), [len(t) for t in times])
    return Recording.from_arrays(
        np.round(np.concatenate(times), 4),
        units,
        n_neurons=N,
        epochs_s=np.array([[0.0, duration_s]]) if epochs_s is None else epochs_s,
        preferred_angle_rad=2 * np.pi * np.arange(N) / N,
        **more,
    )


@pytest.fixture(scope="module")
def recording():
    return record(8.0)


@pytest.fixture(scope="module")
def fitted(recording):
    return YoonGNN(n_epochs=1).fit(recording)


def test_a_fit_answers_with_a_circuit_and_its_history(recording, fitted):
    circuit = fitted.connectivity_
    assert circuit.n_neurons == N
    assert circuit.neuron_ids == recording.neuron_ids
    np.testing.assert_array_equal(circuit.weights, circuit.weights.T)
    np.testing.assert_array_equal(np.diag(circuit.weights), 0)
    assert [progress.step for progress in fitted.history_] == [1]


@pytest.mark.slow
def test_neurons_that_follow_each_other_excite_each_other(monkeypatch):
    """Positive means excites, though nothing in the loss says so."""
    monkeypatch.setattr(yoon_training, "BATCHES_PER_EPOCH", 200)
    X = record(40.0, paired=True)
    weights = YoonGNN(n_epochs=4).fit(X).connectivity_.weights
    strongest = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    assert set(strongest) == {0, 1}
    assert weights[1, 0] > 0


def test_the_sign_of_a_weight_is_what_a_spike_does_not_what_the_parameters_say(recording, fitted):
    """Negate both the graph and the messages: the same model, so the same circuit."""
    twin = YoonGNN.from_saved(fitted.model_arrays(), fitted.model_settings())
    twin._graph = -twin._graph
    with torch.no_grad():
        for parameter in twin._model.prediction.passing.second.parameters():
            parameter.neg_()
    np.testing.assert_allclose(twin.predict(recording), fitted.predict(recording), rtol=1e-5)
    training = fitted._bins(recording.between(0.0, 0.9), fitted.bin_s_)
    np.testing.assert_allclose(
        twin._weights_in_nats(twin._model, twin._graph, training),
        fitted.connectivity_.weights,
        rtol=1e-3,
    )


@pytest.mark.parametrize("form", [{}, {"whitened_embedding": False}])
def test_a_resumed_fit_equals_an_uninterrupted_one(recording, tmp_path, form):
    checkpoint = tmp_path / "fit.safetensors"
    settings = {"n_epochs": 3, "n_hidden": 1, "random_state": 3, **form}
    whole = YoonGNN(**settings).fit(recording)

    def interrupt(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        YoonGNN(**settings).fit(recording, checkpoint=checkpoint, on_progress=interrupt)
    resumed = YoonGNN(**settings).fit(recording, checkpoint=checkpoint)
    np.testing.assert_array_equal(resumed.connectivity_.weights, whole.connectivity_.weights)
    assert [p.loss for p in resumed.history_] == [p.loss for p in whole.history_]


def test_a_checkpoint_of_other_data_is_refused(recording, tmp_path):
    checkpoint = tmp_path / "fit.safetensors"
    YoonGNN(n_epochs=1).fit(recording, checkpoint=checkpoint)
    with pytest.raises(InputError, match="data"):
        YoonGNN(n_epochs=1).fit(record(seed=1), checkpoint=checkpoint)


def test_training_with_decaying_steps_stops_when_held_out_spikes_gain_no_more(monkeypatch):
    """Poisson noise cannot be predicted."""
    monkeypatch.setattr(yoon_training, "LEARNING_RATE", 0.05)
    history = YoonGNN.as_published(n_epochs=30, patience=2).fit(record(5.0)).history_
    assert len(history) < 30
    best = max(range(len(history)), key=lambda i: history[i].held_out_bits_per_spike)
    assert len(history) - 1 - best == 2


@pytest.mark.parametrize("settings", [{**AS_PUBLISHED, "n_epochs": 6}, {"n_epochs": 6}])
def test_without_patience_training_goes_to_its_end_and_keeps_the_last_epoch(monkeypatch, settings):
    """Wherever held-out spikes gained most: here in the third epoch."""
    bits = iter([0.1, 0.2, 0.5, 0.3, 0.2, 0.1])
    monkeypatch.setattr(yoon_training, "held_out_bits", lambda *_: next(bits))
    fit = YoonGNN(**{**settings, "patience": None}).training(record(5.0))
    while fit.advance() is not None:
        last = fit.graph()
    assert fit.best.epoch == fit.best.best_epoch == 6
    assert torch.equal(fit.finish(), last)


def test_a_steady_descent_goes_on_to_the_end_of_its_steps():
    """They fall to zero by the last epoch, wherever held-out spikes gained most."""
    history = YoonGNN(n_epochs=14).fit(record(5.0)).history_
    assert len(history) == 14
    assert yoon_training.falling(14.0, 14) == pytest.approx(0.0, abs=1e-12)


def test_an_integral_over_a_sample_of_bins_is_right_on_average(recording):
    whole, sampled = (
        YoonGNN(sampled_bins=every, consecutive_bins=8).training(recording) for every in (1, 4)
    )
    starts = whole.stretches[:5]
    for fit in (whole, sampled):
        fit.model.eval()
    with torch.no_grad():
        mean = sum(sampled._loss(starts, n_done)[1] for n_done in range(4)) / 4
        torch.testing.assert_close(mean, whole._loss(starts, 0)[1])


def test_structure_learning_rests_while_the_predictor_begins(recording):
    fit = YoonGNN(n_epochs=3).training(recording)
    before = fit.graph()
    fit.advance()
    assert torch.equal(fit.graph(), before)
    fit.advance()
    assert not torch.equal(fit.graph(), before)


def test_kernels_that_prediction_shares_do_not_rest_with_the_structure(recording):
    """The predictor could not learn to predict while they do."""
    fit = YoonGNN(n_epochs=3, whitened_embedding=False).training(recording)
    structure = fit.model.structure
    shared = {*structure.embedding.convolution.parameters()}
    own = [p for p in structure.parameters() if p not in shared]
    before = [[p.detach().clone() for p in part] for part in (own, shared)]
    fit.advance()
    for part, was, moved in zip((own, shared), before, (False, True), strict=True):
        for parameter, old in zip(part, was, strict=True):
            assert torch.equal(parameter, old) is not moved


def test_the_size_of_the_model_does_not_depend_on_the_recording(fitted):
    longer = YoonGNN(n_epochs=1).fit(record(16.0))
    sizes = [{k: v.shape for k, v in e.model_arrays().items()} for e in (fitted, longer)]
    assert sizes[0] == sizes[1]


def test_a_saved_model_predicts_as_before(recording, fitted):
    settings = json.loads(json.dumps(fitted.model_settings()))
    again = YoonGNN.from_saved(fitted.model_arrays(), settings)
    np.testing.assert_array_equal(again.predict(recording), fitted.predict(recording))
    np.testing.assert_array_equal(again.log_likelihood(recording), fitted.log_likelihood(recording))
    assert again.get_params() == fitted.get_params()
    np.testing.assert_array_equal(again.connectivity_.weights, fitted.connectivity_.weights)


def test_a_saved_model_of_the_published_form_keeps_its_form(recording):
    narrow = YoonGNN.as_published(n_epochs=1, message_width=1).fit(recording)
    again = YoonGNN.from_saved(narrow.model_arrays(), narrow.model_settings())
    np.testing.assert_array_equal(again.log_likelihood(recording), narrow.log_likelihood(recording))


def test_hidden_neurons_change_the_graph_but_not_who_is_reported(recording, fitted):
    fit = YoonGNN(n_epochs=1, n_hidden=2).fit(recording)
    assert fit.connectivity_.n_neurons == N
    assert fit.model_arrays()["graph"].shape == (N + 2, N + 2)
    assert not np.allclose(fit.connectivity_.weights, fitted.connectivity_.weights)
    assert np.isfinite(fit.score(recording))


def driven(angle_rad, is_angle=True):
    """A recording whose drive has these values, every 10 ms."""
    times_s = np.linspace(0, 20, len(angle_rad))
    theta = Covariate(times_s=times_s, values=angle_rad, is_angle=is_angle)
    return record(covariates={"drive": theta})


SWAYING = np.sin(np.arange(0, 20, 0.01))


@pytest.fixture(scope="module")
def turned():
    """A fit whose ring of senders an input turns by itself."""
    fit = YoonGNN(n_epochs=2, drive="drive").fit(driven(SWAYING))
    torch.nn.init.ones_(fit._model.prediction.passing.turning.gain)
    return fit


def test_an_external_drive_is_read_from_its_covariate(turned):
    assert not np.allclose(turned.predict(driven(SWAYING)), turned.predict(driven(0 * SWAYING)))


def test_angles_a_whole_turn_apart_are_the_same_drive(turned):
    torch.nn.init.constant_(turned._model.prediction.passing.turning.gain, 0.5)
    same = driven(SWAYING + np.where(SWAYING < 0, 2 * np.pi, 0))
    np.testing.assert_allclose(turned.predict(same), turned.predict(driven(SWAYING)), rtol=1e-3)


@pytest.mark.parametrize(
    ("values", "is_angle", "remedy"),
    [
        (np.where(np.arange(2000) == 7, np.nan, SWAYING), True, "1 values that are no numbers"),
        (SWAYING, False, "no angle"),
    ],
)
def test_a_drive_that_is_no_angle_or_not_known_is_refused(values, is_angle, remedy):
    with pytest.raises(InputError, match=remedy):
        YoonGNN(n_epochs=1, drive="drive").fit(driven(values, is_angle))


def test_what_a_spike_does_to_its_own_neuron_is_no_weight_of_a_turned_ring(turned):
    """Without messages a spike does nothing to others, however it acts on its own neuron."""
    bins = turned._bins(driven(SWAYING), turned.bin_s_)

    def weights():
        return turned._weights_in_nats(turned._model, turned._graph, bins)

    assert np.abs(weights()).max() > 1e-6
    passing = turned._model.prediction.passing
    before = passing.state_dict()
    nothing = {name: 0 * value if "second" in name else value for name, value in before.items()}
    passing.load_state_dict(nothing)
    np.testing.assert_allclose(weights(), 0, atol=1e-6)


def test_a_graph_that_was_trained_is_what_a_fit_answers_with(recording):
    for n_epochs in (1, 2):
        start = YoonGNN(n_epochs=n_epochs).training(recording).graph()
        fit = YoonGNN(n_epochs=n_epochs).fit(recording)
        assert not torch.equal(fit._graph, start)


def test_held_out_spikes_that_cannot_judge_an_epoch_are_refused():
    X = record(5.0)
    silent_end = X.spike_times_s < 4.4
    X = Recording.from_arrays(
        X.spike_times_s[silent_end], X.spike_neurons[silent_end], epochs_s=X.epochs_s
    )
    with pytest.raises(InputError, match="no neuron fires in the last"):
        YoonGNN(n_epochs=1).fit(X)


def test_rare_spikes_are_all_used_to_judge_an_epoch(monkeypatch, recording):
    held_out = YoonGNN().training(recording).held_out
    monkeypatch.setattr(binned_prediction, "N_HELD_OUT_BINS", 10)
    assert binned_prediction._n_judging(held_out) == len(held_out)
    monkeypatch.setattr(binned_prediction, "N_HELD_OUT_SPIKES", int(held_out.spikes.sum()) // 4)
    assert binned_prediction._n_judging(held_out) == pytest.approx(len(held_out) / 4, rel=0.05)


def test_stretches_longer_than_what_judges_an_epoch_are_judged(recording):
    fit = YoonGNN(n_epochs=2, consecutive_bins=600, batch_size=600).fit(recording)
    assert all(np.isfinite(p.held_out_bits_per_spike) for p in fit.history_)


def test_training_that_diverges_is_refused(monkeypatch, recording):
    monkeypatch.setattr(yoon_training, "FALLING_LEARNING_RATE", np.inf)
    with pytest.raises(InputError, match="training has diverged"):
        YoonGNN(n_epochs=2).fit(recording)


def test_a_neuron_that_was_silent_in_training_has_no_weights():
    X = record(10.0)
    kept = (X.spike_neurons != 3) | (X.spike_times_s > 9.0)
    X = Recording.from_arrays(X.spike_times_s[kept], X.spike_neurons[kept], epochs_s=X.epochs_s)
    weights = YoonGNN(n_epochs=2).fit(X).connectivity_.weights
    assert not weights[3].any()
    assert not weights[:, 3].any()
    assert weights[0, 1] != 0


def test_a_fit_that_is_interrupted_leaves_the_one_before(recording):
    fit = YoonGNN(n_epochs=1).fit(recording)
    before = fit.predict(recording)

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.fit(record(8.0, seed=1), on_progress=interrupt)
    np.testing.assert_array_equal(fit.predict(recording), before)


def test_an_interrupted_fit_to_coarser_bins_leaves_those_of_the_one_before(recording):
    fit = YoonGNN(n_epochs=1).fit(recording)
    before = fit.predict(recording)
    coarse = Recording.from_arrays(
        np.floor(recording.spike_times_s / 5e-3 + 1e-6) * 5e-3,
        recording.spike_neurons,
        epochs_s=recording.epochs_s,
        time_resolution_s=5e-3,
    )

    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit.fit(coarse, on_progress=interrupt)
    assert fit.bin_s_ == fit.get_params()["bin_s"]
    np.testing.assert_array_equal(fit.predict(recording), before)


@pytest.mark.parametrize("damage", ["graph", "null_rate_hz", "model.prediction.gru.weight_hh"])
def test_a_saved_model_with_something_missing_or_of_another_shape_is_refused(fitted, damage):
    arrays = fitted.model_arrays()
    if damage.startswith("model"):
        arrays[damage] = arrays[damage].T
    else:
        del arrays[damage]
    with pytest.raises(InputError, match="another version of spikeweft"):
        YoonGNN.from_saved(arrays, fitted.model_settings())


def test_numpy_numbers_are_settings_like_any_other(recording, tmp_path):
    checkpoint = tmp_path / "fit.safetensors"
    settings = {"n_epochs": np.int64(1), "random_state": np.int64(3)}
    fit = YoonGNN().set_params(**settings).fit(recording, checkpoint=checkpoint)
    again = YoonGNN(n_epochs=1, random_state=3).fit(recording, checkpoint=checkpoint)
    np.testing.assert_array_equal(again.connectivity_.weights, fit.connectivity_.weights)


def test_the_likelihood_is_that_of_the_predicted_rate(recording, fitted):
    """Σ log λ(t_spike) - ∫λ dt, from the expected counts in the model's own bins."""
    expected = fitted.predict(recording, bin_s=fitted.bin_s_)
    counts = recording.counts(fitted.bin_s_).counts
    scored = np.arange(len(counts)) >= round(fitted.history_window_s / fitted.bin_s_)
    by_hand = (counts * np.log(expected / fitted.bin_s_) - expected)[scored].sum(0)
    np.testing.assert_allclose(fitted.log_likelihood(recording), by_hand, rtol=1e-5)


def test_expected_spikes_do_not_depend_on_the_bins_they_are_asked_for(recording, fitted):
    totals = [fitted.predict(recording, bin_s=bin_s).sum(0) for bin_s in (0.4e-3, 1e-3, 7e-3, 0.5)]
    for total in totals[1:]:
        np.testing.assert_allclose(total, totals[0], rtol=1e-6)
    assert fitted.predict(recording, bin_s=7e-3).shape == recording.counts(7e-3).counts.shape


def test_a_model_of_constant_rates_gains_nothing(recording):
    fit = YoonGNN(n_epochs=1).fit(recording)
    with torch.no_grad():
        rate = fit._model.prediction.rate
        rate.weight.zero_()
        rate.bias.fill_(float(np.log(20 * fit.bin_s_)))
    scored = recording.restrict(scored_epochs(recording, fit.history_window_s))
    flat = bits_per_spike(
        scored.n_spikes * np.log(20) - 20 * scored.duration_s,
        scored.n_spikes,
        scored.duration_s,
        recording.rate_hz,
    )
    np.testing.assert_allclose(fit.evaluate(recording).per_neuron, flat.per_neuron, atol=1e-5)


def test_no_history_crosses_a_gap(fitted):
    """What came before a gap of two hours, or of one bin, says nothing about what comes after."""
    before, after = record(5.0, seed=1), record(5.0, seed=2)

    def joined(first, gap_s):
        start = 5.0 + gap_s
        return Recording.from_arrays(
            np.concatenate([first.spike_times_s, after.spike_times_s + start]),
            np.concatenate([first.spike_neurons, after.spike_neurons]),
            n_neurons=N,
            epochs_s=np.array([[0.0, 5.0], [start, start + 5.0]]),
        )

    alone = fitted.log_likelihood(after)
    for gap_s in (1e-3, 7200.0):
        for first in (before, record(5.0, seed=3)):
            both = fitted.log_likelihood(joined(first, gap_s))
            np.testing.assert_allclose(both - fitted.log_likelihood(first), alone, rtol=1e-4)


def test_epochs_shorter_than_the_history_are_not_scored(fitted):
    whole = record(5.0)
    short = np.array([[0.0, 2.0], [2.0, 2.02], [2.03, 2.045], [2.1, 5.0]])
    X = whole.restrict(short)
    scored = X.restrict(scored_epochs(X, fitted.history_window_s))
    assert fitted.evaluate(X).per_neuron.shape == (N,)
    kept = whole.restrict(short[[0, 3]])
    np.testing.assert_allclose(fitted.log_likelihood(X), fitted.log_likelihood(kept), rtol=1e-6)
    assert scored.n_spikes.sum() < X.n_spikes.sum()


def test_binned_recordings_are_fitted_in_their_own_bins():
    fine = record(20.0)
    X = Recording.from_arrays(
        np.floor(fine.spike_times_s / 5e-3 + 1e-6) * 5e-3,
        fine.spike_neurons,
        epochs_s=fine.epochs_s,
        time_resolution_s=5e-3,
    )
    assert np.isfinite(YoonGNN(n_epochs=1).fit(X).score(X))


def test_a_fit_takes_part_in_scikit_learn():
    settings = {"n_epochs": 2, "n_hidden": 1}
    assert clone(YoonGNN(**settings)).get_params() == YoonGNN(**settings).get_params()
    with pytest.raises(NotFittedError):
        YoonGNN().predict(record(5.0))


@pytest.mark.parametrize(
    "setting", [name for name in AS_PUBLISHED if name not in ("n_epochs", "batch_size")]
)
def test_every_departure_can_be_set_back_by_itself(recording, setting):
    fit = YoonGNN(n_epochs=1, **{setting: AS_PUBLISHED[setting]}).fit(recording)
    assert np.isfinite(fit.score(recording))


@pytest.mark.parametrize("tau_s", [0.005, 0.01, 0.02])
def test_the_published_window_is_two_time_constants(recording, tau_s):
    published = YoonGNN.as_published(tau_s=tau_s, n_epochs=1)
    assert published.history_window_s == pytest.approx(2 * tau_s)
    published.training(recording)
    assert YoonGNN.as_published(tau_s=tau_s, history_window_s=0.06).history_window_s == 0.06


def test_every_setting_in_which_the_forms_differ_has_a_reason():
    default, published = YoonGNN().get_params(), YoonGNN.as_published().get_params()
    assert set(DEPARTURES) == {name for name in default if default[name] != published[name]}
    for departure in DEPARTURES.values():
        assert departure.why.index(".") == len(departure.why) - 1, "one sentence"


def test_the_published_form_is_a_setting_like_any_other():
    published = YoonGNN.as_published(n_epochs=3, n_hidden=1, patience=None)
    assert clone(published).get_params() == published.get_params()
    assert published.get_params().items() >= {**AS_PUBLISHED, "n_epochs": 3, "n_hidden": 1}.items()


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        ({"tau_s": 0.0}, "not positive"),
        ({"history_window_s": 0.01}, "use a longer window"),
        ({"tau_s": float("nan")}, "not positive"),
        ({"history_window_s": float("nan")}, "use a longer window"),
        ({"n_epochs": 0}, "n_epochs is 0; give a whole number from 1 on"),
        ({"n_epochs": 2.5}, "n_epochs is 2.5"),
        ({"batch_size": 0}, "from 1 on"),
        ({"patience": 0}, "patience is 0; give a whole number from 1 on"),
        ({"batch_size": 8, "consecutive_bins": 16}, "fewer consecutive_bins"),
        ({"n_hidden": -1}, "from 0 on"),
        ({"bin_s": 0.0}, "use 0.001"),
        ({"consecutive_bins": 0}, "from 1 on"),
        ({"sampled_bins": 0}, "from 1 on"),
        ({"message_width": 0}, "from 1 on"),
        ({"n_units": 0}, "from 1 on"),
        ({"n_message_units": True}, "n_message_units is True"),
        ({"random_state": -1}, "from 0 on"),
        ({"random_state": None}, "random_state is None"),
        ({"drive": "head direction"}, "no covariate 'head direction'"),
        ({"history_window_s": 3.0}, "use a longer recording"),
        ({"tau_s": 1e-4, "history_window_s": 4e-4}, "time resolution"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_with_the_remedy(recording, settings, remedy):
    with pytest.raises(InputError, match=remedy):
        YoonGNN().set_params(**settings).fit(recording)


def test_hidden_neurons_need_places_on_the_ring():
    X = record(5.0)
    nowhere = Recording.from_arrays(X.spike_times_s, X.spike_neurons, epochs_s=X.epochs_s)
    for settings in ({"n_hidden": 1}, {"drive": "drive"}):
        with pytest.raises(InputError, match="preferred_angle_rad"):
            YoonGNN(**settings).fit(nowhere)


def test_one_neuron_is_no_circuit():
    with pytest.raises(InputError, match="two neurons"):
        YoonGNN().fit(record(5.0).select(np.array([0])))
