"""Convolution of spike counts that takes its time where spikes are."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from spikeweft.graph_networks.convolution_kernels import add_kernels, add_kernels_back


def rectified_convolution(
    counts: Float[Tensor, "stretch time neuron"],
    kernels: Float[Tensor, "kernel lag"],
    bias: Float[Tensor, " kernel"],
) -> Float[Tensor, "stretch position neuron kernel"]:
    """relu(kernel ∗ counts + bias), one position for each time a kernel fits in.

    Differentiable once, with respect to kernels and bias.
    """
    return _RectifiedConvolution.apply(counts, kernels, bias)


def reference_convolution(
    counts: Float[Tensor, "stretch time neuron"],
    kernels: Float[Tensor, "kernel lag"],
    bias: Float[Tensor, " kernel"],
) -> Float[Tensor, "stretch position neuron kernel"]:
    """What `rectified_convolution` computes, in plain PyTorch."""
    trains = counts.transpose(1, 2).flatten(0, 1)[:, None]
    features = torch.relu(torch.conv1d(trains, kernels[:, None], bias))
    return features.view(len(counts), -1, *features.shape[1:]).permute(0, 3, 1, 2)


class _RectifiedConvolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Any:
        counts, kernels, bias = (tensor.detach() for tensor in inputs)
        spikes = counts.nonzero()
        in_bin = counts[tuple(spikes.T)]
        n_stretches, n_times, n_neurons = counts.shape
        n_positions = n_times - kernels.shape[1] + 1
        features = bias.repeat(n_stretches, n_positions, n_neurons, 1)
        arrays = (tensor.contiguous().numpy() for tensor in (spikes, in_bin, kernels.T, features))
        add_kernels(*arrays)
        features.relu_()
        ctx.save_for_backward(spikes, in_bin, kernels, features)
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Any) -> Any:  # pyrefly: ignore[bad-override]
        spikes, in_bin, kernels, features = ctx.saved_tensors
        grad = torch.where(features > 0, grad_outputs[0], 0.0)
        grad_kernels = torch.zeros_like(kernels.T, memory_format=torch.contiguous_format)
        add_kernels_back(*(tensor.numpy() for tensor in (spikes, in_bin, grad, grad_kernels)))
        return None, grad_kernels.T, grad.sum((0, 1, 2))
