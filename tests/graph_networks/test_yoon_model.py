from dataclasses import replace

import numpy as np
import pytest
import torch

from spikeweft.graph_networks.hidden_placement import hidden_angles, ring_interpolation
from spikeweft.graph_networks.yoon_model import (
    N_SNAPSHOTS,
    YoonModel,
    YoonShape,
    effect_of_a_spike,
    poisson_loss,
    weight_of_a_spike,
)

N = 6
RING = 2 * np.pi * np.arange(N) / N


SHAPE = YoonShape(
    history_bins=24,
    tau_bins=None,
    n_components=None,
    symmetric_pairs=False,
    even_start=False,
    input_turns=False,
    n_units=64,
    n_message_units=64,
    message_width=64,
)


def build(*, n_hidden=0, drive=False, seed=0, **shape):
    hidden_rad = hidden_angles(RING, n_hidden)
    return YoonModel(
        replace(SHAPE, **shape),
        interpolation=ring_interpolation(hidden_rad, RING),
        drive_angle_rad=np.concatenate([RING, hidden_rad]) if drive else None,
        log_mean_count=np.log(0.05),
        generator=torch.Generator().manual_seed(seed),
    ).eval()


def spikes(n_windows, seed=0, n_neurons=N, n_lags=24):
    rate = torch.full((n_windows, n_lags, n_neurons), 0.1)
    return torch.poisson(rate, generator=torch.Generator().manual_seed(seed))


def test_messages_flow_from_pre_to_post():
    """Silence the graph but for one synapse, 3 -> 1, and let neuron 3 spike."""
    graph = torch.zeros(N, N)
    graph[1, 3] = 1.0
    effect = effect_of_a_spike(
        build(), spikes(1), graph, torch.tensor([3]), torch.tensor([22])
    ).squeeze()
    felt = set(torch.nonzero(effect).flatten().tolist())
    assert felt == {1, 3}, "neuron 1 hears neuron 3, who remembers its own spike; nobody else does"


@pytest.mark.parametrize("width", [1, 3])
def test_a_message_has_as_many_numbers_as_it_is_wide(width):
    passing = build(message_width=width).prediction.passing
    state = torch.randn(1, N, 64, generator=torch.Generator().manual_seed(0))
    weights = torch.eye(N).roll(1, 0)
    message = passing(state, state, weights)
    assert message.shape == (1, N, width)
    pair = torch.relu(passing.receiver(state[0, 1]) + passing.sender(state[0, 0]))
    torch.testing.assert_close(message[0, 1], passing.second(pair))


def test_nobody_synapses_onto_itself():
    graph = build(n_hidden=2).graph(spikes(N_SNAPSHOTS))
    assert torch.count_nonzero(graph.diagonal()) == 0
    assert graph.shape == (N + 2, N + 2)


def test_a_graph_is_symmetric():
    graph = build().graph(spikes(N_SNAPSHOTS))
    assert torch.equal(graph, graph.T)


@pytest.mark.parametrize("training", [False, True], ids=["predicting", "training"])
def test_relabelling_the_neurons_relabels_the_answer(training):
    model = build().train(training)
    snapshots, history = spikes(N_SNAPSHOTS), spikes(5, seed=1)
    new = torch.tensor([3, 0, 5, 1, 4, 2])
    with torch.no_grad():
        graph = model.graph(snapshots)
        relabelled = model.graph(snapshots[:, :, new])
        torch.testing.assert_close(relabelled, graph[new][:, new], rtol=1e-3, atol=1e-5)
        log_rate = model(history, graph)[:, 0]
        torch.testing.assert_close(
            model(history[:, :, new], relabelled)[:, 0], log_rate[:, new], rtol=1e-3, atol=1e-4
        )


@pytest.mark.parametrize("symmetric", [False, True], ids=["concatenated", "symmetric"])
def test_relabelling_whitened_trains_relabels_the_graph(symmetric):
    model = build(n_components=N - 1, symmetric_pairs=symmetric)
    coordinates = torch.randn(N, N - 1, generator=torch.Generator().manual_seed(0))
    new = torch.tensor([3, 0, 5, 1, 4, 2])
    with torch.no_grad():
        graph = model.graph(coordinates)
        torch.testing.assert_close(model.graph(coordinates[new]), graph[new][:, new])
    assert graph.std() > 1e-3


def test_whitened_embeddings_start_at_the_leading_coordinates():
    coordinates = torch.randn(N, 30, generator=torch.Generator().manual_seed(0))
    embedding = build(n_components=30).structure.embedding
    torch.testing.assert_close(embedding(coordinates), coordinates[:, :16])
    few = build(n_components=3).structure.embedding(coordinates[:, :3])
    torch.testing.assert_close(few[:, :3], coordinates[:, :3])
    assert torch.count_nonzero(few[:, 3:]) == 0


def test_smooth_kernels_start_about_decays_with_the_synaptic_one_in_the_middle():
    drawn, smooth = (
        build(tau_bins=tau_bins).prediction.convolution.kernels.weight.detach()[:, 0]
        for tau_bins in (None, 10.0)
    )
    decays = smooth - drawn
    torch.testing.assert_close(decays[:, -1], torch.ones(32))
    tau_bins = -1 / torch.log(decays[:, -2])
    torch.testing.assert_close(tau_bins[[0, -1]], torch.tensor([2.5, 40.0]), rtol=1e-3, atol=0)
    assert (tau_bins < 10).sum() == (tau_bins > 10).sum()


def test_an_even_start_has_nearly_the_same_weight_for_all_pairs():
    pairs = ~np.eye(N, dtype=bool)
    even, usual = (
        build(even_start=start).graph(spikes(N_SNAPSHOTS)).detach().numpy()[pairs]
        for start in (True, False)
    )
    np.testing.assert_allclose(even.std(), 0.1 * usual.std(), rtol=1e-3)
    np.testing.assert_allclose(even.mean(), 0.2, atol=0.02)


@pytest.mark.parametrize("history_bins", [1, 20, 30])
def test_bins_of_a_stretch_are_predicted_as_each_by_itself(history_bins):
    model = build(history_bins=history_bins, n_units=5, n_message_units=3, message_width=2)
    n_bins = 7
    whole = spikes(2, n_lags=history_bins + n_bins - 1)
    graph = torch.rand(N, N, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = model(whole, graph)
        for bin_ in range(n_bins):
            alone = model(whole[:, bin_ : bin_ + history_bins], graph)
            torch.testing.assert_close(alone[:, 0], together[:, bin_])


@pytest.mark.parametrize("n_hidden", [0, 2])
def test_a_sample_of_bins_and_the_spikes_are_predicted_as_all_bins_are(n_hidden):
    model = build(n_hidden=n_hidden, drive=True, n_message_units=3, input_turns=True)
    torch.nn.init.constant_(model.prediction.passing.turning.gain, 1.7)
    history, graph = spikes(2, n_lags=24 + 6), torch.rand(N + n_hidden, N + n_hidden)
    drive, fired = torch.rand(2, 7), spikes(2, n_lags=7, seed=1) > 0
    with torch.no_grad():
        in_all = model(history, graph, drive)
        in_sample, at_spikes = model.sampled(history, graph, drive, slice(1, None, 3), fired)
    torch.testing.assert_close(in_sample, in_all[:, 1::3])
    torch.testing.assert_close(at_spikes, in_all[fired])


def test_neurons_active_at_other_moments_get_other_weights():
    snapshots = spikes(N_SNAPSHOTS)
    snapshots[:, :, 1] = snapshots[:, :, 0]
    graph = build().graph(snapshots)
    torch.testing.assert_close(graph[0, 2:], graph[1, 2:])
    assert (graph[0, 3:] - graph[2, 3:]).abs().min() > 1e-4


def test_the_starting_model_depends_on_the_seed_only():
    snapshots = spikes(N_SNAPSHOTS)
    graph = build().graph(snapshots)
    torch.rand(3)
    assert torch.equal(build().graph(snapshots), graph)
    assert not torch.allclose(build(seed=1).graph(snapshots), graph)


def test_with_no_synapses_a_neuron_is_predicted_from_itself_alone():
    model, history = build(), spikes(4)
    changed = history.clone()
    changed[:, :, 1:] = spikes(4, seed=1)[:, :, 1:]
    silent = torch.zeros(N, N)
    torch.testing.assert_close(model(history, silent)[..., 0], model(changed, silent)[..., 0])


def test_a_hidden_neuron_sends_what_its_two_neighbours_would():
    model = build(n_hidden=1)
    graph = torch.zeros(N + 1, N + 1)
    graph[3, N] = 1.0
    for pre, felt in ((0, True), (1, True), (2, False), (4, False), (5, False)):
        effect = effect_of_a_spike(
            model, spikes(1), graph, torch.tensor([pre]), torch.tensor([22])
        ).squeeze()
        assert bool(effect[3] != 0) is felt


def test_hidden_neurons_are_not_scored():
    assert build(n_hidden=3)(spikes(2), torch.zeros(N + 3, N + 3)).shape == (2, 1, N)


def test_hidden_neurons_fill_the_gaps_of_the_ring():
    slots = 2 * np.pi * np.arange(20) / 20
    missing = np.array([3, 9, 16])
    found = hidden_angles(np.delete(slots, missing), 3)
    np.testing.assert_allclose(np.sort(found), slots[missing], atol=1e-9)


def test_hidden_neurons_spread_over_a_ring_without_gaps():
    found = np.sort(hidden_angles(2 * np.pi * np.arange(20) / 20, 4))
    apart = np.diff(found, append=found[0] + 2 * np.pi)
    assert apart.min() > np.pi / 4


def test_hidden_neurons_are_interpolated_linearly():
    observed = np.array([0.1, 3.0, 1.1, 6.2])
    hidden = np.array([0.35, 6.25, 2.05])
    mixture = ring_interpolation(hidden, observed)
    np.testing.assert_allclose(mixture.sum(1), 1.0)
    np.testing.assert_allclose(mixture[0], [0.75, 0, 0.25, 0])
    np.testing.assert_allclose(mixture[2], [0, 0.5, 0.5, 0])
    assert set(np.flatnonzero(mixture[1])) == {0, 3}, "across the end of the circle"


def test_turning_input_and_ring_together_changes_nothing():
    model, history, graph = build(drive=True), spikes(3), torch.rand(N, N)
    graph = (graph + graph.roll((1, 1), (0, 1))) / 2
    drive = torch.tensor([[0.3], [1.0], [-2.0]])
    step = 2 * np.pi / N
    turned = model(history.roll(1, 2), graph.roll((1, 1), (0, 1)), drive + step)
    torch.testing.assert_close(turned, model(history, graph, drive).roll(1, 2))
    assert not torch.allclose(model(history, graph, drive), model(history, graph, drive + 1.0))


def turned_by(gain, rotation_rad=0.0, **settings):
    """A model whose input turns the ring and does nothing else."""
    model = build(drive=True, input_turns=True, **settings)
    turning, encoder = model.prediction.passing.turning, model.prediction.input.encoder
    torch.nn.init.constant_(turning.gain, gain)
    torch.nn.init.constant_(turning.rotation_rad, rotation_rad)
    for parameter in encoder.parameters():
        torch.nn.init.zeros_(parameter)
    return model


def test_an_input_that_turns_the_ring_shifts_the_columns_of_the_graph():
    step = 2 * np.pi / N
    model, history, graph = turned_by(0.5, step), spikes(3), torch.rand(N, N)
    drive = torch.tensor([[0.0], [2 * step], [-4 * step]])
    found = model(history, graph, drive)
    for sample, places in enumerate((1, 2, -1)):
        shifted = graph.roll(places, 1)
        one = history[sample : sample + 1]
        torch.testing.assert_close(
            found[sample : sample + 1], model(one, shifted, None), rtol=1e-4, atol=1e-5
        )


def test_a_turn_by_half_a_place_is_heard_from_both_neighbours():
    step = 2 * np.pi / N
    model, graph = turned_by(0.0, step / 2), torch.zeros(N, N)
    graph[1, 3] = 1.0
    effects = [
        effect_of_a_spike(
            model, spikes(1), graph, torch.tensor([pre]), torch.tensor([22]), torch.zeros(1, 1)
        ).squeeze()[1]
        for pre in range(N)
    ]
    assert set(np.flatnonzero(effects)) == {1, 3, 4}, "itself, and the two between which it lies"
    weight = weight_of_a_spike(model, graph, torch.tensor([3, 4, 5]), torch.zeros(3, 1))
    torch.testing.assert_close(weight[:, 1], torch.tensor([0.5, 0.5, 0.0]), rtol=1e-4, atol=1e-4)


def test_hidden_neurons_are_turned_with_the_ring():
    step = 2 * np.pi / (2 * N)
    model = turned_by(1.0, n_hidden=1)
    graph = torch.zeros(N + 1, N + 1)
    graph[0, N] = 1.0
    heard = [
        weight_of_a_spike(model, graph, torch.tensor([pre]), torch.full((1, 1), step))[0, 0]
        for pre in range(N)
    ]
    (sender,) = np.flatnonzero(np.array(heard) > 0.99)
    hidden_rad = hidden_angles(RING, 1)[0]
    assert RING[sender] % (2 * np.pi) == pytest.approx((hidden_rad + step) % (2 * np.pi))


def test_what_hidden_neurons_pass_on_is_part_of_what_is_heard_of_a_spike():
    model = turned_by(0.0, n_hidden=1)
    graph = torch.zeros(N + 1, N + 1)
    graph[0, 1], graph[0, N] = 0.3, 1.0
    share = model.interpolation[0]
    heard = weight_of_a_spike(model, graph, torch.arange(N))[:, 0]
    expected = share + 0.3 * torch.nn.functional.one_hot(torch.tensor(1), N)
    torch.testing.assert_close(heard, expected)
    assert (share > 0).sum() == 2


def test_gain_and_rotation_of_the_turn_are_learned():
    model, history, graph = turned_by(0.3), spikes(3), torch.rand(N, N)
    model(history, graph, torch.tensor([[0.3], [1.0], [-2.0]])).sum().backward()
    turning = model.prediction.passing.turning
    assert turning.gain.grad != 0
    assert turning.rotation_rad.grad != 0


def test_the_loss_is_least_at_the_true_rate():
    counts = torch.tensor([[0.0, 1.0, 3.0]])
    log_rate = torch.tensor([[-1.0, 0.0, float(np.log(3.0))]], requires_grad=True)
    poisson_loss(log_rate, counts).backward()
    expected = torch.tensor([[float(np.exp(-1.0)), 0.0, 0.0]])
    torch.testing.assert_close(log_rate.grad, expected, atol=1e-6, rtol=1e-6)
