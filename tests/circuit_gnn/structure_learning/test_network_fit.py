import numpy as np
import pytest
import torch
from tests.circuit_gnn.structure_learning.conftest import generator
from threadpoolctl import threadpool_limits

from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FreeWeights,
    NetworkShape,
    NetworkTrainer,
    StructureProblem,
)
from spikeweft.circuit_gnn.structure_learning.pair_network import PairNetwork
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in a fit: threads that share one small decomposition wait for each other."""
    with threadpool_limits(1):
        yield


def ring_distance(a, b, n):
    return np.minimum((a - b) % n, (b - a) % n)


def known(determined, weights=None, precision=4.0):
    n = len(determined)
    weights = np.zeros((n, n)) if weights is None else weights
    own = torch.full((n, 1), precision).double()
    return FreeWeights(torch.from_numpy(weights), torch.from_numpy(determined), own)


def row_weights(values, rest=0.0):
    """Weights of five neurons, the first of which receives these."""
    weights = np.full((5, 5), rest)
    weights[0] = values
    return torch.from_numpy(weights)


def test_where_spikes_determine_every_weight_there_is_no_prior():
    weights = torch.randn(5, 5, generator=generator()).double()
    assert float(known(np.ones((5, 5))).penalty(weights)) == 0.0


def test_undetermined_weights_are_drawn_to_those_of_which_spikes_say_a_little():
    """Neither the well known weights of the neuron nor the unknown ones move the centre."""
    determined = np.ones((5, 5))
    determined[0] = [1.0, 1.0, 0.5, 0.0, 0.0]
    prior = known(determined)
    edge = 0.3
    at_edge = row_weights([0.0, 9.0, edge, edge, edge])
    assert float(prior.penalty(at_edge)) < 1e-3
    away = row_weights([0.0, 9.0, edge, edge + 1.0, edge])
    np.testing.assert_allclose(float(prior.penalty(away)), 0.5 * 4.0, rtol=1e-2)
    above, below = (
        float(prior.penalty(row_weights([0.0, 9.0, edge, edge + s, edge]))) for s in (0.5, -0.5)
    )
    np.testing.assert_allclose(above, below, rtol=1e-2)


def test_the_prior_of_a_neuron_does_not_depend_on_where_its_edge_lies():
    """All weights of a neuron moved together, the prior says the same of them."""
    determined = np.random.default_rng(0).random((5, 5))
    weights = torch.randn(5, 5, generator=generator()).double().fill_diagonal_(0.0)
    np.fill_diagonal(determined, 0.0)
    edge = (determined * (1 - determined)) ** 2
    moved = weights + 3.0 * (1 - torch.eye(5))
    assert edge.sum(axis=1).min() > 0.05
    penalties = [float(known(determined).penalty(w)) for w in (weights, moved)]
    np.testing.assert_allclose(*penalties, rtol=1e-3)


def test_weights_that_are_not_determined_differ_no_more_than_those_at_the_edge():
    """The prior becomes as narrow as the weights there are, but never wider."""
    rng = np.random.default_rng(0)
    determined = np.full((30, 30), 0.5)
    determined[:, 20:] = 0.0
    spread = np.where(determined > 0, 0.1, 5.0)
    weights = torch.from_numpy(rng.normal(0.0, spread))
    narrow = known(determined).continued_as(weights).precision
    assert torch.all(narrow == narrow[0])
    np.testing.assert_allclose(float(narrow[0]), 1 / 0.1**2, rtol=0.2)
    wide = known(determined).continued_as(100 * weights).precision
    np.testing.assert_array_equal(wide, known(determined).precision)


def test_a_neurons_drive_of_itself_has_no_prior():
    determined = np.full((5, 5), 0.2)
    weights = torch.zeros(5, 5).double()
    assert float(known(determined).penalty(weights)) == 0.0


def test_a_network_imitates_free_weights_as_far_as_spikes_determine_them():
    free = np.random.default_rng(0).normal(size=(5, 5))
    determined = np.zeros((5, 5))
    determined[2, 3], determined[1, 0] = 1.0, 0.5
    prior = known(determined, free)
    assert float(prior.imitation(torch.from_numpy(free))) == 0.0
    away = float(prior.imitation(torch.from_numpy(free + 2.0)))
    np.testing.assert_allclose(away, 1.0 * 4.0 + 0.5 * 4.0)


N_RING = 40


def seen_through_noise(truth, rng):
    """Noisy weights, and the quadratic form of a recording that would leave this noise.

    Information differs between pairs tenfold; own history and bias are known exactly.
    """
    n = len(truth)
    spread = np.abs(truth).max()
    information = rng.uniform(2.0, 20.0, (n, n)) / spread**2
    return information, truth + rng.normal(size=(n, n)) / np.sqrt(information)


def form_around(noisy, truth, information, rng):
    """The quadratic form of data of their own, drawn with this information about the truth."""
    n = len(truth)
    own_best = truth + rng.normal(size=(n, n)) / np.sqrt(information)
    gradient, fisher = torch.zeros(n, n + 3).double(), torch.zeros(n, n + 3, n + 3).double()
    gradient[:, :n] = torch.from_numpy(information * (own_best - noisy))
    fisher[:, :n, :n] = torch.diag_embed(torch.from_numpy(information))
    for k in range(n, n + 3):
        fisher[:, k, k] = 1.0
    return QuadraticLikelihood(gradient, fisher.float())


@pytest.fixture(scope="module")
def ring():
    """The noisy weights of a ring, the form that belongs to them, and one of held-out spikes."""
    rng = np.random.default_rng(0)
    apart = np.minimum(np.arange(N_RING), N_RING - np.arange(N_RING))
    profile = np.exp(-0.5 * (apart / 4) ** 2) - 0.5
    truth = np.stack([np.roll(profile, i) for i in range(N_RING)])
    np.fill_diagonal(truth, 0.0)
    information, noisy = seen_through_noise(truth, rng)
    np.fill_diagonal(noisy, 0.0)
    gradient, fisher = torch.zeros(N_RING, N_RING + 3), torch.zeros(N_RING, N_RING + 3, N_RING + 3)
    fisher[:, :N_RING, :N_RING] = torch.diag_embed(torch.from_numpy(information))
    fisher[:, range(N_RING, N_RING + 3), range(N_RING, N_RING + 3)] = 1.0
    training = QuadraticLikelihood(gradient.double(), fisher.float())
    return truth, noisy, training, form_around(noisy, truth, information / 8, rng)


def known_from_spikes(noisy):
    """Weights of which spikes say all that is known, and those onto itself, of which none."""
    return known(1.0 - np.eye(len(noisy)), noisy)


def learned_by(problem, shape, n_steps, seed=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", n_steps)
        return NetworkTrainer(problem, shape, generator(seed)).train()


def learn(ring, seed=0, n_steps=300, n_dimensions=4):
    _, noisy, training, held_out = ring
    problem = StructureProblem(known_from_spikes(noisy), training, held_out)
    return learned_by(problem, NetworkShape(n_dimensions, False), n_steps, seed)


@pytest.fixture(scope="module")
def learned(ring):
    return learn(ring)


def error(weights, truth):
    return np.linalg.norm(weights - truth) / np.linalg.norm(truth)


def test_what_pairs_share_removes_most_of_the_noise(ring, learned):
    truth, noisy = ring[:2]
    symmetric = (noisy + noisy.T) / 2
    assert error(learned.weights, truth) < 0.5 * error(noisy, truth)
    assert error(learned.weights, truth) < 0.7 * error(symmetric, truth)


def test_held_out_spikes_see_the_improvement(ring, learned):
    """The score is that of the held-out form, at the weights that are reported."""
    _, noisy, training, held_out = ring
    assert learned.held_out_nats < -10.0
    others = ConditionalOptimum.of(training, N_RING)
    nats = held_out.nats(others.given(torch.from_numpy(learned.weights - noisy)))
    np.testing.assert_allclose(learned.held_out_nats, float(nats), rtol=1e-3)


def test_a_network_of_nothing_but_noise_is_not_better_than_none():
    """Weights without structure are not predicted by any: held-out spikes say so."""
    rng = np.random.default_rng(3)
    truth = rng.normal(size=(20, 20))
    np.fill_diagonal(truth, 0.0)
    information = np.full((20, 20), 50.0)
    noisy = truth + rng.normal(size=(20, 20)) / np.sqrt(information)
    np.fill_diagonal(noisy, 0.0)
    forms = [form_around(noisy, truth, information, rng) for _ in range(2)]
    problem = StructureProblem(known_from_spikes(noisy), *forms)
    found = learned_by(problem, NetworkShape(3, False), n_steps=50)
    assert found.held_out_nats > 100.0


def test_the_same_generator_learns_the_same_weights(ring):
    first, again, other = (learn(ring, seed, n_steps=50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.held_out_nats == again.held_out_nats
    assert np.any(other.weights != first.weights)


def test_undirected_networks_have_symmetric_weights(learned):
    np.testing.assert_array_equal(learned.weights, learned.weights.T)


def test_where_spikes_say_nothing_the_network_goes_on_as_at_the_edge():
    """Free weights of pairs that are never active together are nonsense, and are not imitated."""
    rng = np.random.default_rng(5)
    apart = ring_distance(np.arange(N_RING)[:, None], np.arange(N_RING), N_RING)
    truth = np.exp(-0.5 * (apart / 3) ** 2) - 1.0
    np.fill_diagonal(truth, 0.0)
    determined = np.clip((13.0 - apart) / 3, 0.0, 1.0)
    information = 20.0 * determined + 1e-3
    noisy = truth + 0.1 * rng.normal(size=truth.shape)
    far = determined == 0
    noisy[far] = 2.0
    np.fill_diagonal(noisy, 0.0)
    training, held_out = (form_around(noisy, truth, information, rng) for _ in range(2))
    free = known(determined, noisy, precision=10.0)
    problem = StructureProblem(free, training, held_out)
    found = learned_by(problem, NetworkShape(4, False), n_steps=200)
    assert error(found.weights[far], truth[far]) < 0.1
    assert error(found.weights, truth) < 0.1


@pytest.mark.parametrize("directed", [False, True])
def test_networks_of_many_neurons_learn_from_some_of_them_at_a_time(directed, monkeypatch):
    """A circuit that is a function of two places is found as where all are taken at once."""
    monkeypatch.setattr(network_fit, "_ROWS_OF_MANY", 8)
    n = 24
    place = np.arange(n)
    true = np.cos(2 * np.pi * (place[:, None] - place) / n) * (1.0 - np.eye(n))
    fisher = torch.eye(n).repeat(n, 1, 1) * 400.0
    noise = np.random.default_rng(0).normal(0.0, 0.3, (n, n)) * (1.0 - np.eye(n))
    free = known(np.ones((n, n)), true + noise)
    still = torch.zeros(n, n, dtype=torch.float64)
    form = QuadraticLikelihood(still, fisher)
    to_truth = torch.from_numpy(true - free.weights.numpy())
    held_out = QuadraticLikelihood(400.0 * to_truth, fisher)
    problem = StructureProblem(free=free, training=form, held_out=held_out)

    def error(all_rows):
        monkeypatch.setattr(network_fit, "_ALL_ROWS", all_rows)
        found = NetworkTrainer(problem, NetworkShape(3, directed), generator()).train().weights
        return np.sqrt(np.mean((found - true) ** 2))

    at_once = error(all_rows=n)
    assert at_once < 0.7 * np.sqrt(np.mean(noise**2))
    assert error(all_rows=n - 1) < 1.2 * at_once


def test_some_rows_of_a_network_are_those_of_the_whole():
    problem_rows = torch.tensor([4, 1])
    for directed in (False, True):
        network = PairNetwork(2, directed, generator())
        receiver, sender = torch.randn(2, 6, 2, generator=generator())
        sender = sender if directed else receiver
        whole = network(receiver, sender)
        torch.testing.assert_close(network(receiver, sender, problem_rows), whole[problem_rows])
