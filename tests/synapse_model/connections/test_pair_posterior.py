from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.recording import Recording
from spikeweft.data.sorting_artefacts import SortingArtefact
from spikeweft.synapse_model.connections.connection_prior import ConnectionPrior
from spikeweft.synapse_model.connections.kernel_shapes import STRENGTHS, KernelShapes
from spikeweft.synapse_model.connections.pair_counts import PairCounts, count_pairs_of
from spikeweft.synapse_model.connections.pair_posterior import posterior_of
from spikeweft.synapse_model.connections.smooth_null import (
    MULTIPLES,
    SmoothNull,
    broad_components,
    covariances,
    estimate_variances,
)
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate
from spikeweft.synapse_model.rates.own_history import OwnHistory
from spikeweft.synapse_model.rates.timeline import Timeline

STEP_S, N_LAGS = 0.001, 40
LAGS_S = STEP_S * np.arange(-N_LAGS, N_LAGS + 1)


def counts_of(log_factor, n_pairs, rng, expected=60.0):
    """Poisson counts of pairs that all have this log factor by lag."""
    mean = np.full((n_pairs, len(LAGS_S)), expected)
    return PairCounts(
        first=np.zeros(n_pairs, int),
        second=np.ones(n_pairs, int),
        observed=rng.poisson(mean * np.exp(log_factor)).astype(float),
        expected=mean,
        step_s=STEP_S,
    )


def weak_null(sd=0.05):
    variances = np.where(broad_components(), sd**2 / 3, 0.0)
    return nulls_of(variances), variances


def nulls_of(variances):
    return [SmoothNull.of(covariances(LAGS_S), multiple * variances) for multiple in MULTIPLES]


def posterior(log_factor, n_pairs=20, seed=0):
    shapes = KernelShapes.of(STEP_S, N_LAGS)
    nulls, variances = weak_null()
    prior = ConnectionPrior.first(shapes, np.full(2, np.nan), variances, LAGS_S)
    counts = counts_of(log_factor, n_pairs, np.random.default_rng(seed))
    return posterior_of(counts, shapes, nulls, prior), shapes


def kernel(latency_s, decay_s, size):
    return np.where(latency_s - 1e-9 < LAGS_S, size * np.exp(-(LAGS_S - latency_s) / decay_s), 0.0)


def test_kernels_begin_with_their_latency_and_are_one_high():
    shapes = KernelShapes.of(STEP_S, N_LAGS)
    for kind in shapes.heights:
        for latency, heights in zip(shapes.latencies_s, kind, strict=True):
            before = np.arange(1, N_LAGS + 1) * STEP_S < latency - 1e-9
            assert not heights[:, before].any()
            np.testing.assert_allclose(heights.max(1), 1.0, atol=0.1)
    assert shapes.log_factor.shape == (2, len(STRENGTHS) * shapes.heights[0, ..., 0].size, N_LAGS)


@pytest.mark.parametrize(("size", "kind"), [(0.85, 0), (-1.3, 1)])
def test_a_sharp_onset_is_a_connection_with_its_sign_and_latency(size, kind):
    found, shapes = posterior(kernel(0.006, 0.003, size))
    assert np.all(found.probability[:, 0, kind] > 0.95)
    assert np.all(found.probability[:, 1] < 0.2)
    by_latency = found.kernels[:, 0, kind].reshape(-1, *shapes.dims).sum((1, 3))
    assert np.median(shapes.latencies_s[by_latency.argmax(1)]) == pytest.approx(0.006)


def test_a_connection_back_shows_at_negative_lags():
    found, _ = posterior(kernel(0.004, 0.003, 0.85)[::-1])
    assert np.median(found.probability[:, 1, 0]) > 0.99
    assert np.all(found.probability[:, 0] < 0.2)


def test_both_directions_of_a_mutual_connection_are_found():
    found, _ = posterior(kernel(0.004, 0.003, 0.85) + kernel(0.003, 0.003, -1.3)[::-1])
    assert np.all(found.probability[:, 0, 0] > 0.9)
    assert np.all(found.probability[:, 1, 1] > 0.9)


@pytest.mark.parametrize("sd", [0.5, 0.8])
def test_a_connection_back_takes_nothing_from_the_evidence_for_one(sd):
    """Found together, each has the evidence that it has where the other is known."""
    shapes, components = KernelShapes.of(STEP_S, N_LAGS), covariances(LAGS_S)
    variances = np.zeros(len(components))
    variances[1] = sd**2  # narrow enough to take a connection for a bump
    nulls = nulls_of(variances)
    prior = ConnectionPrior.first(shapes, np.full(2, np.nan), variances, LAGS_S)
    back = kernel(0.002, 0.001, 2.0)[::-1]
    mutual = counts_of(back[::-1] + back, 20, np.random.default_rng(7), expected=6.0)
    one_known = replace(mutual, expected=mutual.expected * np.exp(back))
    together = posterior_of(mutual, shapes, nulls, prior).log_bayes_factor[:, 0, 0]
    alone = posterior_of(one_known, shapes, nulls, prior).log_bayes_factor[:, 0, 0]
    assert np.median(together - alone) > -2.0


def test_without_a_connection_there_is_evidence_against_one():
    found, _ = posterior(np.zeros(len(LAGS_S)), n_pairs=200)
    assert np.all(found.log_bayes_factor.mean(0) < 0)
    assert found.probability.sum(2).mean() < 0.03


def test_a_smooth_bump_is_no_connection():
    bump = 0.3 * np.exp(-0.5 * (LAGS_S / 0.012) ** 2)
    shapes = KernelShapes.of(STEP_S, N_LAGS)
    nulls, variances = weak_null(0.25)
    prior = ConnectionPrior.first(shapes, np.full(2, np.nan), variances, LAGS_S)
    counts = counts_of(bump, 100, np.random.default_rng(1))
    assert posterior_of(counts, shapes, nulls, prior).probability.sum(2).mean() < 0.05


@pytest.mark.parametrize("centre_s", [-0.012, 0.0, 0.009, 0.021])
def test_a_peak_that_rises_as_slowly_as_it_falls_is_indirect(centre_s):
    peak = 1.3 * np.exp(-0.5 * ((LAGS_S - centre_s) / 0.0025) ** 2)
    found, _ = posterior(peak, n_pairs=100)
    assert found.bumps.sum(1).mean() > 0.9
    assert found.probability.sum(2).mean() < 0.05


def test_a_pair_is_smooth_or_shows_a_bump_or_is_connected():
    found, _ = posterior(kernel(0.006, 0.003, 0.3))
    alone = found.smooth + found.bumps.sum(1)
    connected = found.probability.sum((1, 2))
    assert np.all(alone + connected >= 1 - 1e-6)  # both directions of some are connected
    assert np.all(alone + found.probability.sum(2).max(1) <= 1 + 1e-6)


def test_probabilities_of_kernels_sum_to_that_of_the_connection():
    found, _ = posterior(kernel(0.006, 0.003, 0.3))
    np.testing.assert_allclose(found.kernels.sum(3), found.probability, atol=1e-5)
    assert np.all(found.probability.sum(2) < 1 + 1e-6)
    np.testing.assert_allclose(found.multiple.sum(1), 1.0)


def test_the_order_of_a_pairs_neurons_does_not_matter():
    shapes = KernelShapes.of(STEP_S, N_LAGS)
    nulls, variances = weak_null()
    prior = ConnectionPrior.first(shapes, np.full(2, np.nan), variances, LAGS_S)
    counts = counts_of(kernel(0.006, 0.003, 0.3), 10, np.random.default_rng(3))
    mirrored = replace(counts, observed=counts.observed[:, ::-1], expected=counts.expected[:, ::-1])
    found = posterior_of(counts, shapes, nulls, prior).log_bayes_factor
    swapped = posterior_of(mirrored, shapes, nulls, prior).log_bayes_factor[:, ::-1]
    np.testing.assert_allclose(found, swapped, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("true_sd", [0.0, 0.1, 0.3])
def test_the_strength_of_the_null_is_estimated(true_sd):
    """Bumps of 12 ms with this standard deviation, the fourth component."""
    rng = np.random.default_rng(4)
    components = covariances(LAGS_S)
    root = np.linalg.cholesky(components[3] + 1e-6 * np.eye(len(LAGS_S)))
    bumps = true_sd * rng.standard_normal((150, len(LAGS_S))) @ root.T
    ones = np.ones(150)
    variances = estimate_variances(
        counts_of(bumps, 150, rng),
        ones,
        np.ones(150, int),
        components,
        np.full(len(components), 0.003),
        np.ones(len(components), bool),
        6,
    )
    total = np.sqrt(np.tensordot(variances, components, 1).diagonal().mean())
    assert total == pytest.approx(true_sd, rel=0.2, abs=0.03)


def two_trains(rng, gap_s=None):
    times_s = np.sort(np.round(rng.uniform(0, 100, 3000), 3))
    epochs_s = np.array([[0.0, 100.0]] if gap_s is None else [[0.0, 50.0], [50.0 + gap_s, 100.0]])
    return Recording.from_arrays(
        times_s,
        rng.integers(0, 3, 3000),
        n_neurons=3,
        epochs_s=epochs_s,
        time_resolution_s=STEP_S,
    )


@pytest.mark.parametrize("gap_s", [None, 0.005])
def test_pairs_are_counted_by_lag_within_epochs(gap_s):
    recording = two_trains(np.random.default_rng(5), gap_s)
    timeline = Timeline.of(recording, STEP_S, 0.1)
    no_state = np.zeros((timeline.n_steps // timeline.steps_per_bin, 0), np.float32)

    def constant(neuron):
        rate = NeuronRate(timeline, neuron, no_state, OwnHistory.of(STEP_S))
        rate.follow(rate.start())
        return rate

    counts = count_pairs_of(timeline, constant)
    scored = np.zeros(len(recording.spike_times_s), bool)
    for start_s, stop_s in recording.epochs_s:
        scored |= (recording.spike_times_s >= start_s + 0.1 - 1e-9) & (
            recording.spike_times_s < stop_s
        )
    epoch = np.searchsorted(recording.epochs_s[:, 0], recording.spike_times_s, side="right")
    of_first, of_second = (recording.spike_neurons == neuron for neuron in (0, 2))
    for lag in (1, 7, 40):
        by_hand = 0
        for time_s, in_epoch in zip(
            recording.spike_times_s[of_second], epoch[of_second], strict=True
        ):
            same = of_first & scored & (epoch == in_epoch)
            by_hand += np.sum(np.abs(recording.spike_times_s[same] - time_s - lag * STEP_S) < 1e-6)
        assert counts.observed[1, N_LAGS + lag] == by_hand
    expected = counts.expected[1, N_LAGS + 5]
    assert expected == pytest.approx(of_second.sum() * of_first.sum() / 1e5, rel=0.05)


def test_lags_that_sorting_misses_say_nothing():
    counts = counts_of(np.zeros(len(LAGS_S)), 3, np.random.default_rng(6))
    artefact = SortingArtefact(neurons=(0, 1), n_within=0, n_expected=9.0, p_value=0.0)
    left = counts.without_artefacts([artefact])
    assert not left.observed[:, N_LAGS - 1 : N_LAGS + 2].any()
    assert np.all(left.expected[:, N_LAGS - 1 : N_LAGS + 2] < 0.01)
    np.testing.assert_array_equal(left.observed[:, N_LAGS + 2 :], counts.observed[:, N_LAGS + 2 :])
    fine = replace(counts, step_s=1e-4).without_artefacts([artefact])
    assert not fine.observed[:, N_LAGS - 5 : N_LAGS + 6].any()
    np.testing.assert_array_equal(fine.observed[:, N_LAGS + 6 :], counts.observed[:, N_LAGS + 6 :])
