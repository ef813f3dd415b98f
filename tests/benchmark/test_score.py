from dataclasses import replace

import numpy as np
import pytest
from tests.benchmark.conftest import FITS, PatternOnly, case

from spikeweft.benchmark.score import fit_and_score
from spikeweft.evaluation.circuit_error import inference_error


def test_truth_only_scores(ring_data):
    other = replace(ring_data.truth, weights=np.random.default_rng(0).random((12, 12)))
    one = fit_and_score(case(), ring_data)
    two = fit_and_score(case(), replace(ring_data, truth=other))
    assert np.array_equal(one.inferred.weights, two.inferred.weights)
    assert one.row.delta != two.row.delta
    assert one.row.bits_per_spike == two.row.bits_per_spike


def test_a_method_sees_the_first_nine_tenths_and_is_scored_on_the_rest(ring_data):
    FITS.clear()
    scored = fit_and_score(case(), ring_data)
    ((_, seen),) = FITS
    assert seen.epochs_s.tolist() == pytest.approx(np.array([[0.0, 0.9 * 12.0]]))
    assert scored.sample.epochs_s[0, 0] == pytest.approx(0.9 * 12.0)


def test_neurons_that_are_hidden_are_not_seen(ring_data):
    FITS.clear()
    row = fit_and_score(case(n_observed=7), ring_data).row
    ((_, seen),) = FITS
    assert seen.n_neurons == 7
    assert np.isnan(row.oracle_bits_per_spike)
    assert np.isnan(row.cramer_rao_delta)


def test_the_row_holds_the_scores_of_the_circuit(ring_data):
    scored = fit_and_score(case(), ring_data)
    error = inference_error(scored.inferred, ring_data.truth)
    assert scored.row.delta == error.delta
    assert scored.row.delta**2 == pytest.approx(scored.row.bias**2 + scored.row.variance**2)
    assert scored.row.bits_per_spike_pooled == pytest.approx(0.0, abs=1e-9)
    assert scored.row.oracle_bits_per_spike_pooled == ring_data.oracle.pooled
    assert scored.row.n_pairs_uninformed == 0


def test_pairs_of_which_a_method_says_it_knows_nothing_are_counted(ring_data):
    scored = fit_and_score(case(PatternOnly), ring_data)
    assert 0 < scored.row.n_pairs_uninformed < 12 * 11
    assert scored.row.delta_informed != scored.row.delta
    assert np.isnan(scored.row.bits_per_spike)
