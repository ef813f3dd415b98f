"""Ising model of which neurons fire in the same bin, fitted by minimum probability flow."""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from spikeweft.baselines.same_bin.same_bin_counts import Coefficients, Snapshots
from spikeweft.baselines.same_bin.same_bin_estimator import SameBinEstimator
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.spike_counts import SpikeCounts

_RIDGE = 1e-3
"""Holds a coupling that the data leave open, of neurons that never fire together: beside the flow
of even a hundred bins it is nothing."""

_TOLERANCE = 1e-6

_MAX_ITER = 200

_MAX_SOLVER_ITER = 2000

_SOLVED = 1e-5

_SHORTEST_STRIDE = 1e-6

_RENEWAL = 0.1

_ROUNDING = 1e-12


class Ising(SameBinEstimator):
    r"""Pairwise maximum-entropy model of binary bins (Schneidman et al. 2006; Das & Fiete 2020).

    A bin is a state x of zeros and ones, one where the neuron fired at all, and

    .. math:: \log p(x) = \sum_i h_i x_i + \sum_{i<j} J_{ij} x_i x_j - \log Z .

    The weights are the couplings J, symmetric by construction: the model knows who fires with
    whom, not who drives whom. With spins of ±1 in place of zeros and ones all couplings would be
    a quarter of these, so the circuit is the same up to scale.

    J and h minimise the probability flow out of the observed states into those that differ in one
    neuron (Sohl-Dickstein, Battaglino & DeWeese 2011, Phys. Rev. Lett. 107:220601),

    .. math:: K = \sum_t \sum_i \exp\tfrac12 (1 - 2 x_i)(h_i + \textstyle\sum_j J_{ij} x_j) ,

    a convex function that needs no Z and is consistent: where the data are from an Ising model it
    finds its couplings. The flow back into states that were observed is not left out, as in the
    code of those authors; among many neurons hardly a state is seen twice. Das & Fiete also let
    probability flow into the state in which all neurons differ. That concerns all fields together
    but no single coupling (with spins of ±1 it leaves every product of two as it is), and moves
    their error by about one per cent, so it is left out here.

    Parameters
    ----------
    bin_s
        Bin width in seconds; 10 ms in Das & Fiete (2020). Bins cut short by the end of an epoch
        are left out.

    Attributes
    ----------
    n_iter_, converged_
        Newton steps taken, and whether the Newton decrement (gradient times step) came below 1e-6,
        where each bin adds a flow of about one per neuron. Neurons that fire in all bins or in none
        have no weights.
    """

    def fit_counts(self, binned: SpikeCounts) -> Self:
        """Infer the circuit from counts, where spike times would not fit into memory."""
        n = binned.counts.shape[1]
        fired = (binned.counts > 0).astype(np.int8)
        varied = np.ptp(fired, axis=0) > 0
        weights, self.converged_, self.n_iter_ = np.zeros((n, n)), True, 0
        if varied.sum() > 1:
            found = _minimise(Snapshots.of(fired[:, varied]))
            weights[np.ix_(varied, varied)] = found.rows[:, :-1].numpy()
            self.converged_, self.n_iter_ = found.converged, found.n_iter
        metadata = {"method": "Ising, minimum probability flow", "bin_s": binned.bin_s}
        self.connectivity_ = Connectivity(weights=weights, metadata=metadata)
        return self


class _Minimum(NamedTuple):
    rows: Coefficients
    converged: bool
    n_iter: int


def _minimise(snapshots: Snapshots) -> _Minimum:
    """Couplings and fields of least flow, by damped Newton steps.

    The curvature is kept as long as steps with it gain; the minimum does not depend on it.
    """
    rows = torch.zeros(snapshots.n_neurons, snapshots.n_neurons + 1, dtype=torch.float64)
    rows[:, -1] = torch.logit(snapshots.mean)
    flow, gradient = probability_flow(snapshots, rows)
    curvature, last, n_iter = FlowCurvature.at(snapshots, rows), np.inf, 0
    while n_iter < _MAX_ITER:
        step = curvature.newton_step(gradient)
        decrement = -float((gradient * step).sum())
        if decrement < _TOLERANCE:
            return _Minimum(rows, True, n_iter)
        if decrement > _RENEWAL * last:
            curvature, last = FlowCurvature.at(snapshots, rows), np.inf
            continue
        last, n_iter = decrement, n_iter + 1
        rows, flow, gradient = _descend(snapshots, rows, flow, step)
    return _Minimum(rows, False, n_iter)


def _descend(
    snapshots: Snapshots, rows: Coefficients, flow: Float[Tensor, ""], step: Coefficients
) -> tuple[Coefficients, Float[Tensor, ""], Coefficients]:
    """Go along the step, not so far that the flow grows; the flow and its gradient there."""
    stride = 1.0
    while True:
        reached = rows + stride * step
        new_flow, gradient = probability_flow(snapshots, reached)
        if new_flow < flow * (1 + _ROUNDING) or stride < _SHORTEST_STRIDE:
            return reached, new_flow, gradient
        stride /= 4


def probability_flow(
    snapshots: Snapshots, rows: Coefficients
) -> tuple[Float[Tensor, ""], Coefficients]:
    """Flow K out of all bins' states, with the ridge's trace, and its gradient.

    The gradient is that on the space of symmetric couplings without a diagonal.
    """

    def of_bins(
        features: Float[Tensor, "bin feature"], fired: Float[Tensor, "bin neuron"]
    ) -> tuple[Tensor, Tensor]:
        half_change = 0.5 - fired
        flow = torch.exp(half_change * (features @ rows.T))
        return flow.sum(), (half_change * flow).T @ features

    flow, gradient = snapshots.total(of_bins)
    couplings = rows.clone()
    couplings[:, -1] = 0.0
    return flow + 0.5 * _RIDGE * (couplings**2).sum(), symmetric(gradient) + _RIDGE * couplings


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowCurvature:
    """Second derivative of the flow: a matrix per row, joined where two rows share a coupling."""

    by_row: Float[Tensor, "neuron feature feature"]
    diagonal: Coefficients

    @classmethod
    def at(cls, snapshots: Snapshots, rows: Coefficients) -> Self:
        """Curvature at these couplings and fields."""

        def weigh(features: Float[Tensor, "bin feature"]) -> Float[Tensor, "bin neuron"]:
            half_change = 0.5 - (features[:, :-1] + snapshots.mean)
            return 0.25 * torch.exp(half_change * (features @ rows.T))

        by_row = snapshots.curvature(weigh)
        n = len(rows)
        diagonal = torch.einsum("iff->if", by_row).clone()
        diagonal[:, :n] = 0.5 * (diagonal[:, :n] + diagonal[:, :n].T)
        return cls(by_row=by_row, diagonal=diagonal + _RIDGE)

    def newton_step(self, gradient: Coefficients) -> Coefficients:
        """Solve for the step by conjugate gradients, which keeps it symmetric."""
        step, residual = torch.zeros_like(gradient), -gradient
        scaled = residual / self.diagonal
        direction, power = scaled, (residual * scaled).sum()
        enough = _SOLVED**2 * power
        for _ in range(_MAX_SOLVER_ITER):
            if power <= enough:
                break
            response = self.along(direction)
            length = power / (direction * response).sum()
            step, residual = step + length * direction, residual - length * response
            scaled = residual / self.diagonal
            power, before = (residual * scaled).sum(), power
            direction = scaled + (power / before) * direction
        return step

    def along(self, direction: Coefficients) -> Coefficients:
        """Change of the gradient along a symmetric direction."""
        return symmetric(torch.einsum("ifg,ig->if", self.by_row, direction)) + _RIDGE * direction


def symmetric(rows: Coefficients) -> Coefficients:
    """The nearest rows whose couplings are symmetric and without a diagonal."""
    n = len(rows)
    couplings = 0.5 * (rows[:, :n] + rows[:, :n].T)
    couplings.fill_diagonal_(0.0)
    return torch.cat([couplings, rows[:, n:]], dim=1)
