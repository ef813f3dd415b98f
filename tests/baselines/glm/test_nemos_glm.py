"""The estimator that leaves the Poisson GLM to NeMoS."""

import sys

import numpy as np
import pytest

from spikeweft.baselines.glm.nemos_glm import NemosGLM
from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.data.readers.pynapple_objects import to_pynapple
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

nemos = pytest.importorskip("nemos", reason="NeMoS is not installed: pip install nemos")

BIN_S = 0.005
N_LAGS = 20
STRENGTH = 1e-4
EPOCHS_S = np.array([[0.0, 30.0], [40.0, 70.0]])

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default", "ignore:Converting .d. to numpy"),  # of its libraries
]


@pytest.fixture(scope="module")
def recording():
    """Three neurons of 20 Hz in two epochs; the second fires more often after the first."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0.0, 70.0, 1400)) for _ in range(3)]
    trains[1] = np.sort(np.concatenate([trains[1], trains[0][::2] + 0.007]))
    return Recording.from_arrays(
        np.concatenate(trains),
        np.repeat(np.arange(3), [len(train) for train in trains]),
        n_neurons=3,
        epochs_s=np.array([[0.0, 70.1]]),
        time_resolution_s=1e-4,
    ).restrict(EPOCHS_S)


@pytest.fixture(scope="module")
def fitted(recording):
    return NemosGLM(bin_s=BIN_S, regularizer_strength=STRENGTH).fit(recording)


def test_it_is_the_model_that_nemos_fits_to_what_pynapple_counts(recording, fitted):
    """Epochs, bins and history by those libraries; only the recording comes from here."""
    import jax
    from nemos.basis import RaisedCosineLogConv
    from nemos.glm import PopulationGLM

    counts = to_pynapple(recording)[0].count(BIN_S)
    basis = RaisedCosineLogConv(fitted.n_basis, window_size=N_LAGS)
    with jax.enable_x64(True):
        features = basis.compute_features(counts).dropna()
        spikes = counts.restrict(features.time_support).get(features.t[0], features.t[-1])
        spikes = spikes[np.isin(spikes.t, features.t)]
        peer = PopulationGLM(
            regularizer="Ridge",
            regularizer_strength=STRENGTH,
            solver_name="LBFGS",
            solver_kwargs={"tol": 1e-8, "maxiter": 1000},
        ).fit(features, spikes)
        expected = np.asarray(peer.predict(np.asarray(features.d)))
        coefficients = np.asarray(basis.split_by_feature(peer.coef_, axis=0)["RaisedCosineLogConv"])
    kernels = np.asarray(basis.evaluate_on_grid(N_LAGS)[1])
    filters = np.einsum("lk,jki->ijl", kernels, coefficients)
    np.testing.assert_allclose(fitted.coupling_filters_, filters, atol=1e-3)
    likelihood = np.sum(spikes.d * np.log(expected / BIN_S) - expected, axis=0)
    np.testing.assert_allclose(fitted.log_likelihood(recording), likelihood, atol=0.05)


def test_it_agrees_with_our_own_solver(recording, fitted):
    ours = PoissonGLM(bin_s=BIN_S, ridge=0.1).fit(recording).connectivity_
    mask = ours.off_diagonal
    theirs = fitted.connectivity_
    assert np.corrcoef(ours.weights[mask], theirs.weights[mask])[0, 1] > 0.98
    assert np.unravel_index(theirs.weights.argmax(), theirs.weights.shape) == (1, 0)


def test_a_weight_is_the_sum_of_its_filter(fitted):
    mask = fitted.connectivity_.off_diagonal
    sums = fitted.coupling_filters_.sum(axis=2)
    np.testing.assert_allclose(fitted.connectivity_.weights[mask], sums[mask])


def test_lasso_leaves_out_what_spikes_do_not_ask_for(recording):
    model = NemosGLM(bin_s=BIN_S, regularizer="Lasso", regularizer_strength=3e-3).fit(recording)
    weights = model.connectivity_.weights
    assert weights[1, 0] > 0.1
    assert not weights[2].any()
    assert not weights[:, 2].any()


def test_a_neuron_that_never_fires_does_not_stop_the_others(recording, fitted):
    with_silent = Recording.from_arrays(
        recording.spike_times_s,
        recording.spike_neurons,
        n_neurons=4,
        epochs_s=EPOCHS_S,
        time_resolution_s=1e-4,
    )
    model = NemosGLM(bin_s=BIN_S, regularizer_strength=STRENGTH).fit(with_silent)
    weights = model.connectivity_.weights
    np.testing.assert_allclose(weights[:3, :3], fitted.connectivity_.weights, atol=1e-3)
    assert not weights[3].any()
    assert not weights[:, 3].any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"regularizer": "Rigde"}, "'Rigde'; choose one of Ridge, Lasso, UnRegularized"),
        ({"regularizer_strength": 0.0}, 'or regularizer="UnRegularized"'),
        ({"bin_s": 0.0}, "a bin of 0.0 s holds no spikes"),
        ({"history_window_s": np.inf}, "a history window of inf s"),
        ({"n_basis": 40}, "40 basis functions do not fit the 20 bins"),
        ({"n_basis": 1}, "choose between 2 and the number of bins"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(recording, settings, message):
    with pytest.raises(InputError, match=message):
        NemosGLM(**settings).fit(recording)


def test_without_nemos_it_says_how_to_get_it(recording, monkeypatch):
    monkeypatch.setitem(sys.modules, "nemos.basis", None)
    with pytest.raises(InputError, match=r"pip install 'spikeweft\[nemos\]'"):
        NemosGLM().fit(recording)
