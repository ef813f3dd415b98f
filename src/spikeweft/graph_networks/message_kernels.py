"""Compiled loops of the message operator, forward and backward, for wide and for narrow messages.

Wide: the inner loop runs over the units of a message. Narrow: a message has fewer units than a
register holds numbers, so the inner loop runs over neurons, and arrays are batch × unit × neuron.
"""

from typing import Any, no_type_check

from numba import njit

# Sums may be reordered, so that they vectorise over hidden units, but NaN stays NaN: a fit that
# diverges must be seen.
_FASTMATH = {"reassoc", "contract", "nsz"}


def send_back(*arrays_and_bounds: Any) -> None:
    """Add up the gradients of receivers, senders and weights of wide messages."""
    _send_back_by_fours(*arrays_and_bounds)
    _send_back_one_by_one(*arrays_and_bounds)


# Loading and storing sums, not arithmetic, is the bottleneck of one synapse at a time. So a neuron
# exchanges wide messages with four others per pass through its sums, then with the rest one by one.


@njit(cache=True, nogil=True, fastmath=_FASTMATH)
@no_type_check  # numba compiles these; their callers above are checked
def send(receiver, sender, weights, summed, start, stop) -> None:
    """Add all messages to `summed`, batch × post × unit."""
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


# No sum of the loops for narrow messages may be reordered: the terms of each are added neuron by
# neuron, and what vectorises is many sums side by side. The order of sums over receivers is another
# than that over senders, so each has a loop of its own, with the weights the other way round.


@njit(cache=True, nogil=True)
@no_type_check
def send_narrow(receiver, sender, weights_out, summed, start, stop) -> None:
    """Add all messages to `summed`; `weights_out` is pre × post."""
    n_pre, n_post = weights_out.shape
    zero = receiver.dtype.type(0)
    rest = n_pre - n_pre % 4
    for b in range(start, stop):
        for h in range(receiver.shape[1]):
            to, source, total = receiver[b, h], sender[b, h], summed[b, h]
            for j in range(0, rest, 4):
                w0, w1 = weights_out[j], weights_out[j + 1]
                w2, w3 = weights_out[j + 2], weights_out[j + 3]
                from0, from1, from2, from3 = source[j], source[j + 1], source[j + 2], source[j + 3]
                for i in range(n_post):
                    total[i] += (
                        w0[i] * max(to[i] + from0, zero)
                        + w1[i] * max(to[i] + from1, zero)
                        + w2[i] * max(to[i] + from2, zero)
                        + w3[i] * max(to[i] + from3, zero)
                    )
            for j in range(rest, n_pre):
                weight, from0 = weights_out[j], source[j]
                for i in range(n_post):
                    total[i] += weight[i] * max(to[i] + from0, zero)


@njit(cache=True, nogil=True)
@no_type_check
def send_narrow_back_to_receivers(
    grad_summed, receiver, sender, weights_out, grad_receiver, grad_weights_out, start, stop
) -> None:
    """Add up the gradients of receivers, and of the weights, pre × post."""
    n_pre, n_post = weights_out.shape
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for h in range(receiver.shape[1]):
            to, source, grad = receiver[b, h], sender[b, h], grad_summed[b, h]
            grad_to = grad_receiver[b, h]
            for j in range(n_pre):
                weight, grad_weight, from_j = weights_out[j], grad_weights_out[j], source[j]
                for i in range(n_post):
                    message = to[i] + from_j
                    grad_weight[i] += grad[i] * max(message, zero)
                    grad_to[i] += weight[i] if message > zero else zero
            for i in range(n_post):
                grad_to[i] *= grad[i]


@njit(cache=True, nogil=True)
@no_type_check
def send_narrow_back_to_senders(
    grad_summed, receiver, sender, weights, grad_sender, start, stop
) -> None:
    """Add up the gradients of senders; `weights` is post × pre."""
    n_post, n_pre = weights.shape
    zero = receiver.dtype.type(0)
    for b in range(start, stop):
        for h in range(receiver.shape[1]):
            to, source, grad = receiver[b, h], sender[b, h], grad_summed[b, h]
            grad_source = grad_sender[b, h]
            for i in range(n_post):
                weight, to_i, grad_i = weights[i], to[i], grad[i]
                for j in range(n_pre):
                    grad_source[j] += weight[j] * grad_i if to_i + source[j] > zero else zero


# Messages to some neurons only: of each sample the one or the few that fired. Sums are not
# reordered here either.


@njit(cache=True, nogil=True)
@no_type_check
def send_to_rows(receiver, sender, weights, sample, neuron, summed, start, stop) -> None:
    """Add all messages to each row to `summed`, row × unit."""
    zero = receiver.dtype.type(0)
    for row in range(start, stop):
        to, total = receiver[row], summed[row]
        source, weight = sender[sample[row]], weights[neuron[row]]
        for j in range(len(weight)):
            for h in range(len(to)):
                total[h] += weight[j] * max(to[h] + source[j, h], zero)


@njit(cache=True, nogil=True)
@no_type_check
def send_to_rows_back(grad_summed, inputs, rows, gradients, start, stop) -> None:
    """Add up the gradients of receiving rows, senders and weights, which the inputs are.

    `rows` are the sample and the neuron of each.
    """
    (receiver, sender, weights), (sample, neuron) = inputs, rows
    grad_receiver, grad_sender, grad_weights = gradients
    zero = receiver.dtype.type(0)
    for row in range(start, stop):
        to, grad, grad_to = receiver[row], grad_summed[row], grad_receiver[row]
        source, grad_source = sender[sample[row]], grad_sender[sample[row]]
        weight, grad_weight = weights[neuron[row]], grad_weights[neuron[row]]
        for j in range(len(weight)):
            total = zero
            for h in range(len(to)):
                message = to[h] + source[j, h]
                back = grad[h] if message > zero else zero
                total += back * message
                grad_to[h] += weight[j] * back
                grad_source[j, h] += weight[j] * back
            grad_weight[j] += total
