import pytest
import torch

from spikeweft.graph_networks.spike_convolution import (
    rectified_convolution,
    reference_convolution,
)


def draw(n_stretches, n_times, n_neurons, n_kernels, n_lags, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    rate = torch.full((n_stretches, n_times, n_neurons), 0.2, dtype=dtype)
    weights = [
        torch.randn(*shape, generator=generator, dtype=dtype, requires_grad=True)
        for shape in ((n_kernels, n_lags), (n_kernels,))
    ]
    return torch.poisson(rate, generator=generator), *weights


@pytest.mark.parametrize(
    "size", [(1, 4, 1, 1, 4), (3, 9, 5, 7, 4), (4, 60, 11, 32, 40)], ids=["least", "odd", "usual"]
)
def test_features_and_gradients_are_those_of_a_plain_convolution(size):
    counts, *weights = draw(*size)
    features, plain = (
        rectified_convolution(counts, *weights),
        reference_convolution(counts, *weights),
    )
    torch.testing.assert_close(features, plain, rtol=1e-4, atol=1e-4)
    upstream = torch.randn(features.shape, generator=torch.Generator().manual_seed(1))
    ours = torch.autograd.grad(features, weights, upstream)
    theirs = torch.autograd.grad(plain, weights, upstream)
    for our, their in zip(ours, theirs, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-4, atol=1e-3)


def test_gradients_are_those_of_finite_differences():
    counts, *weights = draw(2, 7, 3, 2, 3, torch.float64)
    assert torch.autograd.gradcheck(lambda *w: rectified_convolution(counts, *w), weights)


def test_bins_without_spikes_show_the_bias_alone():
    _, kernels, bias = draw(2, 7, 3, 4, 5)
    features = rectified_convolution(torch.zeros(2, 7, 3), kernels, bias)
    torch.testing.assert_close(features, torch.relu(bias).expand(2, 3, 3, 4))
