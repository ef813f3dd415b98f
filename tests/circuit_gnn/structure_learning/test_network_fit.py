import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from spikeweft.circuit_gnn.ablations import isotropic
from spikeweft.circuit_gnn.spike_prediction.fisher_scoring import FisherScoring
from spikeweft.circuit_gnn.spike_prediction.likelihood import log_likelihood
from spikeweft.circuit_gnn.spike_prediction.link import Link
from spikeweft.circuit_gnn.spike_prediction.neuron_parameters import (
    evaluate,
    without_connections,
)
from spikeweft.circuit_gnn.spike_prediction.traces import synaptic_traces
from spikeweft.circuit_gnn.structure_learning import network_fit
from spikeweft.circuit_gnn.structure_learning.network_fit import (
    FreeWeights,
    NetworkShape,
    NetworkTrainer,
    StructureProblem,
)
from spikeweft.circuit_gnn.structure_learning.quadratic_form import (
    ConditionalOptimum,
    QuadraticLikelihood,
    WeightLikelihood,
    is_weight,
)
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.neurons import LNPNeuron
from spikeweft.simulation.random_networks import DirectedWiring, RandomNetwork

N = 6


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """As in a fit: threads that share one small decomposition wait for each other."""
    with threadpool_limits(1):
        yield


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def ring_distance(a, b, n):
    return np.minimum((a - b) % n, (b - a) % n)


# -- the quadratic form --

LINK = Link(1.2, 3.0)
LINK_DAMPING = 0.004
"""In nats per spike."""


@pytest.fixture(scope="module")
def traces():
    wiring = DirectedWiring(connection_probability=0.4, weight_sd=1e-3)
    network = RandomNetwork(
        neuron=LNPNeuron(threshold=9e-4), wiring=wiring, n_neurons=N, recurrent_strength=0.1
    )
    recording = simulate(network, 40.0, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    return synaptic_traces(recording, tau_s=0.01, history_window_s=0.1, rng=rng, n_shared=1)


@pytest.fixture(scope="module")
def fit(traces):
    """A fit that has almost converged."""
    found, scoring = evaluate(traces, without_connections(traces, LINK)), FisherScoring()
    for _ in range(8):
        found = scoring.step(traces, found)
    return found


def damping_of(fit):
    return LINK_DAMPING * int(fit.derivatives.n_spikes.sum())


def small_change(fit, scale, seed=0):
    """A change of the weights that their standard errors would allow."""
    size = scale / np.sqrt(np.einsum("iff->if", fit.derivatives.fisher)[:, :N])
    change = size * np.random.default_rng(seed).normal(size=(N, N))
    np.fill_diagonal(change, 0.0)
    return torch.from_numpy(change)


def test_the_quadratic_form_is_the_likelihood_nearby(traces, fit):
    """Any parameters may change, the link's too; the likelihood is taken anew."""
    form = QuadraticLikelihood.around(fit.derivatives)
    rng = np.random.default_rng(1)
    size = 0.5 / np.sqrt(np.einsum("ipp->ip", form.fisher.numpy()) + 1e-9)
    change = np.where(form.fisher.diagonal(dim1=1, dim2=2) > 0, size, 0.0)
    change *= rng.normal(size=change.shape)
    change[:, -2:] = [2e-3, -3e-3]
    link = Link(LINK.power + 2e-3, LINK.log_gain - 3e-3)
    before = log_likelihood(traces, fit.values, LINK).sum()
    after = log_likelihood(traces, fit.values + change[:, :-2], link).sum()
    np.testing.assert_allclose(form.nats(torch.from_numpy(change)), before - after, rtol=0.15)


def test_all_else_is_where_a_joint_fit_would_be(fit):
    """The same as solving for every history, bias and the link at once, for given weights."""
    form, damping = QuadraticLikelihood.around(fit.derivatives), damping_of(fit)
    change = small_change(fit, 3.0)
    optimum = ConditionalOptimum.of(form, N, damping).given(change)
    n_parameters = optimum.shape[1]
    entries = is_weight(N, n_parameters, N).numpy()
    torch.testing.assert_close(optimum[:, :N][entries[:, :N]], change[entries[:, :N]])
    assert torch.equal(optimum[:, -2:], optimum[:1, -2:].expand(N, 2))
    own = [np.flatnonzero(~entries[i, :-2]) for i in range(N)]
    sizes = [len(columns) for columns in own]
    matrix, right = np.zeros((sum(sizes) + 2,) * 2), np.zeros(sum(sizes) + 2)
    gradient, fisher = form.gradient.numpy(), form.fisher.numpy()
    for i, columns in enumerate(own):
        block = slice(sum(sizes[:i]), sum(sizes[: i + 1]))
        push = gradient[i] - fisher[i][:, :N] @ change[i].numpy()
        matrix[block, block] = fisher[i][np.ix_(columns, columns)] + 1e-3 * np.eye(len(columns))
        matrix[block, -2:] = fisher[i][columns][:, -2:]
        matrix[-2:, block] = matrix[block, -2:].T
        matrix[-2:, -2:] += fisher[i][-2:, -2:]
        right[block], right[-2:] = push[columns], right[-2:] + push[-2:]
    matrix[-2:, -2:] += damping * np.eye(2)
    solved = np.linalg.solve(matrix, right)
    for i, columns in enumerate(own):
        part = solved[sum(sizes[:i]) : sum(sizes[: i + 1])]
        np.testing.assert_allclose(optimum[i, columns].numpy(), part, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(optimum[0, -2:].numpy(), solved[-2:], rtol=1e-6, atol=1e-12)


def test_nothing_else_is_likelier_than_the_conditional_optimum(fit):
    """Moving any history or bias away from it costs likelihood."""
    form = QuadraticLikelihood.around(fit.derivatives)
    optimum = ConditionalOptimum.of(
        form, N, LINK_DAMPING * int(fit.derivatives.n_spikes.sum())
    ).given(small_change(fit, 1.0))
    best, rng = float(form.nats(optimum)), np.random.default_rng(0)
    for _ in range(20):
        moved = optimum.clone()
        away = 0.05 * rng.normal(size=(N, optimum.shape[1] - 2 - N))
        moved[:, N:-2] += torch.from_numpy(away)
        assert float(form.nats(moved)) > best - 1e-3


def test_the_conditional_optimum_makes_up_for_most_of_a_change(traces, fit):
    """Weights pushed up are met by lower biases, by the true likelihood after a large step."""
    change = torch.full((N, N), 0.1, dtype=torch.float64).fill_diagonal_(0.0)
    damping = damping_of(fit)
    others = ConditionalOptimum.of(QuadraticLikelihood.around(fit.derivatives), N, damping)
    optimum = others.given(change).numpy()
    stiff = fit.values.copy()
    stiff[:, :N] += change.numpy()
    link = Link(LINK.power + optimum[0, -2], LINK.log_gain + optimum[0, -1])
    met = log_likelihood(traces, fit.values + optimum[:, :-2], link).sum()
    start = log_likelihood(traces, fit.values, LINK).sum()
    assert log_likelihood(traces, stiff, LINK).sum() < met
    assert met < start


def test_the_stiffer_the_link_the_less_it_moves(fit):
    """Down to not at all, where history and bias move alone."""
    form, change = QuadraticLikelihood.around(fit.derivatives), small_change(fit, 3.0)
    optima = [
        ConditionalOptimum.of(form, N, damping).given(change)[0, -2:]
        for damping in (1.0, 1e3, 1e12)
    ]
    size = [float(optimum.norm()) for optimum in optima]
    assert size[0] > size[1] > size[2]
    assert size[2] < 1e-6


def test_the_form_of_the_weights_is_the_whole_one_with_all_else_at_its_optimum(fit):
    """Its values up to a constant, and its slope, with sources that are not observed too."""
    for n_sources in (N, N + 2):
        form = QuadraticLikelihood.around(fit.derivatives)
        others = ConditionalOptimum.of(form, n_sources, damping_of(fit))
        alone = WeightLikelihood.of(form, others, n_sources)
        changes = 0.3 * torch.randn(5, N, n_sources, generator=generator(), dtype=torch.float64)
        for change in changes:
            change.fill_diagonal_(0.0)
        through_all = torch.stack([form.nats(others.given(change)) for change in changes])
        by_weights = torch.stack([alone.nats(change) for change in changes])
        torch.testing.assert_close(by_weights - by_weights[0], through_all - through_all[0])
        there = changes[0].clone().requires_grad_()
        (slope,) = torch.autograd.grad(alone.nats(there), there)
        (whole,) = torch.autograd.grad(form.nats(others.given(there)), there)
        torch.testing.assert_close(slope, whole)


def loss_of(form):
    """Rise of the negative log-likelihood with the weights, all else at its optimum."""
    others = ConditionalOptimum.of(form, N, 1e12)
    return WeightLikelihood.of(form, others, N).nats


def test_in_the_isotropic_form_all_weights_count_alike(fit):
    """Two equally large changes of one weight each cost the same; by the spikes they do not."""
    form = QuadraticLikelihood.around(fit.derivatives)
    level = form._replace(gradient=torch.zeros_like(form.gradient))

    def costs(loss):
        changes = torch.zeros(3, N, N, dtype=torch.float64)
        for k, (post, pre) in enumerate([(0, 1), (3, 2), (5, 4)]):
            changes[k, post, pre] = 1.0
        return [float(loss(change)) for change in changes]

    alike, informed = costs(loss_of(isotropic(level, N))), costs(loss_of(level))
    np.testing.assert_allclose(alike, alike[0], rtol=1e-6)
    assert max(informed) > 1.1 * min(informed)


def test_the_isotropic_form_knows_the_slope(fit):
    """The smallest changes cost the same in either form."""
    form = QuadraticLikelihood.around(fit.derivatives)
    change = small_change(fit, 1e-6)
    losses = loss_of(isotropic(form, N)), loss_of(form)
    plain, natural = (float(loss(change) - loss(0 * change)) for loss in losses)
    np.testing.assert_allclose(plain, natural, rtol=0.05, atol=1e-9)


def test_weights_from_hidden_neurons_are_weights_too(fit):
    """A change of theirs is passed on as it is, and the bias follows it."""
    form, change = (
        QuadraticLikelihood.around(fit.derivatives),
        torch.zeros(N, N + 2, dtype=torch.float64),
    )
    change[:, N + 1] = 0.1
    others = ConditionalOptimum.of(form, N + 2, 1e12)
    optimum, still = others.given(change), others.given(0 * change)
    torch.testing.assert_close(optimum[:, : N + 2].fill_diagonal_(0.0), change)
    assert float((optimum - still)[:, N + 2 : -2].abs().max()) > 1e-4


# -- what is known of the weights --


def known(determined, weights=None, precision=4.0):
    n = len(determined)
    weights = np.zeros((n, n)) if weights is None else weights
    return FreeWeights(torch.from_numpy(weights), torch.from_numpy(determined), precision)


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


# -- structure --

N_RING = 40
NO_HIDDEN = np.zeros((0, N_RING))


def seen_through_noise(truth, rng):
    """Noisy weights, and the quadratic form of a recording that would leave this noise.

    Information differs between pairs tenfold; own history, bias and link are known exactly.
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
    return QuadraticLikelihood(gradient, fisher)


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
    training = QuadraticLikelihood(gradient.double(), fisher.double())
    return truth, noisy, training, form_around(noisy, truth, information / 8, rng)


def known_from_spikes(noisy):
    """Weights of which spikes say all that is known, and those onto itself, of which none."""
    return known(1.0 - np.eye(len(noisy)), noisy)


N_SPIKES = 1000


def learned_by(problem, shape, n_steps, seed=0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(network_fit, "LEARNING_STEPS", n_steps)
        return NetworkTrainer(problem, shape, generator(seed)).train()


def learn(ring, seed=0, n_steps=300, n_dimensions=4):
    _, noisy, training, held_out = ring
    problem = StructureProblem(known_from_spikes(noisy), training, held_out, NO_HIDDEN, N_SPIKES)
    return learned_by(problem, NetworkShape(n_dimensions, False, LINK_DAMPING), n_steps, seed)


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
    others = ConditionalOptimum.of(training, N_RING, LINK_DAMPING * N_SPIKES)
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
    problem = StructureProblem(known_from_spikes(noisy), *forms, np.zeros((0, 20)), N_SPIKES)
    found = learned_by(problem, NetworkShape(3, False, LINK_DAMPING), n_steps=50)
    assert found.held_out_nats > 100.0


def test_the_same_generator_learns_the_same_weights(ring):
    first, again, other = (learn(ring, seed, n_steps=50) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.weights, again.weights)
    assert first.held_out_nats == again.held_out_nats
    assert np.any(other.weights != first.weights)


def test_undirected_networks_have_symmetric_weights(learned):
    np.testing.assert_array_equal(learned.weights, learned.weights.T)


def test_a_hidden_neuron_gets_the_weights_of_those_between_which_it_lies(ring):
    """One that lies right on an observed neuron is wired as that one, to it and from it."""
    _, noisy, training, _ = ring
    mix = np.eye(N_RING)[[7]]
    fisher = torch.zeros(N_RING, N_RING + 4, N_RING + 4, dtype=torch.float64)
    old = [*range(N_RING), *range(N_RING + 1, N_RING + 4)]
    fisher[:, torch.tensor(old)[:, None], torch.tensor(old)] = training.fisher
    gradient = torch.zeros(N_RING, N_RING + 4, dtype=torch.float64)
    gradient[:, old] = training.gradient
    wider = QuadraticLikelihood(gradient, fisher)
    weights = np.concatenate([noisy, noisy[:, [7]]], axis=1)
    determined = np.concatenate([1.0 - np.eye(N_RING), np.zeros((N_RING, 1))], axis=1)
    problem = StructureProblem(known(determined, weights), wider, wider, mix, N_SPIKES)
    found = learned_by(problem, NetworkShape(4, False, LINK_DAMPING), n_steps=50)
    assert found.weights.shape == (N_RING + 1, N_RING + 1)
    others = np.arange(N_RING) != 7
    for like, as_observed in (
        (found.weights[N_RING, :N_RING], found.weights[7]),
        (found.weights[:N_RING, N_RING], found.weights[:, 7]),
    ):
        np.testing.assert_allclose(like[others], as_observed[:N_RING][others], rtol=1e-4, atol=1e-6)


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
    problem = StructureProblem(free, training, held_out, NO_HIDDEN, N_SPIKES)
    found = learned_by(problem, NetworkShape(4, False, LINK_DAMPING), n_steps=200)
    assert error(found.weights[far], truth[far]) < 0.1
    assert error(found.weights, truth) < 0.1
