import numpy as np
import pytest
import torch

from spikeweft.graph_networks.message_passing import (
    Rows,
    messages,
    messages_to,
    reference_messages,
)


def draw(n_batch, n_post, n_pre, n_hidden, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shapes = (n_batch, n_post, n_hidden), (n_batch, n_pre, n_hidden), (n_post, n_pre)
    return [
        torch.randn(*shape, generator=generator, dtype=dtype, requires_grad=True)
        for shape in shapes
    ]


@pytest.fixture(params=[1, 2, 3])
def n_threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    "size",
    [(1, 2, 2, 1), (2, 5, 7, 3), (5, 20, 31, 64), (9, 31, 34, 8)],
    ids=["one unit", "odd", "wide", "narrow"],
)
def test_every_neuron_receives_the_sum_of_its_messages(size, n_threads):
    inputs = draw(*size)
    expected = reference_messages(*inputs)
    torch.testing.assert_close(messages(*inputs), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "size", [(2, 5, 7, 3), (5, 20, 31, 64), (9, 31, 34, 8)], ids=["odd", "wide", "narrow"]
)
def test_gradients_are_those_of_the_definition(size, n_threads):
    inputs = draw(*size)
    upstream = torch.randn(size[0], size[1], size[3], generator=torch.Generator().manual_seed(1))
    fused = torch.autograd.grad(messages(*inputs), inputs, upstream)
    plain = torch.autograd.grad(reference_messages(*inputs), inputs, upstream)
    for ours, theirs in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("n_units", [2, 16], ids=["narrow", "wide"])
def test_gradients_are_those_of_finite_differences(n_units):
    assert torch.autograd.gradcheck(messages, draw(2, 3, 4, n_units, torch.float64))


@pytest.mark.parametrize("size", [(2, 5, 7, 3), (5, 20, 31, 64)], ids=["odd", "wide"])
def test_messages_to_some_neurons_are_those_to_all(size, n_threads):
    receiver, sender, weights = draw(*size)
    generator = torch.Generator().manual_seed(2)
    rows = Rows(*(torch.rand(size[:2], generator=generator) < 0.3).nonzero(as_tuple=True))
    some = messages_to(rows, receiver[tuple(rows)], sender, weights)
    plain = reference_messages(receiver, sender, weights)[tuple(rows)]
    torch.testing.assert_close(some, plain, rtol=1e-4, atol=1e-4)
    inputs, upstream = (receiver, sender, weights), torch.randn(some.shape, generator=generator)
    fused = torch.autograd.grad(some, inputs, upstream)
    for ours, theirs in zip(fused, torch.autograd.grad(plain, inputs, upstream), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-3)


def test_messages_to_nobody_are_none():
    receiver, sender, weights = draw(2, 5, 7, 3)
    nobody = Rows(torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long))
    assert messages_to(nobody, receiver[tuple(nobody)], sender, weights).shape == (0, 3)


def test_narrow_messages_sum_to_the_same_bits_wherever_they_lie_in_memory():
    """Sums are not reordered, so neither the place of an array nor its first use matters."""
    inputs = draw(4, 13, 21, 7)
    upstream = torch.ones(4, 13, 7)
    first = messages(*inputs), *torch.autograd.grad(messages(*inputs), inputs, upstream)
    for n_before in range(1, 5):
        moved = []
        for tensor in inputs:
            room = torch.empty(n_before + tensor.numel())
            place = room[n_before:].view(tensor.shape).copy_(tensor.detach())
            moved.append(place.requires_grad_())
        again = messages(*moved), *torch.autograd.grad(messages(*moved), moved, upstream)
        assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))


def test_one_synapse_carries_one_message_and_only_forwards():
    receiver, sender, weights = draw(1, 4, 4, 3)
    alone = torch.zeros_like(weights)
    alone[1, 3] = 2.0
    received = messages(receiver, sender, alone)
    message = 2.0 * torch.relu(receiver[0, 1] + sender[0, 3])
    torch.testing.assert_close(received[0, 1], message)
    assert torch.count_nonzero(received[0, [0, 2, 3]]) == 0


def test_neurons_in_any_memory_layout_get_the_same_messages():
    receiver, sender, weights = draw(4, 6, 5, 3)
    strided = receiver.transpose(0, 2).contiguous().transpose(0, 2)
    assert not strided.is_contiguous()
    torch.testing.assert_close(
        messages(strided, sender, weights.T.contiguous().T), messages(receiver, sender, weights)
    )


@pytest.mark.parametrize("n_units", [3, 16], ids=["narrow", "wide"])
def test_a_diverged_state_is_not_hidden(n_units):
    receiver, sender, weights = draw(1, 2, 2, n_units)
    with torch.no_grad():
        receiver[0, 1, 2] = np.nan
        sender[0, 0, 0] = np.inf
    received = messages(receiver, sender, weights)
    assert received[0, 1, 2].isnan()
    assert received[0, 0, 0].isinf()


def test_a_second_derivative_is_refused_rather_than_wrong():
    inputs = draw(1, 2, 2, 2, torch.float64)
    energy = messages(*inputs).square().sum()
    (first,) = torch.autograd.grad(energy, inputs[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()
