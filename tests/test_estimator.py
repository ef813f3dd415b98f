"""The contract that every estimator keeps."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from spikeweft.baselines.correlograms.cross_correlogram import CrossCorrelogram
from spikeweft.baselines.correlograms.glmcc import GLMCC
from spikeweft.baselines.correlograms.hollow_correlogram import HollowCorrelogram
from spikeweft.baselines.correlograms.jitter_correlogram import JitterCorrelogram
from spikeweft.baselines.correlograms.tspe import TSPE
from spikeweft.baselines.factorisation.seqnmf import SeqNMF
from spikeweft.baselines.factorisation.tca import TCA
from spikeweft.baselines.glm.nemos_glm import NemosGLM
from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.baselines.glm.shared_filter_glm import SharedFilterGLM
from spikeweft.baselines.same_bin.inverse_covariance import InverseCovariance
from spikeweft.baselines.same_bin.ising import Ising
from spikeweft.baselines.same_bin.logistic_regression import LogisticRegressionL1
from spikeweft.baselines.same_bin.same_bin_glm import SameBinGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.estimator import SpikePredictor
from spikeweft.graph_networks import binned_prediction, nri, yoon_gnn, yoon_training
from spikeweft.graph_networks.nri import NRI
from spikeweft.graph_networks.yoon_gnn import YoonGNN
from spikeweft.simulation.networks import Network, simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.synapse_model.estimator import SynapseModel

ESTIMATORS = [
    PoissonGLM(bin_s=0.005),
    SharedFilterGLM(),
    LogisticRegressionL1(),
    InverseCovariance(),
    CrossCorrelogram(),
    CircuitGNN(tau_s=0.01),
    YoonGNN(n_epochs=4, batch_size=1024),
    SameBinGLM(),
    Ising(),
    TCA(),
    SeqNMF(),
    NRI(n_epochs=4, batch_size=512),
    NemosGLM(bin_s=0.005),
    SynapseModel(),
    HollowCorrelogram(),
    JitterCorrelogram(),
    GLMCC(),
    TSPE(),
]

GIVES_NO_SIGN = {
    TCA: "how strongly two neurons share components, which are never negative",
    SeqNMF: "how strongly two neurons take part in the same sequences, which are never negative",
}
"""Estimators whose weights do not tell excitation from inhibition, and what they are instead.

They are held to that: a test checks that none of their weights is negative.
"""

GIVES_NO_DIRECTION = {
    TCA: "the order of spikes does not enter the read-out",
    YoonGNN: "the graph is symmetric, as published",
    Ising: "spikes of the same bin have no order",
    LogisticRegressionL1: "spikes of the same bin have no order",
    InverseCovariance: "spikes of the same bin have no order",
    SameBinGLM: "spikes of the same bin have no order",
}
"""Estimators whose weights do not tell who drives whom, and why. A test holds them to that too."""

NOT_IN_THIS_LITTLE_TRAINING = {
    YoonGNN: "does not learn a direction in the few gradient steps that it gets here"
}
"""Estimators that tell who drives whom, but not yet after the short training of these tests."""

NOT_WITHOUT_A_DELAY = {
    TSPE: "reads edges from lag 0 on, so a synapse without a delay shows in both directions"
}
"""Estimators that tell who drives whom where synapses have delays; those of these tests do not."""

IN_THE_QUICK_TIER = (CircuitGNN, PoissonGLM, YoonGNN, CrossCorrelogram)
"""The contract of the others is checked in the slow tier."""


def marks_of(kind, expected_to_fail):
    marks = [] if kind in IN_THE_QUICK_TIER else [pytest.mark.slow]
    if kind in expected_to_fail:
        marks.append(pytest.mark.xfail(reason=expected_to_fail[kind]))
    return marks


def those(condition, expected_to_fail=()):
    """Indices of the estimators whose class meets a condition, as parameters of a test."""
    return [
        pytest.param(index, marks=marks_of(kind, expected_to_fail), id=kind.__name__)
        for index, kind in enumerate(map(type, ESTIMATORS))
        if condition(kind)
    ]


EVERYONE = those(lambda kind: True)
PREDICTORS = those(lambda kind: issubclass(kind, SpikePredictor))
SIGNING = those(lambda kind: kind not in GIVES_NO_SIGN)
NOT_SIGNING = those(lambda kind: kind in GIVES_NO_SIGN)
DIRECTING = those(
    lambda kind: kind not in GIVES_NO_DIRECTION,
    {**NOT_IN_THIS_LITTLE_TRAINING, **NOT_WITHOUT_A_DELAY},
)
NOT_DIRECTING = those(lambda kind: kind in GIVES_NO_DIRECTION)
SEEDED = [index for index, one in enumerate(ESTIMATORS) if "random_state" in one.get_params()]


@pytest.fixture(autouse=True, scope="module")
def short_training():
    """Networks for so few neurons need few steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", 25)
        patch.setattr(network_fit, "IMITATION_STEPS", 25)
        patch.setattr(yoon_training, "BATCHES_PER_EPOCH", 40)
        patch.setattr(yoon_training, "FALLING_LEARNING_RATE", 5e-3)
        patch.setattr(binned_prediction, "N_HELD_OUT_BINS", 500)
        patch.setattr(yoon_gnn, "N_PROBES", 512)
        patch.setattr(nri, "BATCHES_PER_EPOCH", 80)
        patch.setattr(nri, "N_ENCODED_PAIRS", 4_000)
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit(Network):
    """A network wired by hand."""

    synapse: dict[tuple[int, int], float]

    @property
    def connectivity(self):
        weights = np.zeros((self.n_neurons, self.n_neurons))
        for (post, pre), weight in self.synapse.items():
            weights[post, pre] = weight
        return Connectivity(weights=weights)


@cache
def record(n_neurons, duration_s, seed=0, **synapse):
    """LNP neurons at 32 Hz when alone; `to1from0=2e-4` is a synapse on neuron 1 from neuron 0."""
    wiring = {}
    for name, weight in synapse.items():
        post, pre = name.removeprefix("to").split("from")
        wiring[int(post), int(pre)] = weight
    network = Circuit(
        neuron=LNPNeuron(threshold=9e-4),
        n_neurons=n_neurons,
        recurrent_strength=1.0,
        synapse=wiring,
    )
    return simulate(network, duration_s, np.random.default_rng(seed))


def four_neurons():
    return record(4, 40.0, to1from0=1e-4, to2from1=-5e-5, to3from2=1e-4)


def excited():
    return record(2, 60.0, to1from0=2e-4)


def inhibited():
    return record(2, 60.0, to1from0=-1e-4)


@cache
def _fitted(index, recording):
    return clone(ESTIMATORS[index]).fit(recording())


@cache
def _fitted_again(index):
    """A second estimator, and what its `fit` to four neurons returned."""
    estimator = clone(ESTIMATORS[index])
    return estimator, estimator.fit(four_neurons())


@pytest.fixture(params=EVERYONE)
def index(request):
    return request.param


@pytest.fixture(params=PREDICTORS)
def predictor(request):
    """Index of an estimator that predicts spikes."""
    return request.param


@pytest.fixture
def estimator(index):
    return clone(ESTIMATORS[index])


@pytest.fixture
def fitted(index):
    """The estimator, fitted to four neurons; tests leave it as it is."""
    return _fitted(index, four_neurons)


@pytest.fixture
def fitted_predictor(predictor):
    return _fitted(predictor, four_neurons)


def test_a_clone_has_the_same_settings(estimator):
    assert clone(estimator).get_params() == estimator.get_params()


def test_settings_can_be_changed_by_name(predictor):
    estimator = clone(ESTIMATORS[predictor]).set_params(history_window_s=0.05)
    assert estimator.get_params()["history_window_s"] == 0.05


@pytest.mark.parametrize("seeded", SEEDED)
@pytest.mark.parametrize("seed", [-1, 1.5, 2**64])
def test_a_seed_that_is_no_whole_number_is_refused(seeded, seed):
    estimator = clone(ESTIMATORS[seeded]).set_params(random_state=seed)
    with pytest.raises(InputError, match="give a whole number from 0 on"):
        estimator.fit(four_neurons())


def test_fit_returns_the_estimator_and_leaves_its_settings(index):
    estimator, returned = _fitted_again(index)
    assert returned is estimator
    assert estimator.get_params() == ESTIMATORS[index].get_params()


def test_the_answer_is_a_circuit_of_the_recorded_neurons(fitted):
    recording = four_neurons()
    assert fitted.connectivity_.weights.shape == (4, 4)
    assert fitted.connectivity_.neuron_ids == recording.neuron_ids
    assert np.all(np.diag(fitted.connectivity_.weights) == 0)


def test_the_null_is_the_rate_of_each_neuron(fitted_predictor):
    null = fitted_predictor.null_rate_hz_
    np.testing.assert_allclose(null, four_neurons().rate_hz, rtol=0.05)


def test_the_score_is_the_mean_over_neurons_of_bits_per_spike(fitted_predictor):
    score = fitted_predictor.score(four_neurons())
    assert np.isfinite(score)
    assert score == fitted_predictor.evaluate(four_neurons()).mean
    assert fitted_predictor.log_likelihood(four_neurons()).shape == (4,)


@pytest.mark.parametrize("bin_s", [0.01, 0.025])
def test_as_many_spikes_are_predicted_as_there_are(fitted_predictor, bin_s):
    recording = four_neurons()
    expected = fitted_predictor.predict(recording, bin_s)
    assert expected.shape == recording.counts(bin_s).counts.shape
    assert np.all(expected >= 0)
    # The published network is symmetric, has no rate of its own for each neuron, and is trained
    # little here.
    rtol = 0.4 if isinstance(fitted_predictor, YoonGNN) else 0.1
    np.testing.assert_allclose(expected.sum(axis=0), recording.n_spikes, rtol=rtol)


@pytest.mark.parametrize("index", SIGNING)
def test_an_excitatory_synapse_has_a_positive_weight(index):
    circuit = _fitted(index, excited).connectivity_
    assert circuit.weights[1, 0] > 0


@pytest.mark.parametrize("index", SIGNING)
def test_an_inhibitory_synapse_has_a_negative_weight(index):
    circuit = _fitted(index, inhibited).connectivity_
    assert circuit.weights[1, 0] < 0


@pytest.mark.parametrize("index", NOT_SIGNING)
def test_weights_that_are_said_to_have_no_sign_have_none(index):
    for recording in (excited, inhibited):
        weights = _fitted(index, recording).connectivity_.weights
        assert np.all(weights >= 0)
        assert np.any(weights > 0)


def one_sidedness(index):
    """Where only neuron 0 drives neuron 1: 1 if the circuit says so, 0 if it cannot tell."""
    weights = _fitted(index, excited).connectivity_.weights
    back_and_forth = np.abs([weights[0, 1], weights[1, 0]])
    return np.diff(back_and_forth)[0] / back_and_forth.sum()


@pytest.mark.parametrize("index", DIRECTING)
def test_a_synapse_runs_from_pre_to_post(index):
    assert one_sidedness(index) > 0.3


@pytest.mark.parametrize("index", NOT_DIRECTING)
def test_weights_that_are_said_to_have_no_direction_have_none(index):
    assert abs(one_sidedness(index)) < 0.1


def test_relabelling_the_neurons_relabels_the_answer(estimator, fitted):
    order = np.array([2, 0, 3, 1])
    relabelled = estimator.fit(four_neurons().select(order)).connectivity_
    expected = fitted.connectivity_.select(order)
    assert relabelled.neuron_ids == expected.neuron_ids
    mask = expected.off_diagonal
    # The published network sums its messages in the order of the neurons, and stops early on so few
    # spikes that rounding decides where.
    least = 0.8 if isinstance(estimator, YoonGNN) else 0.95
    assert np.corrcoef(relabelled.weights[mask], expected.weights[mask])[0, 1] > least


def test_the_same_data_and_seed_give_the_same_answer(index, fitted):
    _, again = _fitted_again(index)
    np.testing.assert_array_equal(again.connectivity_.weights, fitted.connectivity_.weights)


def test_a_silent_neuron_is_connected_to_no_one(estimator):
    recording = replace(four_neurons(), n_neurons=5, neuron_ids=())
    estimator.fit(recording)
    weights = estimator.connectivity_.weights
    np.testing.assert_array_equal(weights[4], 0)
    np.testing.assert_array_equal(weights[:, 4], 0)
    if isinstance(estimator, SpikePredictor):
        assert estimator.null_rate_hz_[4] == 0
        assert np.isfinite(estimator.score(recording))
        assert np.isnan(estimator.evaluate(recording).per_neuron[4])
        assert np.all(np.isfinite(estimator.log_likelihood(recording)))


def with_gap(gap_s):
    """Twice twenty seconds of a recording, `gap_s` apart."""
    whole = four_neurons()
    shift = np.where(whole.spike_times_s >= 20.0, gap_s, 0.0)
    return Recording.from_arrays(
        whole.spike_times_s + shift,
        whole.spike_neurons,
        n_neurons=4,
        epochs_s=np.array([[0.0, 20.0], [20.0 + gap_s, 40.0 + gap_s]]),
        time_resolution_s=whole.time_resolution_s,
    )


def test_what_lies_in_a_gap_does_not_matter(index):
    """History that crossed the gap would reach the second epoch only where the gap is short."""
    short, long = (clone(ESTIMATORS[index]).fit(with_gap(gap_s)) for gap_s in (0.01, 100.0))
    np.testing.assert_allclose(
        short.connectivity_.weights, long.connectivity_.weights, rtol=1e-3, atol=1e-6
    )
    if isinstance(short, SpikePredictor):
        scores = short.score(with_gap(0.01)), long.score(with_gap(100.0))
        np.testing.assert_allclose(*scores, rtol=1e-3)


def test_no_result_is_given_before_fit(predictor):
    estimator = clone(ESTIMATORS[predictor])
    with pytest.raises(NotFittedError, match="call fit first"):
        estimator.score(four_neurons())
    with pytest.raises(NotFittedError, match="call fit first"):
        estimator.predict(four_neurons())


def test_a_recording_of_other_neurons_is_refused(fitted_predictor):
    others = record(2, 60.0, to1from0=2e-4)
    fitted = fitted_predictor
    for use in (fitted.score, fitted.predict, fitted.log_likelihood):
        with pytest.raises(InputError, match="2 neurons but the model was fitted on 4"):
            use(others)


def test_one_neuron_is_no_circuit(estimator):
    with pytest.raises(InputError, match="at least two neurons"):
        estimator.fit(four_neurons().select(np.array([0])))


def test_one_neuron_that_fires_is_no_circuit(estimator):
    recording = four_neurons()
    first = recording.spike_neurons == 0
    alone = replace(
        recording,
        spike_times_s=recording.spike_times_s[first],
        spike_neurons=recording.spike_neurons[first],
    )
    with pytest.raises(InputError, match="1 of 4 neurons fired"):
        estimator.fit(alone)


def test_a_recording_shorter_than_its_history_is_refused(estimator):
    reach_s = getattr(estimator, "history_window_s", 0.01)
    moment = four_neurons().restrict(np.array([[0.0, 0.5 * reach_s]]))
    with pytest.raises(InputError, match="longer"):
        estimator.fit(moment)
