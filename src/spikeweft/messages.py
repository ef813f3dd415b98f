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
from typing import Any, no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

# Sums may be reordered, so that they vectorise over hidden units, but NaN stays NaN: a fit that
# diverges must be seen.
_FASTMATH = {"reassoc", "contract", "nsz"}


def messages(
    receiver: Float[Tensor, "batch post hidden"],
    sender: Float[Tensor, "batch pre hidden"],
    weights: Float[Tensor, "post pre"],
) -> Float[Tensor, "batch post hidden"]:
    """Weighted sum over senders j of relu(receiver i + sender j), for each receiver i.

    Differentiable once, with respect to all three arguments, in single or double precision on the
    CPU. The batch is shared out among `torch.get_num_threads()` threads.
    """
    return _Messages.apply(receiver, sender, weights)


def reference_messages(
    receiver: Float[Tensor, "batch post hidden"],
    sender: Float[Tensor, "batch pre hidden"],
    weights: Float[Tensor, "post pre"],
) -> Float[Tensor, "batch post hidden"]:
    """What `messages` computes, in plain PyTorch: the definition, with every message stored."""
    message = torch.relu(receiver[:, :, None, :] + sender[:, None, :, :])
    return torch.einsum("ij,bijh->bih", weights, message)


class _Messages(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        receiver, sender, weights = (tensor.detach().contiguous() for tensor in inputs)
        ctx.save_for_backward(receiver, sender, weights)
        a, b, w = receiver.numpy(), sender.numpy(), weights.numpy()
        # NumPy's zeros come from the system; PyTorch would wake all its threads to write them.
        summed = np.zeros_like(a)
        _share_batch(len(a), lambda _, start, stop: _send(a, b, w, summed, start, stop))
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
            lambda part, start, stop: _send_back(
                grad, a, b, w, grad_a, grad_b, grad_w[part], start, stop
            ),
        )
        return torch.from_numpy(grad_a), torch.from_numpy(grad_b), torch.from_numpy(grad_w.sum(0))


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


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check  # numba compiles these two; their callers above are checked
def _send(receiver, sender, weights, summed, start, stop) -> None:
    n_post, n_hidden = receiver.shape[1:]
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for i in range(n_post):
            to, total = receiver[b, i], summed[b, i]
            for j in range(sender.shape[1]):
                weight, source = weights[i, j], sender[b, j]
                for h in range(n_hidden):
                    total[h] += weight * max(to[h] + source[h], zero)


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check
def _send_back(
    grad_summed, receiver, sender, weights, grad_receiver, grad_sender, grad_weights, start, stop
) -> None:
    n_post, n_hidden = receiver.shape[1:]
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for i in range(n_post):
            to, grad, grad_to = receiver[b, i], grad_summed[b, i], grad_receiver[b, i]
            for j in range(sender.shape[1]):
                weight, source, grad_source = weights[i, j], sender[b, j], grad_sender[b, j]
                grad_weight = zero
                for h in range(n_hidden):
                    message = to[h] + source[h]
                    grad_message = grad[h] if message > zero else zero
                    grad_weight += grad_message * message
                    grad_to[h] += weight * grad_message
                    grad_source[h] += weight * grad_message
                grad_weights[i, j] += grad_weight
