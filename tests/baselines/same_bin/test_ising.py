"""The Ising model by minimum probability flow, and the bias that Das & Fiete (2020) found in it."""

import csv
from itertools import product

import numpy as np
import pytest
import torch

from spikeweft.baselines.same_bin.ising import FlowCurvature, Ising, probability_flow, symmetric
from spikeweft.baselines.same_bin.same_bin_counts import Snapshots
from spikeweft.data.spike_counts import SpikeCounts
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import threshold_ring

N = 6


def as_binned(counts):
    n_bins = len(counts)
    return SpikeCounts(
        counts=counts,
        exposure_s=np.full(n_bins, 0.01),
        start_s=0.01 * np.arange(n_bins),
        epoch=np.zeros(n_bins, dtype=np.int64),
        bin_s=0.01,
    )


def couplings_and_fields(seed=0):
    rng = np.random.default_rng(seed)
    half = np.triu(rng.normal(scale=0.8, size=(N, N)), 1)
    return half + half.T, rng.normal(loc=-0.5, scale=0.5, size=N)


def states_and_probabilities(couplings, fields):
    """All 2⁶ states of zeros and ones, and how often each occurs."""
    states = np.array(list(product((0, 1), repeat=N)))
    weight = np.exp(0.5 * np.einsum("si,ij,sj->s", states, couplings, states) + states @ fields)
    return states, weight / weight.sum()


def test_couplings_of_an_ising_model_are_recovered_exactly_from_its_distribution():
    couplings, fields = couplings_and_fields()
    states, probability = states_and_probabilities(couplings, fields)
    copies = np.rint(2e5 * probability).astype(int)
    model = Ising().fit_counts(as_binned(np.repeat(states, copies, axis=0)))
    assert model.converged_
    np.testing.assert_allclose(model.connectivity_.weights, couplings, atol=2e-3)


def test_couplings_are_recovered_from_samples_within_their_scatter():
    couplings, fields = couplings_and_fields(1)
    states, probability = states_and_probabilities(couplings, fields)
    sample = np.random.default_rng(2).choice(len(states), size=50_000, p=probability)
    weights = Ising().fit_counts(as_binned(states[sample])).connectivity_.weights
    np.testing.assert_allclose(weights, couplings, atol=0.1)


def test_more_than_one_spike_in_a_bin_counts_as_one():
    couplings, fields = couplings_and_fields()
    states, probability = states_and_probabilities(couplings, fields)
    rng = np.random.default_rng(0)
    fired = states[rng.choice(len(states), size=3000, p=probability)]
    several = fired * rng.integers(1, 4, size=fired.shape)
    once, often = (Ising().fit_counts(as_binned(c)).connectivity_.weights for c in (fired, several))
    np.testing.assert_array_equal(once, often)


@pytest.fixture
def snapshots():
    return Snapshots.of(np.random.default_rng(0).integers(0, 2, size=(500, N)))


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    return symmetric(torch.randn(N, N + 1, dtype=torch.float64, generator=generator))


def nudged(post, feature):
    """A change of one coupling, which two rows share, or of one field."""
    change = torch.zeros(N, N + 1, dtype=torch.float64)
    change[post, feature] = 1e-5
    if feature < N:
        change[feature, post] = 1e-5
    return change


@pytest.mark.parametrize(("post", "feature"), [(0, 3), (4, 2), (5, N)])
def test_the_gradient_is_that_of_the_flow(snapshots, rows, post, feature):
    change = nudged(post, feature)
    up, down = (float(probability_flow(snapshots, rows + s * change)[0]) for s in (1, -1))
    gradient = probability_flow(snapshots, rows)[1]
    assert (up - down) / 2 == pytest.approx(float((gradient * change).sum()), rel=1e-6)


def test_the_curvature_is_that_of_the_flow(snapshots, rows):
    direction = symmetric(torch.ones(N, N + 1, dtype=torch.float64))
    ahead, behind = (probability_flow(snapshots, rows + s * direction)[1] for s in (1e-5, -1e-5))
    found = FlowCurvature.at(snapshots, rows).along(direction)
    np.testing.assert_allclose(found.numpy(), (ahead - behind).numpy() / 2e-5, rtol=1e-4)


def test_the_flow_is_that_into_states_which_differ_in_one_neuron(rows):
    """Against the energies themselves, state by state (Sohl-Dickstein et al. 2011)."""
    states, _ = states_and_probabilities(*couplings_and_fields())
    snapshots = Snapshots.of(states)
    couplings = rows[:, :-1].numpy()
    fields = rows[:, -1].numpy() - couplings @ snapshots.mean.numpy()

    def energy(state):
        return -0.5 * state @ couplings @ state - fields @ state

    expected = sum(
        np.exp(0.5 * (energy(state) - energy(np.abs(state - flip))))
        for state in states
        for flip in np.eye(N)
    )
    trace = 0.5e-3 * np.sum(couplings**2)
    assert float(probability_flow(snapshots, rows)[0]) == pytest.approx(expected + trace)


def test_neurons_that_never_fire_together_inhibit_each_other():
    first = np.random.default_rng(2).integers(0, 2, 2000)
    counts = np.column_stack([first, 1 - first, np.random.default_rng(3).integers(0, 2, 2000)])
    model = Ising().fit_counts(as_binned(counts))
    assert model.converged_
    assert model.connectivity_.weights[0, 1] < -3


def test_neurons_that_never_vary_are_connected_to_no_one():
    counts = np.random.default_rng(0).integers(0, 2, size=(500, 3))
    with_constant = np.column_stack([counts, np.ones(500, dtype=int), np.zeros(500, dtype=int)])
    weights = Ising().fit_counts(as_binned(with_constant)).connectivity_.weights
    alone = Ising().fit_counts(as_binned(counts)).connectivity_.weights
    np.testing.assert_array_equal(weights[:3, :3], alone)
    assert not weights[3:].any()
    assert not weights[:, 3:].any()


def test_one_neuron_that_varies_is_no_circuit():
    counts = np.zeros((100, 3), dtype=int)
    counts[::2, 0] = 1
    assert not Ising().fit_counts(as_binned(counts)).connectivity_.weights.any()


@pytest.mark.slow
def test_the_published_bias_is_found_on_the_strong_ring(shared_data):
    lines = (shared_data / "das_fiete_2020_errors.csv").read_text().splitlines()
    rows = csv.DictReader(line for line in lines if not line.startswith("#"))
    published = next(row for row in rows if row["recurrent_strength"] == "0.025")
    network = threshold_ring(0.025)
    recording = simulate(network, 240.0, np.random.default_rng(0))
    inferred = Ising().fit(recording).connectivity_
    np.testing.assert_array_equal(inferred.weights, inferred.weights.T)
    error = inference_error(inferred, network.connectivity)
    assert error.bias == pytest.approx(float(published["ising_mpf_bias"]), rel=0.15)
