from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import chi2
from sklearn.linear_model import PoissonRegressor

from spikeweft.baselines.glm import batched_lbfgs
from spikeweft.baselines.glm import poisson_regression as glm
from spikeweft.baselines.glm.batched_lbfgs import minimise_each
from spikeweft.baselines.glm.poisson_glm import RIDGES, PoissonGLM
from spikeweft.baselines.glm.spike_history import raised_cosine_basis
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError

BIN_S = 0.005
N_LAGS = 20


def simulate_glm(filters, baseline_hz, n_bins, rng, drive=None):
    """Spikes of a Poisson GLM with filters (post, pre, lag), one 5 ms bin after the other."""
    n_lags = filters.shape[2]
    log_rate = np.log(np.asarray(baseline_hz) * BIN_S)
    drive = np.zeros((n_bins, len(filters))) if drive is None else drive
    counts = np.zeros((n_bins + n_lags, len(filters)), dtype=int)
    for t in range(n_lags, n_bins + n_lags):
        past = counts[t - n_lags : t][::-1]
        coupling = np.einsum("ijl,lj->i", filters, past)
        counts[t] = rng.poisson(np.exp(log_rate + coupling + drive[t - n_lags]))
    return counts[n_lags:]


def as_recording(counts, **more):
    """A recording with the spikes of these counts at the middle of 5 ms bins."""
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


def filters_of(n_neurons, synapses, n_lags=N_LAGS):
    """Refractory neurons and synapses {(post, pre): log rate change} decaying in 10 ms."""
    filters = np.zeros((n_neurons, n_neurons, n_lags))
    filters[range(n_neurons), range(n_neurons), 0] = -1.0
    for (post, pre), weight in synapses.items():
        filters[post, pre] = weight * np.exp(-np.arange(n_lags) * BIN_S / 0.01)
    return filters


@pytest.fixture(scope="module")
def recording():
    filters = filters_of(4, {(1, 3): 0.8, (2, 1): -1.0})
    counts = simulate_glm(filters, [15, 20, 25, 10], 24_000, np.random.default_rng(0))
    return as_recording(counts)


@pytest.fixture(scope="module")
def fitted(recording):
    return PoissonGLM(bin_s=BIN_S, ridge=1.0).fit(recording)


def plain_design(counts, basis):
    """History features, basis by basis, written out."""
    design = np.zeros((len(counts), basis.shape[1], counts.shape[1]))
    for lag in range(1, len(basis) + 1):
        design[lag:] += basis[lag - 1][None, :, None] * counts[:-lag, None, :]
    return design.reshape(len(counts), -1)


def plain_log_likelihood(model, recording):
    """Spike by spike and bin by bin, from the filters alone."""
    total = np.zeros(recording.n_neurons)
    n_lags = model.coupling_filters_.shape[2]
    for start_s, stop_s in recording.epochs_s:
        part = recording.restrict(np.array([[start_s, stop_s]]))
        counts = part.counts(model.bin_s_).counts
        for i in range(len(counts)):
            low = max(start_s + i * model.bin_s_, start_s + model.history_window_s)
            high = min(start_s + (i + 1) * model.bin_s_, stop_s)
            if low >= high:
                continue
            past = counts[i - n_lags : i][::-1]
            log_rate = np.log(model.baseline_rate_hz_) + np.einsum(
                "ijl,lj->i", model.coupling_filters_, past
            )
            in_bin = (part.spike_times_s >= low) & (part.spike_times_s < high)
            spikes = np.bincount(part.spike_neurons[in_bin], minlength=part.n_neurons)
            total += spikes * log_rate - (high - low) * np.exp(log_rate)
    return total


def test_known_filters_are_recovered_within_their_statistical_error():
    """Twice the likelihood gained over the true parameters is χ² with one degree each (Wilks)."""
    basis = raised_cosine_basis(3, N_LAGS, BIN_S)
    rng = np.random.default_rng(1)
    coefficients = rng.normal(0, 0.3, (3, 3, 3)) * np.array([1, 0.5, 0.1])[:, None]
    baseline_hz = np.array([15.0, 20.0, 25.0])
    filters = np.einsum("lk,ikj->ijl", basis, coefficients)
    counts = simulate_glm(filters, baseline_hz, 40_000, rng)
    model = PoissonGLM(bin_s=BIN_S, ridge=0.0).fit(as_recording(counts))
    design, spikes = plain_design(counts, basis)[N_LAGS:], counts[N_LAGS:]
    log_rate = design @ coefficients.reshape(3, -1).T + np.log(baseline_hz)
    true = np.sum(spikes * log_rate - BIN_S * np.exp(log_rate), axis=0)
    gained = 2 * (model.log_likelihood(as_recording(counts)) - true)
    assert np.all(gained > 0)
    assert np.all(gained < chi2(10).isf(1e-3))


def test_a_spike_of_neuron_3_reaches_neuron_1(fitted):
    weights = fitted.connectivity_.weights
    assert np.unravel_index(weights.argmax(), weights.shape) == (1, 3)
    assert np.unravel_index(weights.argmin(), weights.shape) == (2, 1)
    others = np.delete(np.abs(weights).ravel(), [1 * 4 + 3, 2 * 4 + 1])
    assert others.max() < 0.5 * weights[1, 3]


def test_a_weight_is_the_sum_of_its_filter(fitted):
    mask = fitted.connectivity_.off_diagonal
    sums = fitted.coupling_filters_.sum(axis=2)
    np.testing.assert_allclose(fitted.connectivity_.weights[mask], sums[mask])


def test_the_own_history_shows_the_refractory_time(fitted):
    assert np.all(np.diagonal(fitted.coupling_filters_[:, :, 0]) < -0.5)


def test_the_likelihood_is_the_one_written_out_spike_by_spike(recording):
    """The window is no whole number of bins and the epochs end within a bin."""
    pieces = recording.restrict(np.array([[0.0, 20.003], [20.011, 50.0], [50.05, 50.12]]))
    model = PoissonGLM(bin_s=BIN_S, history_window_s=0.0625, ridge=1.0).fit(pieces)
    np.testing.assert_allclose(
        model.log_likelihood(pieces), plain_log_likelihood(model, pieces), rtol=1e-6
    )


def test_scikit_learn_finds_the_same_optimum(recording, monkeypatch):
    """The same design, scored time and penalty, both solved to high precision."""
    monkeypatch.setattr(batched_lbfgs, "_TOLERANCE_NATS", 1e-5)
    ridge = 0.1  # at which own history and couplings are penalised alike
    model = PoissonGLM(bin_s=BIN_S, ridge=ridge).fit(recording)
    counts = recording.counts(BIN_S).counts
    design = plain_design(counts, raised_cosine_basis(3, N_LAGS, BIN_S))[N_LAGS:]
    ours = model.log_likelihood(recording)
    for neuron in range(recording.n_neurons):
        spikes = counts[N_LAGS:, neuron]
        peer = PoissonRegressor(
            alpha=ridge / len(spikes), solver="newton-cholesky", tol=1e-8, max_iter=100
        ).fit(design, spikes)
        expected = peer.predict(design)
        theirs = np.sum(spikes * np.log(expected / BIN_S) - expected)
        assert ours[neuron] == pytest.approx(theirs, abs=1e-3)
        coupling = peer.coef_.reshape(3, -1)
        filters = raised_cosine_basis(3, N_LAGS, BIN_S) @ coupling
        np.testing.assert_allclose(model.coupling_filters_[neuron].T, filters, atol=1e-3)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # of its libraries
def test_nemos_finds_the_same_coefficients_and_no_higher_likelihood(monkeypatch):
    """Ten neurons' penalised likelihood, written out here for both from the same design."""
    nemos = pytest.importorskip("nemos", reason="NeMoS is not installed: pip install nemos")
    jax = pytest.importorskip("jax")
    monkeypatch.setattr(batched_lbfgs, "_TOLERANCE_NATS", 1e-5)
    ridge = 0.1  # at which own history and couplings are penalised alike
    basis = raised_cosine_basis(3, N_LAGS, BIN_S)
    filters = filters_of(10, {(1, 3): 0.8, (2, 1): -1.0, (9, 4): 0.5})
    counts = simulate_glm(filters, np.linspace(10, 30, 10), 12_000, np.random.default_rng(7))
    design, spikes = plain_design(counts, basis)[N_LAGS:], counts[N_LAGS:]
    with jax.enable_x64(True):
        peer = nemos.glm.PopulationGLM(
            regularizer="Ridge",
            regularizer_strength=ridge / len(spikes),  # its loss is a mean over bins
            solver_name="LBFGS",
            solver_kwargs={"tol": 1e-9, "maxiter": 2000},
        ).fit(design, spikes.astype(float))
        theirs = np.asarray(peer.coef_).T, np.asarray(peer.intercept_) - np.log(BIN_S)
    model = PoissonGLM(bin_s=BIN_S, ridge=ridge).fit(as_recording(counts))
    of_basis = np.linalg.pinv(basis) @ model.coupling_filters_.transpose(0, 2, 1)
    ours = of_basis.reshape(len(of_basis), -1), np.log(model.baseline_rate_hz_)

    def penalised(coupling, log_baseline_hz):
        log_rate = design @ coupling.T + log_baseline_hz
        value = np.sum(spikes * log_rate - BIN_S * np.exp(log_rate))
        return value - 0.5 * ridge * np.sum(coupling**2)

    assert penalised(*ours) >= penalised(*theirs) - 1e-3
    np.testing.assert_allclose(ours[0], theirs[0], atol=2e-3)


def test_relabelling_the_neurons_relabels_filters_and_likelihood(recording, fitted):
    order = np.array([2, 0, 3, 1])
    relabelled = PoissonGLM(bin_s=BIN_S, ridge=1.0).fit(recording.select(order))
    np.testing.assert_allclose(
        relabelled.coupling_filters_, fitted.coupling_filters_[np.ix_(order, order)], atol=0.01
    )
    np.testing.assert_allclose(
        relabelled.log_likelihood(recording.select(order)),
        fitted.log_likelihood(recording)[order],
        atol=0.1,
    )


def test_working_in_less_memory_changes_nothing(recording, fitted, monkeypatch):
    """More chunks than are added up at once, and one curvature for all neurons."""
    monkeypatch.setattr(glm, "CHUNK", 500)
    monkeypatch.setattr(glm, "_CURVATURE_BYTES", 1)
    monkeypatch.setattr(glm, "_SPIKES_PER_FEATURE", 5)
    frugal = PoissonGLM(bin_s=BIN_S, ridge=1.0).fit(recording)
    np.testing.assert_allclose(
        frugal.log_likelihood(recording), fitted.log_likelihood(recording), atol=0.05
    )
    np.testing.assert_allclose(frugal.coupling_filters_, fitted.coupling_filters_, atol=0.02)


def test_every_neuron_converges(fitted):
    assert fitted.converged_.all()
    assert 0 < fitted.n_iter_ < 100


def test_bins_are_whole_ticks_of_the_recording(recording):
    model = PoissonGLM(bin_s=0.002, ridge=1.0).fit(recording)
    assert model.bin_s_ == BIN_S
    assert PoissonGLM(bin_s=0.014, ridge=1.0).fit(recording).bin_s_ == pytest.approx(0.015)


def test_predictions_do_not_depend_on_the_bins_they_are_asked_for(recording, fitted):
    fine = fitted.predict(recording, bin_s=0.0025)
    coarse = fitted.predict(recording, bin_s=0.02)
    np.testing.assert_allclose(fine.reshape(-1, 8, 4).sum(axis=1), coarse, rtol=1e-6)


def test_where_the_past_is_unknown_the_mean_rate_is_predicted(recording, fitted):
    expected = fitted.predict(recording, bin_s=fitted.history_window_s)
    np.testing.assert_allclose(expected[0], fitted.null_rate_hz_ * fitted.history_window_s)


def test_a_silent_neuron_is_given_half_a_spike(recording):
    model = PoissonGLM(bin_s=BIN_S, ridge=1.0).fit(replace(recording, n_neurons=5, neuron_ids=()))
    scored_s = np.diff(scored_epochs(recording, model.history_window_s)).sum()
    assert model.baseline_rate_hz_[4] == pytest.approx(0.5 / scored_s)
    assert model.converged_.all()


def test_the_chosen_ridge_keeps_quiet_neurons_from_overfitting():
    """Neurons with 40 spikes each and no connection: the truth is the constant rate."""
    quiet = simulate_glm(np.zeros((5, 5, 1)), [0.5] * 5, 20_000, np.random.default_rng(3))
    train, test = (as_recording(quiet).between(*part) for part in ((0.0, 0.8), (0.8, 1.0)))
    chosen = PoissonGLM(bin_s=BIN_S).fit(train)
    free = PoissonGLM(bin_s=BIN_S, ridge=0.0).fit(train)
    assert chosen.evaluate(test).pooled > free.evaluate(test).pooled


def test_a_recording_too_short_to_hold_out_gets_a_cautious_ridge(recording):
    moment = recording.restrict(np.array([[0.0, 0.9]]))
    model = PoissonGLM(bin_s=BIN_S).fit(moment)
    assert model.ridge_ == RIDGES[0]
    assert np.isfinite(model.score(moment))


@pytest.fixture(scope="module")
def tuned():
    """Two unconnected neurons that prefer the same direction, and one that follows a speed."""
    rng = np.random.default_rng(4)
    time_s = (np.arange(20_000) + 0.5) * BIN_S
    angle, speed = (0.7 * time_s) % (2 * np.pi), 40 + 10 * np.sin(time_s)
    drive = np.column_stack([1.5 * np.cos(angle), 1.5 * np.cos(angle), (speed - 40) / 10])
    counts = simulate_glm(np.zeros((3, 3, 1)), [20] * 3, 20_000, rng, drive)
    covariates = {
        "head direction": Covariate(times_s=time_s, values=angle, is_angle=True),
        "speed": Covariate(times_s=time_s, values=speed),
    }
    return as_recording(counts, covariates=covariates)


def test_covariates_predict_tuned_neurons(tuned):
    train, test = tuned.between(0.0, 0.8), tuned.between(0.8, 1.0)
    blind = PoissonGLM(ridge=1.0).fit(train).evaluate(test).per_neuron
    model = PoissonGLM(ridge=1.0, covariates=("head direction", "speed"), n_harmonics=2)
    seeing = model.fit(train).evaluate(test).per_neuron
    assert np.all(seeing > blind + 0.05)


def test_covariates_explain_common_drive_away(tuned):
    """Neurons that share a preferred direction look coupled to who does not see the direction."""
    blind = PoissonGLM(ridge=1.0).fit(tuned).connectivity_.weights
    model = PoissonGLM(ridge=1.0, covariates=("head direction", "speed"), n_harmonics=2)
    seeing = model.fit(tuned).connectivity_.weights
    assert min(blind[0, 1], blind[1, 0]) > 0.5
    assert max(abs(seeing[0, 1]), abs(seeing[1, 0])) < 0.25


def test_a_covariate_that_is_not_there_is_refused(tuned):
    with pytest.raises(InputError, match=r"no covariate 'heading'.*head direction, speed"):
        PoissonGLM(covariates=("heading",)).fit(tuned)
    model = PoissonGLM(bin_s=BIN_S, ridge=1.0, covariates=("speed",)).fit(tuned)
    with pytest.raises(InputError, match=r"no covariate 'speed'.*none"):
        model.score(replace(tuned, covariates={}))


def test_a_covariate_with_holes_is_refused(tuned):
    holes = Covariate(times_s=np.array([0.0, 1.0]), values=np.array([0.0, np.nan]))
    with pytest.raises(InputError, match="'speed' holds values that are not finite"):
        PoissonGLM(covariates=("speed",)).fit(replace(tuned, covariates={"speed": holes}))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bin_s": 0.0}, "a bin of 0.0 s"),
        ({"history_window_s": float("inf")}, "a history window of inf s"),
        ({"ridge": -1.0}, "ridge of -1.0"),
        ({"ridge": float("nan")}, "ridge of nan"),
        ({"n_basis": 0}, "0 basis functions"),
        ({"n_basis": 21}, "21 basis functions do not fit the 20 bins"),
        ({"history_window_s": 0.001}, "the 0 bins"),
        ({"n_harmonics": 0}, "n_harmonics is 0"),
    ],
)
def test_settings_without_meaning_are_refused(recording, settings, message):
    with pytest.raises(InputError, match=message):
        PoissonGLM(**settings).fit(recording)


def test_rows_are_minimised_side_by_side_and_held_rows_stay():
    """Badly scaled quadratics, one of them held."""
    rng = np.random.default_rng(5)
    curvature = torch.from_numpy(10.0 ** rng.uniform(0, 3, (4, 6)))
    target = torch.from_numpy(rng.normal(size=(4, 6)))
    free = torch.tensor([True, True, False, True])

    def objective(point):
        return 0.5 * (curvature * (point - target) ** 2).sum(1), curvature * (point - target)

    fit = minimise_each(objective, lambda gradient: gradient, torch.zeros_like(target), free)
    assert fit.converged.all()
    np.testing.assert_array_equal(fit.point[2], 0)
    assert torch.all(objective(fit.point)[0][free] < 0.1)
