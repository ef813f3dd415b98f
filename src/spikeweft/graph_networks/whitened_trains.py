r"""Spike trains whitened over neurons: coordinates from which embeddings can be computed.

A fully connected layer on whole spike trains is trained through the trains' Gram matrix: a gradient
step changes the embeddings by that matrix times the gradient. Where a circuit makes bumps of
activity, its leading eigenvectors, those that repeat at every bump, are many times as large as
the ones that tell co-active neurons apart, and training settles before these have moved. Whitened,
all eigenvectors count alike. Nothing but the spikes enters. Whitening is a linear map of the
trains, but it is more than a start of the published layer: embeddings read the whitened coordinates
throughout a fit, so steps go along all of them alike, and the convolution, ReLU and BatchNorm that
the published layer reads trains through are left out.
"""

import numpy as np
from jaxtyping import Float

from spikeweft.data.recording import Recording

WINDOW_S = 0.05
"""Windows in which spikes are counted (chosen): some tens of milliseconds, in which a bump of
activity stays where it is and single spikes are averaged."""

_NOTHING = 1e-9


def whitened_trains(X: Recording) -> Float[np.ndarray, "neuron component"]:
    r"""Coordinates of each neuron along the eigenvectors of its recording's Gram matrix.

    There is one component less than there are neurons, by falling eigenvalue, each of mean square
    one over the neurons that fired. Silent neurons, and components that the spikes do not span, are
    zero.
    """
    whitened = np.zeros((X.n_neurons, X.n_neurons - 1))
    fired = X.n_spikes > 0
    if fired.sum() < 2:
        return whitened
    variance, vectors = gram_modes(X.select(np.flatnonzero(fired)))
    vectors = vectors[:, variance > _NOTHING * variance.max()][:, : fired.sum() - 1]
    # An eigenvector has no sign of its own: the side on which few neurons lie far out is positive,
    # whatever the order of the neurons.
    vectors = vectors * np.where((vectors**3).sum(0) < 0, -1.0, 1.0)
    whitened[fired, : vectors.shape[1]] = vectors * np.sqrt(fired.sum())
    return whitened


def gram_modes(
    X: Recording,
) -> tuple[Float[np.ndarray, " mode"], Float[np.ndarray, "neuron mode"]]:
    r"""Eigenvalues of the Gram matrix of the spike trains, falling, and its eigenvectors.

    Of the counts in windows of `WINDOW_S`, less what each neuron's rate makes expect and each
    window's mean over neurons, per window: the eigenvalues are variances of counts.
    """
    binned = X.counts(max(WINDOW_S, X.time_resolution_s))
    centred = binned.counts - np.outer(binned.exposure_s, X.rate_hz)
    centred -= centred.mean(1, keepdims=True)
    variance, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    return variance[::-1], vectors[:, ::-1]
