"""Compiled loops of the convolution of spike counts, forward and backward.

Most bins hold no spike, so each spike's kernel is added to the positions that see it, and bins
without one cost nothing. Arrays have the kernel last: the inner loops run over kernels, and no sum
is reordered.
"""

from typing import no_type_check

from numba import njit


@njit(cache=True, nogil=True)
@no_type_check  # numba compiles these; their callers are checked
def add_kernels(spikes, counts, kernels, features) -> None:
    """Add kernels, lag × kernel, to `features`, stretch × position × neuron × kernel.

    `spikes` are stretch, time and neuron of bins that hold spikes, as many as `counts` says.
    """
    n_lags, n_kernels = kernels.shape
    n_positions = features.shape[1]
    for spike in range(len(counts)):
        stretch, time, neuron = spikes[spike]
        for position in range(max(0, time - n_lags + 1), min(n_positions, time + 1)):
            feature, kernel = features[stretch, position, neuron], kernels[time - position]
            for k in range(n_kernels):
                feature[k] += counts[spike] * kernel[k]


@njit(cache=True, nogil=True)
@no_type_check
def add_kernels_back(spikes, counts, grad_features, grad_kernels) -> None:
    """Add up the gradient of the kernels."""
    n_lags, n_kernels = grad_kernels.shape
    n_positions = grad_features.shape[1]
    for spike in range(len(counts)):
        stretch, time, neuron = spikes[spike]
        for position in range(max(0, time - n_lags + 1), min(n_positions, time + 1)):
            grad = grad_features[stretch, position, neuron]
            grad_kernel = grad_kernels[time - position]
            for k in range(n_kernels):
                grad_kernel[k] += counts[spike] * grad[k]
