import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from spikeweft.circuit_gnn.ablations import BilinearForm, ConcatenationNetwork
from spikeweft.circuit_gnn.structure_learning import pair_network
from spikeweft.circuit_gnn.structure_learning.pair_network import (
    Embedding,
    PairNetwork,
    spectral_embedding,
)
from spikeweft.simulation.ring_networks import lnp_ring

MODELS = [PairNetwork, ConcatenationNetwork, BilinearForm]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in a fit: threads that share one small decomposition wait for each other."""
    with threadpool_limits(1):
        yield


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def mexican_hat():
    weights = lnp_ring().connectivity.weights.copy()
    np.fill_diagonal(weights, 0.0)
    return weights


# -- embeddings --


def nearest(places):
    """The neuron whose place is closest to each neuron's."""
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return apart.argmin(axis=1)


def ring_distance(a, b, n):
    return np.minimum((a - b) % n, (b - a) % n)


@pytest.mark.parametrize("n_dimensions", [6, 12])
def test_embeddings_separate_neurons_of_bumps_that_are_active_together(mexican_hat, n_dimensions):
    """Neurons i and i + 25 fire together, so they look alike; their inputs do not."""
    n = len(mexican_hat)
    neuron = np.arange(n)
    z = spectral_embedding(mexican_hat, n_dimensions, directed=False).receiver.numpy()
    assert np.all(ring_distance(nearest(z), neuron, n) <= 2)
    across = np.linalg.norm(z - np.roll(z, -25, axis=0), axis=1)
    beside = np.linalg.norm(z - np.roll(z, -1, axis=0), axis=1)
    assert across.min() > 3 * beside.max()
    bumps = np.cos(2 * np.pi * 4 * (neuron[:, None] - neuron) / n)
    together = np.linalg.norm(bumps - np.roll(bumps, -25, axis=0), axis=1)
    assert together.max() < 1e-9, "while correlation profiles are the same"


def test_eigenvectors_of_a_low_rank_circuit_give_it_back():
    """The unknown diagonal is imputed, so it does not disturb."""
    rng = np.random.default_rng(0)
    places = rng.normal(size=(30, 3))
    weights = places @ places.T
    np.fill_diagonal(weights, 0.0)
    z = spectral_embedding(weights, 3, directed=False).receiver.numpy().astype(float)
    again = z @ z.T
    mask = ~np.eye(30, dtype=bool)
    assert np.corrcoef(again[mask], weights[mask])[0, 1] > 0.999


def test_a_directed_circuit_has_receivers_and_senders():
    rng = np.random.default_rng(0)
    receivers, senders = rng.normal(size=(2, 30, 3))
    weights = receivers @ senders.T
    np.fill_diagonal(weights, 0.0)
    z = spectral_embedding(weights, 3, directed=True)
    mask = ~np.eye(30, dtype=bool)
    again = z.receiver.numpy() @ z.sender.numpy().T
    assert np.corrcoef(again[mask], weights[mask])[0, 1] > 0.999
    assert abs(np.corrcoef(again.T[mask], weights[mask])[0, 1]) < 0.5


def test_relabelling_the_neurons_relabels_the_distances(mexican_hat):
    order = np.random.default_rng(0).permutation(len(mexican_hat))
    z, relabelled = (
        spectral_embedding(weights, 7, directed=False).receiver.numpy()
        for weights in (mexican_hat, mexican_hat[np.ix_(order, order)])
    )
    gram, regram = z @ z.T, relabelled @ relabelled.T
    np.testing.assert_allclose(regram, gram[np.ix_(order, order)], atol=1e-3)


def test_no_connections_give_finite_places():
    z = spectral_embedding(np.zeros((5, 5)), 3, directed=False)
    assert torch.all(torch.isfinite(z.receiver))


# -- pair models --


def placed(directed):
    receiver, sender = torch.randn(2, 8, 3, generator=generator())
    return Embedding(receiver, sender if directed else receiver)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("directed", [False, True])
def test_no_neuron_drives_itself(model, directed):
    network = model(3, directed, generator())
    weights = network(*placed(directed))
    assert torch.all(weights.diagonal() == 0)
    assert torch.all(weights[~torch.eye(8, dtype=torch.bool)] != 0)


@pytest.mark.parametrize("model", MODELS)
def test_undirected_pairs_have_one_weight_and_directed_ones_two(model):
    z = placed(directed=False)
    both = model(3, False, generator())(*z)
    assert torch.equal(both, both.T)
    each = model(3, True, generator())(*z)
    assert not torch.allclose(each, each.T)


@pytest.mark.parametrize("model", MODELS)
def test_which_of_a_pair_comes_first_does_not_matter_where_undirected(model):
    network, z = model(3, False, generator()), placed(directed=False).receiver
    torch.testing.assert_close(network.weight(z[:4], z[4:]), network.weight(z[4:], z[:4]))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("directed", [False, True])
def test_relabelling_the_neurons_relabels_the_weights(model, directed):
    network, order = model(3, directed, generator()), torch.randperm(8, generator=generator(1))
    z = placed(directed)
    weights = network(*z)
    relabelled = network(z.receiver[order], z.sender[order])
    torch.testing.assert_close(relabelled, weights[order][:, order])


@pytest.mark.parametrize("model", MODELS)
def test_a_weight_is_read_from_the_receiver_of_its_row_and_the_sender_of_its_column(model):
    """Moving neuron 5 as a sender changes what it sends, and nothing else."""
    network, z = model(3, True, generator()), placed(directed=True)
    moved = z.sender.clone()
    moved[5] += 1.0
    changed = network(z.receiver, moved) != network(z.receiver, z.sender)
    expected = torch.zeros(8, 8, dtype=torch.bool)
    expected[:, 5] = True
    expected[5, 5] = False
    assert torch.equal(changed, expected)


def test_the_slope_of_places_is_that_of_indexing():
    """Its sums are compiled; a neuron may be in several pairs, or in none."""
    places = torch.randn(5, 3, generator=generator(), requires_grad=True)
    neurons, by = torch.tensor([0, 0, 3, 1, 3, 0]), torch.randn(6, 3, generator=generator(1))
    found = pair_network._Places.apply(places, neurons)
    torch.testing.assert_close(found, places[neurons])
    (slope,) = torch.autograd.grad((found * by).sum(), places)
    (plain,) = torch.autograd.grad((places[neurons] * by).sum(), places)
    torch.testing.assert_close(slope, plain)
