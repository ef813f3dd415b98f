import sys

import numpy as np
import pytest

from spikeweft.baselines.factorisation.tca import N_SEGMENTS, TCA, read_out, smoothed_counts
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

N = 6


def record(rate_hz, *, seed=0, n_trials=N_SEGMENTS, epochs_s=None):
    """Poisson neurons whose rate in each trial is `rate_hz[millisecond, neuron]`."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(np.tile(rate_hz, (n_trials, 1)) * 1e-3)
    time, neuron = np.nonzero(counts)
    duration_s = len(counts) * 1e-3
    return Recording.from_arrays(
        time * 1e-3 + 5e-4,
        neuron,
        n_neurons=N,
        epochs_s=np.array([[0.0, duration_s]]) if epochs_s is None else epochs_s,
    )


def two_assemblies():
    """Neurons 0-2 fire in the first half of every trial, 3-5 in the second."""
    rate_hz = np.full((4000, N), 2.0)
    rate_hz[:2000, :3] = rate_hz[2000:, 3:] = 60.0
    return record(rate_hz)


@pytest.fixture(scope="module")
def fitted():
    return TCA().fit(two_assemblies())


def test_two_assemblies_need_two_components(fitted):
    assert fitted.n_components_ == 2


def test_as_many_components_are_fitted_as_are_asked_for():
    fitted = TCA(n_components=3).fit(two_assemblies())
    assert fitted.n_components_ == 3
    assert fitted.components_.neuron.shape == (N, 3)


def test_neurons_of_an_assembly_are_connected_to_each_other_only(fitted):
    assembly = np.arange(N) // 3
    same = assembly[:, None] == assembly
    weights, mask = fitted.connectivity_.weights, fitted.connectivity_.off_diagonal
    assert weights[same & mask].min() > 5 * weights[~same].max()


def test_who_fires_with_whom_has_no_direction(fitted):
    np.testing.assert_allclose(fitted.connectivity_.weights, fitted.connectivity_.weights.T)


def test_neurons_that_share_nothing_but_their_rate_need_one_component():
    assert TCA().fit(record(np.full((2000, N), 30.0))).n_components_ == 1


def test_the_read_out_is_the_published_sum(fitted):
    w, v, u = (factor.astype(float) for factor in fitted.components_)
    expected = np.einsum("ir,jr,tr,kr->ij", w, w, v, u) / fitted.n_components_
    mask = fitted.connectivity_.off_diagonal
    np.testing.assert_allclose(read_out(fitted.components_)[mask], expected[mask], rtol=1e-6)


def test_smoothing_neither_makes_spikes_nor_carries_them_over_a_gap():
    epochs_s = np.array([[0.0, 1.0], [1.0, 2.0]])
    X = Recording.from_arrays(np.array([0.5, 0.999]), np.array([0, 1]), epochs_s=epochs_s)
    smooth = smoothed_counts(X, 0.01, 0.02)
    assert smooth[:, 0].sum() == pytest.approx(1, abs=1e-5)
    assert np.all(smooth[:50, 0] == 0)
    assert np.all(smooth[100:] == 0)


def test_without_tensorly_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorly", None)
    with pytest.raises(InputError, match=r"pip install 'spikeweft\[tca\]'"):
        TCA().fit(two_assemblies())


def test_a_time_constant_that_is_no_time_is_refused():
    with pytest.raises(InputError, match="not positive"):
        TCA(smoothing_s=0.0).fit(two_assemblies())
