import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from spikeweft.baselines.correlograms.cross_correlogram import CrossCorrelogram
from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.data.holdout import split
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.runtime.flat_arrays import same
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork
from spikeweft.synapse_model.estimator import SynapseModel


@cache
def fitted(seed=0, connection_probability=0.08, minutes=12):
    network = SparsePoissonNetwork(
        n_neurons=24,
        connection_probability=connection_probability,
        median_rate_hz=4.0,
        median_gain=0.8,
        wiring_seed=seed,
    )
    recording = network.simulate(60.0 * minutes, np.random.default_rng(seed))
    return SynapseModel().fit(recording), recording, network.connectivity


@pytest.mark.slow
def test_sparse_connections_are_found_in_spite_of_a_shared_state():
    model, recording, truth = fitted()
    pairs = truth.off_diagonal
    connected = truth.weights[pairs] != 0
    found = average_precision_score(connected, model.connectivity_.probability[pairs])
    peers = CrossCorrelogram(window_s=0.02).fit(recording).connectivity_.weights[pairs]
    assert found > average_precision_score(connected, np.abs(peers)) + 0.1
    sure = model.connectivity_.probability[pairs] > 0.95
    assert sure.sum() >= 15
    assert connected[sure].mean() >= 0.9


@pytest.mark.slow
def test_latencies_and_signs_are_those_of_the_synapses():
    model, _, truth = fitted()
    circuit = model.connectivity_
    sure = (circuit.probability > 0.95) & (truth.weights != 0)
    error_s = np.abs(circuit.latency_s - truth.latency_s)[sure]
    assert np.mean(error_s <= 0.001 + 1e-9) >= 0.9
    assert np.mean(np.sign(circuit.weights[sure]) == np.sign(truth.weights[sure])) >= 0.95
    assert np.all(np.isfinite(model.latency_sd_s_[sure]))


@pytest.mark.slow
def test_the_correlograms_of_sure_synapses_are_fitted_with_them_and_not_without():
    model, _, truth = fitted()
    circuit, shown = model.connectivity_, model.correlograms_
    sure = (circuit.probability > 0.95) & (truth.weights != 0)
    for post, pre in np.argwhere(sure).tolist():
        pair = shown.between(post, pre)
        assert pair is not None
        without, fitting = (
            np.sum((pair.observed - mean) ** 2 / mean) for mean in (pair.null, pair.connected)
        )
        assert fitting < without
        assert fitting / len(pair.lags_s) < 2


@pytest.mark.slow
def test_a_shared_state_alone_makes_no_connection():
    model, _, truth = fitted(seed=1, connection_probability=0.0)
    assert np.sum(model.connectivity_.probability[truth.off_diagonal] > 0.95) <= 1
    assert np.all(model.shared_state_gain_.sum(1) > 0.1)


@pytest.mark.parametrize(
    ("step_s", "sentence"), [(0.0, "does not suit latencies"), (0.5, "does not suit latencies")]
)
def test_a_step_that_resolves_no_latency_is_refused(step_s, sentence):
    recording = Recording.from_arrays(np.arange(100) * 0.01, np.arange(100) % 2)
    with pytest.raises(InputError, match=sentence):
        SynapseModel(step_s=step_s).fit(recording)


def test_steps_too_coarse_for_onsets_are_warned_about():
    rng = np.random.default_rng(0)
    times_s = np.sort(rng.integers(0, 6000, 1000)) * 0.01
    recording = Recording.from_arrays(times_s, rng.integers(0, 2, 1000))
    (warning,) = SynapseModel().fit(recording).warnings_
    assert "steps of 10 ms" in warning


def test_epochs_without_a_history_window_are_refused():
    times_s = np.arange(100) * 0.01
    epochs_s = np.column_stack([np.arange(20) * 0.05, np.arange(20) * 0.05 + 0.04])
    recording = Recording.from_arrays(times_s, np.arange(100) % 2, epochs_s=epochs_s)
    with pytest.raises(InputError, match="no epoch is longer"):
        SynapseModel().fit(recording)


@cache
def short():
    """Ten neurons, one of which is silent, for twenty seconds."""
    network = SparsePoissonNetwork(n_neurons=9, median_rate_hz=6.0, wiring_seed=2)
    recording = network.simulate(20.0, np.random.default_rng(2))
    return replace(recording, n_neurons=10, neuron_ids=())


@cache
def fitted_to_short():
    return SynapseModel().fit(short())


def test_the_type_of_a_neuron_that_is_known_is_not_inferred():
    known = {"3": "inhibitory", "4": "excitatory"}
    circuit = SynapseModel(cell_types=known).fit(short()).connectivity_
    np.testing.assert_array_equal(circuit.excitatory_probability[3:5], [0.0, 1.0])
    assert np.all(
        (circuit.excitatory_probability[:3] > 0) & (circuit.excitatory_probability[:3] < 1)
    )
    assert circuit.weights[:, 3].max() < 1e-6
    assert circuit.weights[:, 4].min() > -1e-6


@pytest.mark.parametrize(
    ("cell_types", "sentence"),
    [
        ({"99": "excitatory"}, "no neuron is called '99'"),
        ({"3": "pyramidal"}, "neuron '3' cannot be 'pyramidal'; call it"),
    ],
)
def test_a_cell_type_that_cannot_be_is_refused(cell_types, sentence):
    with pytest.raises(InputError, match=sentence):
        SynapseModel(cell_types=cell_types).fit(short())


@pytest.mark.slow
def test_connections_and_state_predict_spikes_that_were_not_fitted():
    _, recording, _ = fitted()
    training, test = split(recording, 0.1)
    model = SynapseModel().fit(training)
    score = model.evaluate(test)
    assert score.mean > PoissonGLM().fit(training).evaluate(test).mean
    assert np.all((model.state_share_ > 0) & (model.state_share_ < 1))


@pytest.mark.slow
def test_independent_poisson_neurons_cost_no_bits():
    rng = np.random.default_rng(0)
    times_s = np.round(rng.uniform(0.0, 300.0, 15_000), 4)
    recording = Recording.from_arrays(times_s, rng.integers(0, 10, 15_000))
    training, test = split(recording, 0.1)
    assert SynapseModel().fit(training).score(test) == pytest.approx(0.0, abs=0.01)


def test_a_silent_neuron_is_predicted_to_stay_silent():
    expected = fitted_to_short().predict(short())
    assert expected[:, 9].sum() < 1
    assert np.isnan(fitted_to_short().evaluate(short()).per_neuron[9])


def test_silent_neurons_change_nothing_for_the_others():
    alone = short().select(np.flatnonzero(short().n_spikes))
    among = Recording.from_arrays(
        alone.spike_times_s,
        alone.spike_neurons + 6,  # the first six are silent
        n_neurons=alone.n_neurons + 6,
        epochs_s=alone.epochs_s,
        time_resolution_s=alone.time_resolution_s,
    )
    fitted_alone, fitted_among = (SynapseModel().fit(one) for one in (alone, among))
    circuit, others = fitted_alone.connectivity_, fitted_among.connectivity_
    for name in ("weights", "probability"):
        all_pairs = getattr(others, name)
        np.testing.assert_allclose(all_pairs[6:, 6:], getattr(circuit, name), rtol=1e-6)
    unseen = others.probability[:6][others.off_diagonal[:6]]
    assert 0 < unseen.min() <= unseen.max() < 0.5
    assert np.isinf(others.standard_error[:6]).all()


def test_a_saved_model_predicts_as_before():
    fit = fitted_to_short()
    again = SynapseModel.from_saved(
        fit.model_arrays(), json.loads(json.dumps(fit.model_settings()))
    )
    np.testing.assert_array_equal(again.log_likelihood(short()), fit.log_likelihood(short()))
    np.testing.assert_array_equal(again.connectivity_.probability, fit.connectivity_.probability)
    np.testing.assert_array_equal(again.state_share_, fit.state_share_)
    assert same(again.correlograms_, fit.correlograms_)


def test_a_model_of_another_version_is_refused():
    fit = fitted_to_short()
    with pytest.raises(InputError, match="another version"):
        SynapseModel.from_saved({}, fit.model_settings())


def test_an_interrupted_fit_goes_on_to_the_same_result(tmp_path):
    def stop(progress):
        if progress.step == 1:
            raise KeyboardInterrupt

    checkpoint = tmp_path / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        SynapseModel().fit(short(), checkpoint=checkpoint, on_progress=stop)
    resumed = SynapseModel().fit(short(), checkpoint=checkpoint)
    whole = fitted_to_short().model_arrays()
    for name, values in resumed.model_arrays().items():
        np.testing.assert_array_equal(values, whole[name], err_msg=name)
    assert [p.stage for p in resumed.history_] == [p.stage for p in fitted_to_short().history_]


@pytest.mark.parametrize("window_s", [-0.01, float("nan"), float("inf")])
def test_a_history_window_that_is_no_length_of_time_is_refused(window_s):
    recording = Recording.from_arrays(np.arange(20.0), np.arange(20) % 2)
    with pytest.raises(InputError, match=r"a history window of .* is not a length of time"):
        SynapseModel(history_window_s=window_s).check_recording(recording)
