import numpy as np
import pytest

from spikeweft.baselines.glm.spike_history import SpikeHistory, raised_cosine_basis


def plain_history(counts, basis, start, stop):
    """The convolution written out."""
    features = np.zeros((stop - start, basis.shape[1], counts.shape[1]))
    for t in range(start, stop):
        for lag in range(1, min(len(basis), t) + 1):
            features[t - start] += np.outer(basis[lag - 1], counts[t - lag])
    return features.reshape(stop - start, -1)


@pytest.mark.parametrize(("start", "stop"), [(0, 200), (3, 4), (17, 150), (64, 128)])
def test_history_is_the_convolution_of_the_bins_before(start, stop):
    counts = np.random.default_rng(0).poisson(0.3, (200, 3))
    basis = raised_cosine_basis(3, 10, 0.005)
    features = SpikeHistory(basis)(counts, start, stop)
    np.testing.assert_allclose(features, plain_history(counts, basis, start, stop), atol=1e-5)


def test_a_spike_is_not_its_own_history():
    counts = np.zeros((30, 1), dtype=int)
    counts[12] = 1
    seen = SpikeHistory(raised_cosine_basis(2, 5, 0.01))(counts, 0, 30).abs().sum(1)
    assert np.flatnonzero(seen)[[0, -1]].tolist() == [13, 17]


@pytest.mark.parametrize("bin_s", [0.001, 0.005, 0.01])
def test_filters_are_finest_just_after_a_spike_and_end_with_the_window(bin_s):
    basis = raised_cosine_basis(3, round(0.1 / bin_s), bin_s)
    peaks = basis.argmax(axis=0)
    assert peaks[0] == 0
    assert np.all(np.diff(peaks) > 0)
    assert basis[-1, -1] < 0.05 * basis[:, -1].max()
    np.testing.assert_allclose(basis.sum(axis=0) * bin_s, 0.005)
