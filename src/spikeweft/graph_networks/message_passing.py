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


def _send_back(*arrays_and_bounds: Any) -> None:
    _send_back_by_fours(*arrays_and_bounds)
    _send_back_one_by_one(*arrays_and_bounds)


# Loading and storing sums, not arithmetic, is the bottleneck of one synapse at a time. So a neuron
# exchanges messages with four others per pass through its sums, then with the rest one by one.


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check  # numba compiles these; their callers above are checked
def _send(receiver, sender, weights, summed, start, stop) -> None:
    n_post, n_pre = weights.shape
    zero = receiver.dtype.type(0)
    rest = n_pre - n_pre % 4
    for b in range(start, stop):
        for i in range(n_post):
            to, total = receiver[b, i], summed[b, i]
            for j in range(0, rest, 4):
                w0, w1 = weights[i, j], weights[i, j + 1]
                w2, w3 = weights[i, j + 2], weights[i, j + 3]
                from0, from1 = sender[b, j], sender[b, j + 1]
                from2, from3 = sender[b, j + 2], sender[b, j + 3]
                for h in range(len(to)):
                    total[h] += (
                        w0 * max(to[h] + from0[h], zero)
                        + w1 * max(to[h] + from1[h], zero)
                        + w2 * max(to[h] + from2[h], zero)
                        + w3 * max(to[h] + from3[h], zero)
                    )
            for j in range(rest, n_pre):
                weight, source = weights[i, j], sender[b, j]
                for h in range(len(to)):
                    total[h] += weight * max(to[h] + source[h], zero)


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check
def _send_back_by_fours(
    grad_summed, receiver, sender, weights, grad_receiver, grad_sender, grad_weights, start, stop
) -> None:
    n_post, n_pre = weights.shape
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for i in range(0, n_post - n_post % 4, 4):
            to0, to1 = receiver[b, i], receiver[b, i + 1]
            to2, to3 = receiver[b, i + 2], receiver[b, i + 3]
            grad0, grad1 = grad_summed[b, i], grad_summed[b, i + 1]
            grad2, grad3 = grad_summed[b, i + 2], grad_summed[b, i + 3]
            sum0, sum1 = grad_receiver[b, i], grad_receiver[b, i + 1]
            sum2, sum3 = grad_receiver[b, i + 2], grad_receiver[b, i + 3]
            for j in range(n_pre):
                w0, w1 = weights[i, j], weights[i + 1, j]
                w2, w3 = weights[i + 2, j], weights[i + 3, j]
                source, grad_source = sender[b, j], grad_sender[b, j]
                grad_w0 = grad_w1 = grad_w2 = grad_w3 = zero
                for h in range(len(source)):
                    message0, message1 = to0[h] + source[h], to1[h] + source[h]
                    message2, message3 = to2[h] + source[h], to3[h] + source[h]
                    back0 = grad0[h] if message0 > zero else zero
                    back1 = grad1[h] if message1 > zero else zero
                    back2 = grad2[h] if message2 > zero else zero
                    back3 = grad3[h] if message3 > zero else zero
                    grad_w0 += back0 * message0
                    grad_w1 += back1 * message1
                    grad_w2 += back2 * message2
                    grad_w3 += back3 * message3
                    grad_source[h] += w0 * back0 + w1 * back1 + w2 * back2 + w3 * back3
                    sum0[h] += w0 * back0
                    sum1[h] += w1 * back1
                    sum2[h] += w2 * back2
                    sum3[h] += w3 * back3
                grad_weights[i, j] += grad_w0
                grad_weights[i + 1, j] += grad_w1
                grad_weights[i + 2, j] += grad_w2
                grad_weights[i + 3, j] += grad_w3


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check
def _send_back_one_by_one(
    grad_summed, receiver, sender, weights, grad_receiver, grad_sender, grad_weights, start, stop
) -> None:
    n_post, n_pre = weights.shape
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for i in range(n_post - n_post % 4, n_post):
            to, grad, grad_to = receiver[b, i], grad_summed[b, i], grad_receiver[b, i]
            for j in range(n_pre):
                weight, source, grad_source = weights[i, j], sender[b, j], grad_sender[b, j]
                grad_weight = zero
                for h in range(len(source)):
                    message = to[h] + source[h]
                    back = grad[h] if message > zero else zero
                    grad_weight += back * message
                    grad_to[h] += weight * back
                    grad_source[h] += weight * back
                grad_weights[i, j] += grad_weight
