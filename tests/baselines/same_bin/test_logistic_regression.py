import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from spikeweft.baselines.same_bin.logistic_regression import INVERSE_PENALTIES, LogisticRegressionL1
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

BIN_S = 0.01
LOG_ODDS = 1.2


def as_recording(fired):
    bins, neurons = np.nonzero(fired)
    return Recording.from_arrays(
        (bins + 0.5) * BIN_S,
        neurons,
        n_neurons=fired.shape[1],
        epochs_s=np.array([[0.0, len(fired) * BIN_S]]),
    )


@pytest.fixture(scope="module")
def fired():
    """Six neurons; neuron 0 excites neuron 1, and the others fire by themselves."""
    rng = np.random.default_rng(0)
    fired = rng.random((20_000, 6)) < 0.2
    fired[:, 1] = rng.random(len(fired)) < expit(-1.5 + LOG_ODDS * fired[:, 0])
    return fired


def test_a_weight_is_the_change_in_log_odds(fired):
    """Of a pair, both weights are the log odds ratio, which does not know who was first."""
    weights = LogisticRegressionL1(C=100.0).fit(as_recording(fired)).connectivity_.weights
    assert weights[1, 0] == pytest.approx(LOG_ODDS, abs=0.1)
    assert weights[0, 1] == pytest.approx(LOG_ODDS, abs=0.1)


def test_another_solver_finds_the_same_weights(fired):
    """saga, which does not penalise the constant at all."""
    model = LogisticRegressionL1(C=0.01).fit(as_recording(fired))
    peer = LogisticRegression(solver="saga", C=0.01, l1_ratio=1.0, tol=1e-5, max_iter=500)
    peer.fit(fired[:, [0, 2, 3, 4, 5]].astype(float), fired[:, 1])
    ours = model.connectivity_.weights[1, [0, 2, 3, 4, 5]]
    np.testing.assert_allclose(ours, peer.coef_[0], atol=5e-3)


def test_a_strong_penalty_leaves_only_the_synapse(fired):
    weights = LogisticRegressionL1(C=0.005).fit(as_recording(fired)).connectivity_.weights
    assert set(zip(*np.nonzero(weights), strict=True)) == {(0, 1), (1, 0)}


def test_held_out_bins_choose_the_penalty(fired):
    model = LogisticRegressionL1().fit(as_recording(fired))
    assert model.C_ in INVERSE_PENALTIES
    assert 0 < model.n_iter_.min() <= model.n_iter_.max() < 200
    coins = np.random.default_rng(1).random((400, 30)) < 0.3
    assert LogisticRegressionL1().fit(as_recording(coins)).C_ < 1.0


def test_a_neuron_that_fires_in_every_bin_has_no_weights(fired):
    always = fired.copy()
    always[:, 2] = True
    weights = LogisticRegressionL1(C=0.1).fit(as_recording(always)).connectivity_.weights
    np.testing.assert_array_equal(weights[2], 0)


def test_a_few_bins_are_enough_for_an_answer(fired):
    few = as_recording(fired[:8])
    assert np.all(np.isfinite(LogisticRegressionL1().fit(few).connectivity_.weights))


@pytest.mark.parametrize("C", [0.0, -1.0, float("nan"), float("inf")])
def test_a_penalty_that_is_none_is_refused(fired, C):
    with pytest.raises(InputError, match="which is no penalty"):
        LogisticRegressionL1(C=C).fit(as_recording(fired))
