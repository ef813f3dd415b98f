"""How much memory a Poisson GLM takes, by counting what its fit holds at a time."""

from spikeweft.baselines.glm.batched_lbfgs import N_CORRECTIONS
from spikeweft.baselines.glm.poisson_regression import CHUNK, n_groups
from spikeweft.runtime.memory import MIB
from spikeweft.runtime.parallel import N_SHARES, n_side_by_side

_COUNTS = 16
"""Bytes per bin and neuron: counts and scored spikes, of the whole and of what chooses a ridge."""

_FEATURES = 12
"""Bytes per bin of a chunk and feature: filtered, joined, and the rates under both."""

_POINTS = 2 * N_CORRECTIONS + 26
"""Numbers per coefficient: steps and changes of L-BFGS, gradients of 16 shares, and ten more."""

_OF_GROUP, _OF_EIGENVECTORS = 12, 24
"""Bytes per pair of features: of each group, and while its eigenvectors are sought."""


def needed_memory_mb(n_neurons: int, n_bins: float, n_basis: int, n_covariates: int) -> float:
    """Memory in MiB that a fit takes beside what is in use already.

    Parameters
    ----------
    n_neurons, n_bins
        Neurons and bins of the recording.
    n_basis, n_covariates
        Functions of each filter, and columns of all covariates.
    """
    n_features = n_basis * n_neurons + n_covariates + 1
    groups = n_groups(n_neurons, n_features)
    n_bytes = n_bins * (_COUNTS * n_neurons + 8 * n_covariates)
    n_at_a_time = min(n_side_by_side(), N_SHARES)
    n_bytes += n_at_a_time * _FEATURES * CHUNK * n_features
    n_bytes += 8 * _POINTS * n_neurons * n_features
    sought = min(groups, n_at_a_time)
    n_bytes += (_OF_GROUP * groups + _OF_EIGENVECTORS * sought) * n_features**2
    return n_bytes / MIB
