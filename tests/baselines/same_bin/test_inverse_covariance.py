import numpy as np
import pytest
from sklearn.covariance import EmpiricalCovariance

from spikeweft.baselines.same_bin.inverse_covariance import InverseCovariance
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

BIN_S = 0.01


def as_recording(counts, epochs_s=None):
    bins, neurons = np.nonzero(counts)
    repeats = counts[bins, neurons]
    return Recording.from_arrays(
        np.repeat((bins + 0.5) * BIN_S, repeats),
        np.repeat(neurons, repeats),
        n_neurons=counts.shape[1],
        epochs_s=np.array([[0.0, len(counts) * BIN_S]]) if epochs_s is None else epochs_s,
    )


@pytest.fixture
def chain():
    """Counts in which neuron 1 hears neuron 0, and neuron 2 hears neuron 1 alone."""
    rng = np.random.default_rng(0)
    first = rng.poisson(1.0, 20_000)
    second = rng.poisson(0.2 + first)
    return np.column_stack([first, second, rng.poisson(0.2 + second)])


def test_couplings_are_minus_the_precision_that_scikit_learn_finds(chain):
    precision = EmpiricalCovariance().fit(chain).precision_
    couplings = InverseCovariance().fit(as_recording(chain)).connectivity_.weights
    mask = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(couplings[mask], -precision[mask], rtol=1e-3)
    np.testing.assert_array_equal(np.diag(couplings), 0)


def test_neurons_that_are_correlated_through_a_third_are_not_coupled(chain):
    correlation = np.corrcoef(chain, rowvar=False)
    couplings = InverseCovariance().fit(as_recording(chain)).connectivity_.weights
    assert correlation[2, 0] > 0.4
    assert abs(couplings[2, 0]) < 0.05 * couplings[1, 0]


def test_identical_spike_trains_still_have_finite_couplings(chain):
    twins = chain[:, [0, 1, 1]]
    couplings = InverseCovariance().fit(as_recording(twins)).connectivity_.weights
    assert np.all(np.isfinite(couplings))
    np.testing.assert_allclose(couplings[0, 1], couplings[0, 2])


def test_a_bin_cut_short_does_not_count(chain):
    whole = as_recording(chain)
    cut = as_recording(chain, epochs_s=np.array([[0.0, (len(chain) - 0.4) * BIN_S]]))
    kept = as_recording(chain[:-1])
    fits = [InverseCovariance().fit(data).connectivity_.weights for data in (whole, cut, kept)]
    np.testing.assert_array_equal(fits[1], fits[2])
    assert np.any(fits[1] != fits[0])


def test_a_bin_without_width_is_refused(chain):
    with pytest.raises(InputError, match=r"a bin of 0.0 s"):
        InverseCovariance(bin_s=0.0).fit(as_recording(chain))
