import numpy as np
import pytest
import torch

from spikeweft.graph_networks.nri_model import (
    N_KINDS,
    NO_EDGE_PRIOR,
    EdgeEncoder,
    RelationalModel,
    concrete,
    divergence,
    effect_of_a_spike,
)

N = 5


@pytest.fixture
def model():
    generator = torch.Generator().manual_seed(0)
    return RelationalModel(30, torch.full((N,), -4.0), generator)


@pytest.fixture
def history():
    counts = np.random.default_rng(0).poisson(0.05, (64, 30, N))
    return torch.from_numpy(counts).float()


def test_without_edges_no_spike_reaches_another_neuron(model, history):
    edges = torch.zeros(N, N, N_KINDS)
    pre, ago = torch.full((64,), 3), torch.full((64,), 2)
    effect = effect_of_a_spike(model.decoder, history, edges, pre, ago)
    others = np.arange(N) != 3
    np.testing.assert_allclose(effect[:, others], 0, atol=1e-6)
    assert torch.any(effect[:, 3] != 0), "its own history"


def test_an_edge_carries_spikes_from_pre_to_post(model, history):
    edges = torch.zeros(N, N, N_KINDS)
    edges[1, 3, 0] = 1.0
    pre, ago = torch.full((64,), 3), torch.full((64,), 2)
    effect = effect_of_a_spike(model.decoder, history, edges, pre, ago).abs().amax(0)
    assert effect[1] > 0
    np.testing.assert_allclose(effect[[0, 2, 4]], 0, atol=1e-6)


def test_relabelling_the_neurons_relabels_the_logits(model, history):
    order = torch.tensor([2, 0, 4, 1, 3])
    logits = model.encoder(history)
    relabelled = model.encoder(history[..., order])
    mask = ~np.eye(N, dtype=bool)
    expected = logits[order][:, order]
    np.testing.assert_allclose(
        relabelled.detach()[mask], expected.detach()[mask], rtol=1e-3, atol=1e-4
    )


def test_a_pair_has_logits_in_both_directions(history):
    logits = EdgeEncoder(30)(history)
    assert logits.shape == (N, N, 1 + N_KINDS)
    assert not torch.allclose(logits, logits.transpose(0, 1))


def test_draws_of_edges_are_shares_that_follow_the_logits():
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1])).expand(80, 80, 3)
    drawn = concrete(logits, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn.sum(-1), 1, rtol=1e-5)
    chosen = np.bincount(drawn.argmax(-1).ravel(), minlength=3) / 6400
    np.testing.assert_allclose(chosen, [0.7, 0.2, 0.1], atol=0.03)


def test_edges_as_sparse_as_the_prior_cost_nothing():
    kind = (1 - NO_EDGE_PRIOR) / N_KINDS
    prior = torch.log(torch.tensor([NO_EDGE_PRIOR] + [kind] * N_KINDS))
    assert float(divergence(prior.expand(N, N, -1))) == pytest.approx(0, abs=1e-5)
    assert float(divergence(torch.zeros(N, N, 1 + N_KINDS))) > 1
