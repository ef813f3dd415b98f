"""Poisson GLM of each neuron's count given the others' counts in the same bin."""

from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from spikeweft.baselines.same_bin.same_bin_counts import Coefficients, Snapshots
from spikeweft.baselines.same_bin.same_bin_estimator import SameBinEstimator
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.spike_counts import SpikeCounts

_DAMPINGS = (1e-12, 1e-9, 1e-6, 1e-3)

_RIDGE = 1e-3
"""Holds a weight that the data leave open, of neurons that never fire together: a Gaussian of
standard deviation 32 in log rate per spike, nothing beside what even a hundred bins say."""

_TOLERANCE_NATS = 1e-6

_MAX_ITER = 200

_RENEWAL = 0.1

_ROUNDING = 1e-12


class SameBinGLM(SameBinEstimator):
    """Poisson GLM of each neuron given the others in the same bin (Das & Fiete 2020).

    The log expected count of a neuron is a constant plus a weighted sum of the other neurons'
    counts in the same bin, of about the time that a synapse acts. The weights are those of maximum
    likelihood, without a penalty but for a trace that keeps weights finite where two neurons never
    fire in the same bin. It explains spikes by others at the same time, so it cannot predict. Its
    weights have no direction in time, yet the two weights of a pair differ.

    Strongly recurrent circuits mislead it however long the recording: its error has a part that
    does not shrink, the *bias* of Das & Fiete, which this estimator exists to show.

    Parameters
    ----------
    bin_s
        Bin width in seconds. Das & Fiete (2020) took the decay time of the synapses, 10 ms. Bins
        cut short by the end of an epoch are left out.

    Attributes
    ----------
    n_iter_, converged_
        Newton steps taken, and whether each neuron came within the tolerance: a Newton decrement
        (gradient times step) of 1e-6 nats, so no more than a thousandth of a standard error from
        the maximum. Neurons whose count is the same in all bins have no weights.
    """

    def fit_counts(self, binned: SpikeCounts) -> Self:
        """Infer the circuit from counts, where spike times would not fit into memory."""
        n = binned.counts.shape[1]
        varied = np.ptp(binned.counts, axis=0) > 0
        weights, self.converged_, self.n_iter_ = np.zeros((n, n)), np.ones(n, dtype=bool), 0
        if varied.sum() > 1:
            found = _maximise(Snapshots.of(binned.counts[:, varied]))
            weights[np.ix_(varied, varied)] = found.rows[:, :-1].numpy()
            self.converged_[varied], self.n_iter_ = found.converged.numpy(), found.n_iter
        metadata = {"method": "same-bin Poisson GLM", "bin_s": binned.bin_s}
        self.connectivity_ = Connectivity(weights=weights, metadata=metadata)
        return self


class _Maximum(NamedTuple):
    rows: Coefficients
    converged: Bool[Tensor, " neuron"]
    n_iter: int


def _maximise(snapshots: Snapshots) -> _Maximum:
    """Coefficients of highest likelihood; each neuron takes its own damped Newton steps.

    A neuron keeps its curvature as long as steps with it gain; the maximum does not depend on it.
    """
    rows = torch.zeros(snapshots.n_neurons, snapshots.n_neurons + 1, dtype=torch.float64)
    rows[:, -1] = torch.log(snapshots.mean)
    stride = torch.ones(len(rows), dtype=torch.float64)
    value, gradient = log_likelihood(snapshots, rows)
    factor, last = _curvature_factor(snapshots, rows), torch.inf
    converged, n_iter = torch.zeros(len(rows), dtype=torch.bool), 0
    while n_iter < _MAX_ITER:
        step = torch.cholesky_solve(gradient[:, :, None], factor)[:, :, 0]
        decrement = (gradient * step).sum(1)
        converged = decrement < _TOLERANCE_NATS
        if bool(converged.all()):
            break
        if decrement.max() > _RENEWAL * last:
            factor, last = _curvature_factor(snapshots, rows), torch.inf
            continue
        last, n_iter = decrement.max(), n_iter + 1
        trial = rows + stride[:, None] * step
        trial_value, trial_gradient = log_likelihood(snapshots, trial)
        better = trial_value > value - _ROUNDING * value.abs()
        stride = torch.where(better, (2 * stride).clamp(max=1.0), stride / 4)
        rows = torch.where(better[:, None], trial, rows)
        value = torch.where(better, trial_value, value)
        gradient = torch.where(better[:, None], trial_gradient, gradient)
    return _Maximum(rows, converged, n_iter)


def log_likelihood(
    snapshots: Snapshots, rows: Coefficients
) -> tuple[Float[Tensor, " neuron"], Coefficients]:
    """Log-likelihood of each neuron's counts in nats, less the ridge's trace, and its gradient."""

    def of_bins(
        features: Float[Tensor, "bin feature"], counts: Float[Tensor, "bin neuron"]
    ) -> tuple[Tensor, Tensor]:
        log_rate = features @ rows.T
        expected = torch.exp(log_rate)
        return (counts * log_rate - expected).sum(0), (counts - expected).T @ features

    value, gradient = snapshots.total(of_bins)
    weights = _without_constant(rows)
    gradient = gradient - _RIDGE * weights
    gradient.fill_diagonal_(0.0)
    return value - 0.5 * _RIDGE * (weights**2).sum(1), gradient


def _curvature_factor(
    snapshots: Snapshots, rows: Coefficients
) -> Float[Tensor, "neuron feature feature"]:
    """Cholesky factor of each row's negative Hessian; a neuron's own count is no regressor."""
    curvature = snapshots.curvature(lambda features: torch.exp(features @ rows.T))
    own = torch.arange(len(rows))
    curvature[own, own, :] = 0.0
    curvature[own, :, own] = 0.0
    diagonal = torch.einsum("iff->if", curvature)
    diagonal += _RIDGE
    diagonal[own, own] = 1.0
    return factor_of(curvature)


def factor_of(
    curvature: Float[Tensor, "neuron feature feature"],
) -> Float[Tensor, "neuron feature feature"]:
    """Cholesky factor of each matrix, damped by as much as it takes to have one.

    The weights of neurons that never fire together run away, and rounding leaves nothing of their
    curvature. Damping shortens steps; it does not move the maximum.
    """
    largest = curvature.diagonal(dim1=1, dim2=2).amax(1)
    factor, failed = torch.linalg.cholesky_ex(curvature)
    for damping in _DAMPINGS:
        if not bool(failed.any()):
            break
        damped = curvature + torch.diag_embed(
            damping * largest[:, None].expand(curvature.shape[:2])
        )
        factor, failed = torch.linalg.cholesky_ex(damped)
    return factor


def _without_constant(rows: Coefficients) -> Coefficients:
    weights = rows.clone()
    weights[:, -1] = 0.0
    return weights
