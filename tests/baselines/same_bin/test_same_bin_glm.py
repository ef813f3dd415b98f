"""The GLM of counts in the same bin, and the bias that Das & Fiete (2020) found in it."""

import csv

import numpy as np
import pytest
import torch
from sklearn.linear_model import PoissonRegressor

from spikeweft.baselines.same_bin.same_bin_counts import Snapshots
from spikeweft.baselines.same_bin.same_bin_glm import SameBinGLM, factor_of, log_likelihood
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import threshold_ring


def as_binned(counts):
    n_bins = len(counts)
    return SpikeCounts(
        counts=counts,
        exposure_s=np.full(n_bins, 0.01),
        start_s=0.01 * np.arange(n_bins),
        epoch=np.zeros(n_bins, dtype=np.int64),
        bin_s=0.01,
    )


@pytest.fixture(scope="module")
def counts():
    """Six neurons that share input, at different rates."""
    rng = np.random.default_rng(1)
    shared = rng.gamma(4.0, 0.25, size=(6000, 1))
    return rng.poisson(shared * np.array([0.3, 0.5, 0.6, 0.8, 1.0, 1.2]))


def test_weights_are_those_of_scikit_learn(counts):
    model = SameBinGLM().fit_counts(as_binned(counts))
    assert model.converged_.all()
    for neuron in range(counts.shape[1]):
        others = np.delete(np.arange(counts.shape[1]), neuron)
        peer = PoissonRegressor(alpha=0.0, solver="newton-cholesky", tol=1e-10)
        peer.fit(counts[:, others], counts[:, neuron])
        np.testing.assert_allclose(
            model.connectivity_.weights[neuron, others], peer.coef_, atol=1e-5
        )


def test_a_curvature_from_some_bins_leads_to_the_same_weights(counts, monkeypatch):
    exact = SameBinGLM().fit_counts(as_binned(counts))
    monkeypatch.setattr("spikeweft.baselines.same_bin.same_bin_counts._CURVATURE_BINS", 1000)
    estimated = SameBinGLM().fit_counts(as_binned(counts))
    assert estimated.converged_.all()
    np.testing.assert_allclose(
        estimated.connectivity_.weights, exact.connectivity_.weights, atol=1e-4
    )


def test_the_gradient_is_that_of_the_likelihood(counts):
    snapshots = Snapshots.of(counts)
    rows = 0.1 * torch.randn(6, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rows[range(6), range(6)] = 0.0
    gradient = log_likelihood(snapshots, rows)[1]
    for neuron, feature in ((0, 3), (4, 2), (5, 6)):
        nudge = torch.zeros_like(rows)
        nudge[neuron, feature] = 1e-5
        up, down = (log_likelihood(snapshots, rows + sign * nudge)[0] for sign in (1, -1))
        slope = float((up - down).sum()) / 2e-5
        assert slope == pytest.approx(float(gradient[neuron, feature]), rel=1e-5)


def test_neurons_that_never_fire_together_inhibit_each_other():
    first = np.random.default_rng(2).integers(0, 2, 2000)
    counts = np.column_stack([first, 1 - first, np.random.default_rng(3).poisson(0.5, 2000)])
    model = SameBinGLM().fit_counts(as_binned(counts))
    assert model.converged_.all()
    assert np.all(model.connectivity_.weights[[0, 1], [1, 0]] < -3)


def test_neurons_that_never_vary_are_connected_to_no_one(counts):
    with_constant = np.column_stack([counts, np.ones(len(counts), dtype=int)])
    weights = SameBinGLM().fit_counts(as_binned(with_constant)).connectivity_.weights
    alone = SameBinGLM().fit_counts(as_binned(counts)).connectivity_.weights
    np.testing.assert_array_equal(weights[:-1, :-1], alone)
    assert not weights[-1].any()
    assert not weights[:, -1].any()


def test_one_neuron_that_varies_is_no_circuit(counts):
    silent = np.zeros_like(counts)
    silent[:, 0] = counts[:, 0]
    assert not SameBinGLM().fit_counts(as_binned(silent)).connectivity_.weights.any()


@pytest.mark.slow
def test_the_published_bias_is_found_on_the_strong_ring(shared_data):
    lines = (shared_data / "das_fiete_2020_errors.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    published = next(row for row in rows if row["recurrent_strength"] == "0.025")
    network = threshold_ring(0.025)
    recording = simulate(network, 240.0, np.random.default_rng(0))
    error = inference_error(SameBinGLM().fit(recording).connectivity_, network.connectivity)
    assert error.bias == pytest.approx(float(published["glm_bias"]), rel=0.15)
    # The published variance part is of 1e8 spikes, and falls as one over their square root.
    expected = float(published["glm_variance"]) * (1e8 / recording.n_spikes.sum()) ** 0.5
    assert error.variance == pytest.approx(expected, rel=0.25)


def test_a_curvature_that_rounding_made_singular_still_gives_a_step():
    """What is well curved is solved as it would be alone, and no step is infinite."""
    good = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    curvature = torch.zeros(1, 3, 3, dtype=torch.float64)
    curvature[0, :2, :2], curvature[0, 2, 2] = good, -1e-13
    push = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)[None, :, None]
    step = torch.cholesky_solve(push, factor_of(curvature))[0, :, 0]
    assert torch.isfinite(step).all()
    torch.testing.assert_close(
        step[:2], torch.linalg.solve(good, push[0, :2, 0]), rtol=1e-6, atol=0.0
    )
