import numpy as np
import pytest
import torch

from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.graph_networks import nri, nri_model
from spikeweft.graph_networks.nri import NRI
from spikeweft.graph_networks.nri_model import (
    EdgeEncoder,
    RelationalModel,
    concrete,
    divergence,
    effect_of_a_spike,
)

N = 5


def record(duration_s=40.0, *, seed=0, follow=0.9):
    """Poisson neurons at 20 Hz; neuron 1 follows neuron 0 within 3 ms."""
    rng = np.random.default_rng(seed)
    times = [rng.uniform(0, duration_s, n) for n in rng.poisson(20 * duration_s, size=N)]
    echoed = times[0][rng.uniform(size=len(times[0])) < follow]
    times[1] = np.concatenate([times[1], echoed + rng.uniform(1e-3, 3e-3, len(echoed))])
    return Recording.from_arrays(
        np.round(np.concatenate(times), 4),
        np.repeat(np.arange(N), [len(t) for t in times]),
        n_neurons=N,
        epochs_s=np.array([[0.0, duration_s]]),
    )


@pytest.fixture(autouse=True, scope="module")
def short_training():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nri, "BATCHES_PER_EPOCH", 80)
        patch.setattr(nri, "N_ENCODED_PAIRS", 25_000)
        yield


@pytest.fixture(scope="module")
def fitted():
    return NRI(n_epochs=4, batch_size=512).fit(record())


@pytest.fixture
def model():
    generator = torch.Generator().manual_seed(0)
    return RelationalModel(30, torch.full((N,), -4.0), generator)


@pytest.fixture
def history():
    counts = np.random.default_rng(0).poisson(0.05, (64, 30, N))
    return torch.from_numpy(counts).float()


@pytest.mark.slow
def test_a_neuron_that_is_followed_excites_its_follower(fitted):
    weights = fitted.connectivity_.weights
    strongest = np.unravel_index(np.argmax(np.abs(weights)), weights.shape)
    assert strongest == (1, 0), "post 1, pre 0"
    assert weights[1, 0] > 0.5


@pytest.mark.slow
def test_a_pair_without_a_connection_has_no_edge(fitted):
    edge = fitted.edge_probability_.sum(-1)
    assert edge[1, 0] > 0.9
    edge[1, 0] = 0.0
    assert edge.mean() < 0.2


def test_training_stops_where_held_out_spikes_gain_no_more(monkeypatch):
    monkeypatch.setattr(nri, "BATCHES_PER_EPOCH", 1)
    bits = iter([0.1, 0.3, 0.2, 0.2, 0.2])
    monkeypatch.setattr(nri, "held_out_bits", lambda *_: next(bits))
    fitted = NRI(n_epochs=30).fit(record(10.0))
    assert len(fitted.history_) == 2 + nri.PATIENCE


def test_without_edges_no_spike_reaches_another_neuron(model, history):
    edges = torch.zeros(N, N, nri.N_KINDS)
    pre, ago = torch.full((64,), 3), torch.full((64,), 2)
    effect = effect_of_a_spike(model.decoder, history, edges, pre, ago)
    others = np.arange(N) != 3
    np.testing.assert_allclose(effect[:, others], 0, atol=1e-6)
    assert torch.any(effect[:, 3] != 0), "its own history"


def test_an_edge_carries_spikes_from_pre_to_post(model, history):
    edges = torch.zeros(N, N, nri.N_KINDS)
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
    assert logits.shape == (N, N, 1 + nri.N_KINDS)
    assert not torch.allclose(logits, logits.transpose(0, 1))


def test_draws_of_edges_are_shares_that_follow_the_logits():
    logits = torch.log(torch.tensor([0.7, 0.2, 0.1])).expand(80, 80, 3)
    drawn = concrete(logits, torch.Generator().manual_seed(0))
    np.testing.assert_allclose(drawn.sum(-1), 1, rtol=1e-5)
    chosen = np.bincount(drawn.argmax(-1).ravel(), minlength=3) / 6400
    np.testing.assert_allclose(chosen, [0.7, 0.2, 0.1], atol=0.03)


def test_edges_as_sparse_as_the_prior_cost_nothing():
    kind = (1 - nri_model.NO_EDGE_PRIOR) / nri.N_KINDS
    prior = torch.log(torch.tensor([nri_model.NO_EDGE_PRIOR] + [kind] * nri.N_KINDS))
    assert float(divergence(prior.expand(N, N, -1))) == pytest.approx(0, abs=1e-5)
    assert float(divergence(torch.zeros(N, N, 1 + nri.N_KINDS))) > 1


def test_settings_that_cannot_be_fitted_are_refused():
    with pytest.raises(InputError, match="at least one of each"):
        NRI(n_epochs=0).fit(record(2.0))
    with pytest.raises(InputError, match="does not fit"):
        NRI(history_window_s=1e-5).fit(record(2.0))
