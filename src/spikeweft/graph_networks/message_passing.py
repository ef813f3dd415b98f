r"""Message passing over a weighted graph, fused: no message is ever stored.

A message from neuron j to neuron i is φ([h_i, h_j]), a perceptron with one hidden layer of ReLUs.
Its first layer is linear in the pair, so it splits into a receiver part a_i and a sender part b_j,
and its second layer is linear, so it moves behind the sum over senders. What is left to do for
each pair is

.. math:: s_i = \sum_j w_{ij}\,\mathrm{relu}(a_i + b_j)

Written out in PyTorch this takes an array of batch × post × pre × hidden numbers, which is read and
written several times. Here one compiled loop adds each message to its sum while it is still in a
register, in the forward and in the backward direction; memory is linear in the inputs and outputs.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.graph_networks.message_kernels import (
    send,
    send_back,
    send_narrow,
    send_narrow_back_to_receivers,
    send_narrow_back_to_senders,
    send_to_rows,
    send_to_rows_back,
)

FEWEST_WIDE_UNITS = 16
"""From as many units on, the compiled loops run over units, as many as a register holds numbers;
below, over neurons."""


class Rows(NamedTuple):
    """Postsynaptic neurons, each in one sample of a batch, in the order of the samples."""

    sample: Int[Tensor, " row"]
    neuron: Int[Tensor, " row"]


def messages(
    receiver: Float[Tensor, "batch post hidden"],
    sender: Float[Tensor, "batch pre hidden"],
    weights: Float[Tensor, "post pre"],
) -> Float[Tensor, "batch post hidden"]:
    """Weighted sum over senders j of relu(receiver i + sender j), for each receiver i.

    Differentiable once, with respect to all three arguments, in single or double precision on the
    CPU. The batch is shared out among `torch.get_num_threads()` threads.
    """
    if receiver.shape[-1] >= FEWEST_WIDE_UNITS:
        return _WideMessages.apply(receiver, sender, weights)
    unit_first = receiver.transpose(1, 2), sender.transpose(1, 2)
    return _NarrowMessages.apply(*unit_first, weights).transpose(1, 2)


def reference_messages(
    receiver: Float[Tensor, "batch post hidden"],
    sender: Float[Tensor, "batch pre hidden"],
    weights: Float[Tensor, "post pre"],
) -> Float[Tensor, "batch post hidden"]:
    """What `messages` computes, in plain PyTorch: the definition, with every message stored."""
    message = torch.relu(receiver[:, :, None, :] + sender[:, None, :, :])
    return torch.einsum("ij,bijh->bih", weights, message)


def messages_to(
    rows: Rows,
    receiver: Float[Tensor, "row hidden"],
    sender: Float[Tensor, "batch pre hidden"],
    weights: Float[Tensor, "post pre"],
) -> Float[Tensor, "row hidden"]:
    """What `messages` gives in some rows of its result, computed for these alone."""
    return _MessagesToRows.apply(receiver, sender, weights, rows.sample, rows.neuron)


class _WideMessages(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        receiver, sender, weights = (tensor.detach().contiguous() for tensor in inputs)
        ctx.save_for_backward(receiver, sender, weights)
        a, b, w = receiver.numpy(), sender.numpy(), weights.numpy()
        # NumPy's zeros come from the system; PyTorch would wake all its threads to write them.
        summed = np.zeros_like(a)
        _share_batch(len(a), lambda _, start, stop: send(a, b, w, summed, start, stop))
        return torch.from_numpy(summed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        a, b, w = (tensor.numpy() for tensor in ctx.saved_tensors)
        grad = grad_outputs[0].contiguous().numpy()
        grad_a, grad_b = np.zeros_like(a), np.zeros_like(b)
        # The batch shares the weights, so every thread adds up their gradient on its own.
        grad_w = np.zeros((torch.get_num_threads(), *w.shape), w.dtype)
        _share_batch(
            len(a),
            lambda part, start, stop: send_back(
                grad, a, b, w, grad_a, grad_b, grad_w[part], start, stop
            ),
        )
        return torch.from_numpy(grad_a), torch.from_numpy(grad_b), torch.from_numpy(grad_w.sum(0))


class _NarrowMessages(torch.autograd.Function):
    """The same of batch × unit × neuron."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        receiver, sender, weights = (tensor.detach().contiguous() for tensor in inputs)
        ctx.save_for_backward(receiver, sender, weights)
        a, b, w_out = receiver.numpy(), sender.numpy(), weights.T.contiguous().numpy()
        summed = np.zeros_like(a)
        _share_batch(len(a), lambda _, start, stop: send_narrow(a, b, w_out, summed, start, stop))
        return torch.from_numpy(summed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        a, b, w = (tensor.numpy() for tensor in ctx.saved_tensors)
        w_out = np.ascontiguousarray(w.T)
        grad = grad_outputs[0].contiguous().numpy()
        grad_a, grad_b = np.zeros_like(a), np.zeros_like(b)
        grad_w_out = np.zeros((torch.get_num_threads(), *w_out.shape), w.dtype)

        def send_back_part(part: int, start: int, stop: int) -> None:
            send_narrow_back_to_receivers(grad, a, b, w_out, grad_a, grad_w_out[part], start, stop)
            send_narrow_back_to_senders(grad, a, b, w, grad_b, start, stop)

        _share_batch(len(a), send_back_part)
        grad_w = np.ascontiguousarray(grad_w_out.sum(0).T)
        return torch.from_numpy(grad_a), torch.from_numpy(grad_b), torch.from_numpy(grad_w)


class _MessagesToRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        arguments = tuple(tensor.detach().contiguous() for tensor in inputs)
        ctx.save_for_backward(*arguments)
        a, b, w, sample, neuron = (tensor.numpy() for tensor in arguments)
        summed = np.zeros_like(a)
        _share_rows(
            sample, len(b), lambda _, rows: send_to_rows(a, b, w, sample, neuron, summed, *rows)
        )
        return torch.from_numpy(summed)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        a, b, w, sample, neuron = (tensor.numpy() for tensor in ctx.saved_tensors)
        grad = grad_outputs[0].contiguous().numpy()
        grad_a, grad_b = np.zeros_like(a), np.zeros_like(b)
        grad_w = np.zeros((torch.get_num_threads(), *w.shape), w.dtype)
        _share_rows(
            sample,
            len(b),
            lambda part, rows: send_to_rows_back(
                grad, (a, b, w), (sample, neuron), (grad_a, grad_b, grad_w[part]), *rows
            ),
        )
        grads = grad_a, grad_b, grad_w.sum(0)
        return *map(torch.from_numpy, grads), None, None


def _share_rows(
    sample: Int[np.ndarray, " row"],
    n_samples: int,
    kernel: Callable[[int, tuple[int, int]], None],
) -> None:
    """Share rows out among threads, those of one sample to the same."""
    _share_batch(
        n_samples,
        lambda part, start, stop: kernel(part, tuple(np.searchsorted(sample, (start, stop)))),
    )


def _share_batch(n_samples: int, kernel: Callable[[int, int, int], None]) -> None:
    """Call `kernel(part, start, stop)` on equal parts of the batch, one thread for each.

    Plain threads around kernels that release Python's lock, rather than numba's own parallel
    loop: that one keeps a second pool of workers busy waiting for PyTorch's cores, and aborts
    the process if it is forked.
    """
    n_parts = torch.get_num_threads()
    bounds = [part * n_samples // n_parts for part in range(n_parts + 1)]
    parts = list(zip(range(n_parts), bounds[:-1], bounds[1:], strict=True))
    with ThreadPoolExecutor(n_parts) as threads:
        others = [threads.submit(kernel, *part) for part in parts[1:]]
        kernel(*parts[0])
        for other in others:
            other.result()
