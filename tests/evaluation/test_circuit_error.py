import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import circulant

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error, is_ring, ring_average, ring_profile

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(3, 12)


def ring(seed: int, n: int) -> Connectivity:
    return Connectivity(weights=circulant(np.random.default_rng(seed).normal(size=n)).T)


def any_circuit(seed: int, n: int) -> Connectivity:
    return Connectivity(weights=np.random.default_rng([seed, 1]).normal(size=(n, n)))


@given(seeds, sizes, st.floats(1e-3, 1e3))
def test_the_true_circuit_at_any_scale_has_no_error(seed, n, scale):
    truth = ring(seed, n)
    error = inference_error(Connectivity(weights=scale * truth.weights), truth)
    for part in (error.delta, error.delta_profile, error.bias, error.variance):
        assert part == pytest.approx(0.0, abs=1e-12)


@given(seeds, sizes, st.floats(1e-3, 1e3))
def test_the_error_does_not_depend_on_the_unit_of_the_weights(seed, n, scale):
    truth, answer = ring(seed, n), any_circuit(seed, n)
    error = inference_error(answer, truth)
    scaled = inference_error(Connectivity(weights=scale * answer.weights), truth)
    assert scaled.delta == pytest.approx(error.delta)
    assert scaled.delta_profile == pytest.approx(error.delta_profile)
    assert scaled.scale * scale == pytest.approx(error.scale)


@given(seeds, sizes)
def test_the_error_is_made_of_bias_and_variance(seed, n):
    error = inference_error(any_circuit(seed, n), ring(seed, n))
    assert error.delta**2 == pytest.approx(error.bias**2 + error.variance**2)
    assert error.delta <= error.delta_profile + 1e-12
    assert 0.0 <= error.delta <= 1.0 + 1e-12


@given(seeds, sizes)
def test_a_rotation_invariant_answer_errs_by_bias_alone(seed, n):
    error = inference_error(ring(seed + 1, n), ring(seed, n))
    assert error.variance == pytest.approx(0.0, abs=1e-12)
    assert error.bias == pytest.approx(error.delta)


@given(seeds, sizes)
def test_relabelling_the_neurons_of_both_circuits_changes_no_error(seed, n):
    truth, answer = any_circuit(seed + 1, n), any_circuit(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    relabelled = inference_error(answer.select(order), truth.select(order))
    assert relabelled.delta == pytest.approx(inference_error(answer, truth).delta)


@given(seeds, sizes)
def test_the_diagonal_is_never_scored(seed, n):
    truth, answer = ring(seed, n), any_circuit(seed, n)
    autapses = Connectivity(weights=answer.weights + 5.0 * np.eye(n))
    assert inference_error(autapses, truth) == inference_error(answer, truth)


def test_excitation_taken_for_inhibition_shows_in_the_sign_of_the_scale():
    truth = ring(0, 6)
    error = inference_error(Connectivity(weights=-2.0 * truth.weights), truth)
    assert error.scale == pytest.approx(-0.5)


@given(seeds, sizes)
def test_pairs_that_do_not_count_may_have_any_weight(seed, n):
    """Those the data do not inform: the error over the others is that of the others alone."""
    truth, answer = any_circuit(seed + 1, n), any_circuit(seed, n)
    pairs = np.random.default_rng(seed).random((n, n)) < 0.7
    pairs[0, 1] = True
    other = np.where(pairs, answer.weights, answer.weights + 1e3)
    error = inference_error(answer, truth, pairs=pairs)
    assert inference_error(Connectivity(weights=other), truth, pairs=pairs).delta == error.delta
    exact = np.where(pairs, truth.weights, other)
    found = inference_error(Connectivity(weights=exact), truth, pairs=pairs)
    assert found.delta == pytest.approx(0.0, abs=1e-12)


@given(seeds, sizes)
def test_over_all_pairs_the_error_is_the_error(seed, n):
    """Its parts are of whole rings, so they are not given where pairs are named."""
    truth, answer = ring(seed, n), any_circuit(seed, n)
    error = inference_error(answer, truth, pairs=np.ones((n, n), dtype=bool))
    assert error.delta == inference_error(answer, truth).delta
    assert np.isnan([error.bias, error.variance, error.delta_profile]).all()


def test_an_error_over_no_connection_is_refused():
    with pytest.raises(InputError, match="no connection"):
        inference_error(ring(0, 4), ring(1, 4), pairs=np.eye(4, dtype=bool))


def test_an_empty_answer_is_no_better_than_zero():
    error = inference_error(Connectivity(weights=np.zeros((5, 5))), ring(0, 5))
    assert error.delta == error.delta_profile == pytest.approx(1.0)


def test_a_profile_scale_is_the_best_in_the_sum_of_absolute_differences():
    truth, answer = ring(3, 9), any_circuit(3, 9)
    profile, wanted = ring_profile(answer.weights), ring_profile(truth.weights)
    scales = np.linspace(-5, 5, 20001)
    best = scales[np.argmin(np.abs(wanted[:, None] - scales * profile[:, None]).sum(axis=0))]
    mask = truth.off_diagonal
    expected = np.linalg.norm((truth.weights - best * answer.weights)[mask])
    expected /= np.linalg.norm(truth.weights[mask])
    assert inference_error(answer, truth).delta_profile == pytest.approx(expected, abs=1e-3)


def test_off_the_ring_there_is_no_bias_and_no_variance():
    truth = any_circuit(0, 5)
    assert not is_ring(truth)
    error = inference_error(any_circuit(1, 5), truth)
    assert np.isnan([error.bias, error.variance, error.delta_profile]).all()


def test_averaging_around_the_ring_leaves_a_ring_alone():
    weights = ring(0, 7).weights
    assert np.allclose(ring_average(weights), weights)


def test_circuits_that_cannot_be_compared_are_refused():
    with pytest.raises(InputError, match="truth has 5 neurons but the inferred circuit has 4"):
        inference_error(ring(0, 4), ring(0, 5))
    with pytest.raises(InputError, match="no connection"):
        inference_error(ring(0, 4), Connectivity(weights=np.eye(4)))


@given(seeds, sizes, st.sampled_from([1e-15, 1e-9, 1.0, 1e9]))
def test_whether_a_circuit_is_a_ring_does_not_depend_on_the_unit_of_its_weights(seed, n, scale):
    assert is_ring(Connectivity(weights=scale * ring(seed, n).weights))
    assert not is_ring(Connectivity(weights=scale * any_circuit(seed, n).weights))
