from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import chi2
from sklearn.linear_model import PoissonRegressor

from spikeweft.baselines.glm import poisson_regression as glm
from spikeweft.baselines.glm.shared_filter_glm import SharedFilterGLM
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import ring_profile

BIN_S = 0.001
N_LAGS = 20
N_NEURONS = 6
SETTINGS = {"ridge": 1e-3}
TAPS = np.exp(-np.arange(N_LAGS) / 8.0) * (np.arange(N_LAGS) >= 2)


def simulate_glm(weights, taps, baseline_hz, n_bins, rng):
    """Spikes of neurons that hear each other through one filter, one bin after the other."""
    counts = np.zeros((n_bins + N_LAGS, len(weights)), dtype=np.int64)
    for t in range(N_LAGS, len(counts)):
        heard = taps @ counts[t - N_LAGS : t][::-1]
        counts[t] = rng.poisson(baseline_hz * BIN_S * np.exp(weights @ heard))
    return counts[N_LAGS:]


def as_recording(counts, **more):
    bins, neurons = np.nonzero(counts)
    repeats = counts[bins, neurons]
    return Recording.from_arrays(
        np.repeat((bins + 0.5) * BIN_S, repeats),
        np.repeat(neurons, repeats),
        n_neurons=counts.shape[1],
        epochs_s=np.array([[0.0, len(counts) * BIN_S]]),
        time_resolution_s=BIN_S,
        **more,
    )


def ring_weights():
    """Every neuron excites the next, inhibits the one after, and itself."""
    eye = np.eye(N_NEURONS)
    return 0.4 * np.roll(eye, 1, axis=0) - 0.3 * np.roll(eye, 2, axis=0) - 0.8 * eye


@pytest.fixture(scope="module")
def counts():
    rng = np.random.default_rng(0)
    return simulate_glm(ring_weights(), TAPS, np.full(N_NEURONS, 40.0), 120_000, rng)


@pytest.fixture(scope="module")
def fitted(counts):
    return SharedFilterGLM(**SETTINGS).fit(as_recording(counts))


def past_of(series):
    """Each of the lags before every bin whose past is known, the latest first."""
    return np.stack(
        [series[N_LAGS - lag : len(series) - lag] for lag in range(1, N_LAGS + 1)], axis=-1
    )


def test_the_true_model_is_recovered_within_its_statistical_error(counts, fitted):
    """Twice the likelihood gained over the truth is χ² with a degree per parameter (Wilks)."""
    heard = past_of(counts) @ TAPS
    log_rate = np.log(40.0) + heard @ ring_weights().T
    true = np.sum(counts[N_LAGS:] * log_rate - BIN_S * np.exp(log_rate))
    gained = 2 * (fitted.log_likelihood(as_recording(counts)).sum() - true)
    n_parameters = N_NEURONS * (N_NEURONS + 1) + N_LAGS - 1
    assert 0 < gained < chi2(n_parameters).isf(1e-3)


def test_the_filter_is_seen_at_its_shape(fitted):
    found = fitted.coupling_filter_ / fitted.coupling_filter_.sum()
    assert np.corrcoef(found, TAPS)[0, 1] > 0.95


def test_a_weight_is_the_area_of_its_coupling_filter(fitted):
    """In units of log rate times bins: the weight in the simulation times the filter's sum."""
    profile = ring_profile(fitted.connectivity_.weights)
    true = ring_profile(ring_weights()) * TAPS.sum()
    np.testing.assert_allclose(profile, true, atol=0.15 * np.abs(true).max())
    np.testing.assert_array_equal(np.diag(fitted.connectivity_.weights), 0)


def test_for_its_filter_scikit_learn_finds_the_same_weights(counts, fitted):
    heard = past_of(counts) @ fitted.coupling_filter_
    spikes = counts[N_LAGS:, 2]
    peer = PoissonRegressor(
        alpha=SETTINGS["ridge"] / len(spikes), solver="newton-cholesky", tol=1e-8, max_iter=100
    ).fit(heard, spikes)
    others = np.arange(N_NEURONS) != 2
    ours = fitted.connectivity_.weights[2, others] / fitted.coupling_filter_.sum()
    np.testing.assert_allclose(ours, peer.coef_[others], atol=5e-3)


def test_for_its_weights_scikit_learn_finds_the_same_filter(counts, fitted):
    """All neurons at once, each with a constant of its own and hardly any prior."""
    weights = fitted._coefficients[:, :-1].numpy()
    past = past_of(counts @ weights.T)
    own_constant = np.broadcast_to(np.eye(N_NEURONS), (len(past), N_NEURONS, N_NEURONS))
    design = np.concatenate([past, own_constant], axis=2).reshape(-1, N_LAGS + N_NEURONS)
    peer = PoissonRegressor(alpha=1e-9, solver="newton-cholesky", tol=1e-8, max_iter=100)
    peer.fit(design, counts[N_LAGS:].ravel())
    peak = np.abs(fitted.coupling_filter_).max()
    np.testing.assert_allclose(fitted.coupling_filter_, peer.coef_[:N_LAGS], atol=0.03 * peak)


def test_where_the_fit_starts_does_not_matter(counts, fitted):
    """Along a ring, whose neurons are numbered in another order, one neuron's weights start all."""
    angle = np.random.default_rng(3).permutation(2 * np.pi * np.arange(N_NEURONS) / N_NEURONS)
    warm = SharedFilterGLM(**SETTINGS).fit(as_recording(counts, preferred_angle_rad=angle))
    recording = as_recording(counts)
    np.testing.assert_allclose(
        warm.log_likelihood(recording), fitted.log_likelihood(recording), atol=0.1
    )


def test_a_silent_neuron_on_the_ring_stays_unconnected(counts):
    angle = 2 * np.pi * np.arange(N_NEURONS + 1) / (N_NEURONS + 1)
    recording = replace(as_recording(counts[:20_000]), n_neurons=N_NEURONS + 1, neuron_ids=())
    fit = SharedFilterGLM().fit(replace(recording, preferred_angle_rad=angle))
    np.testing.assert_array_equal(fit.connectivity_.weights[-1], 0)
    np.testing.assert_array_equal(fit.connectivity_.weights[:, -1], 0)


def test_weights_and_filter_come_to_rest(fitted):
    assert fitted.converged_.all()
    assert fitted.n_rounds_ < 10


def test_working_in_less_memory_changes_nothing(counts, fitted, monkeypatch):
    monkeypatch.setattr(glm, "CHUNK", 5000)
    monkeypatch.setattr("spikeweft.baselines.glm.shared_filter_glm._STRETCH", 100)
    frugal = SharedFilterGLM(**SETTINGS).fit(as_recording(counts))
    np.testing.assert_allclose(frugal.coupling_filter_, fitted.coupling_filter_, atol=1e-3)


def test_few_cosines_make_a_smooth_filter(counts):
    few, many = (
        SharedFilterGLM(n_basis=n).fit(as_recording(counts[:20_000])).coupling_filter_
        for n in (3, 32)
    )
    assert np.abs(np.diff(few, 2)).max() < 0.5 * np.abs(np.diff(many, 2)).max()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bin_s": 0.0}, "a bin of 0.0 s"),
        ({"history_window_s": float("inf")}, "a history window of inf s"),
        ({"history_window_s": 0.0005}, "shorter than a bin of 0.001 s"),
        ({"ridge": 0.0}, "a ridge of 0.0 is no prior"),
        ({"ridge": float("nan")}, "a ridge of nan"),
        ({"n_basis": 0}, "0 raised cosines"),
    ],
)
def test_settings_without_meaning_are_refused(counts, settings, message):
    with pytest.raises(InputError, match=message):
        SharedFilterGLM(**settings).fit(as_recording(counts[:2000]))
