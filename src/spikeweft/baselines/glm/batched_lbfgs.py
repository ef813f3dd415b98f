"""L-BFGS for many independent convex functions at once."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

N_CORRECTIONS = 15
"""Steps whose changes of gradient are kept."""

_MAX_ITER = 300

_TOLERANCE_NATS = 0.01

_SHORTEST_STEP = 1e-6

Coefficients = Float[Tensor, "neuron feature"]

Objective = Callable[[Coefficients], tuple[Float[Tensor, " neuron"], Coefficients]]


class Minimum(NamedTuple):
    """Where `minimise_each` came to rest."""

    point: Coefficients
    converged: Bool[Tensor, " neuron"]
    n_iter: int


class _Correction(NamedTuple):
    """A step of every row, the change of gradient along it, and 1 over their product."""

    step: Coefficients
    change: Coefficients
    inverse_curvature: Float[Tensor, " neuron"]


def minimise_each(
    objective: Objective,
    precondition: Callable[[Coefficients], Coefficients],
    start: Coefficients,
    free: Bool[Tensor, " neuron"],
) -> Minimum:
    """Minimise independent convex functions, one per row, side by side by L-BFGS.

    One product of matrices serves all rows, yet each row steps and stops on its own: a step that
    does not lower its function is not taken and the next is shorter. A row is done once its
    Newton decrement, about twice its function above the minimum, is below 0.01. Rows that are not
    `free` stay where they start.
    """
    point, moving, converged = start, free, ~free
    value, gradient = objective(point)
    length = torch.ones_like(value)
    corrections: list[_Correction] = []
    for n_iter in range(_MAX_ITER):
        direction = -_inverse_hessian_product(gradient, corrections, precondition)
        converged = converged | (-(gradient * direction).sum(1) < _TOLERANCE_NATS)
        moving = moving & ~converged & (length > _SHORTEST_STEP)
        if not moving.any():
            return Minimum(point, converged, n_iter)
        step = torch.where(moving[:, None], length[:, None] * direction, 0.0)
        new_value, new_gradient = objective(point + step)
        better = moving & (new_value < value)
        corrections.append(_correction(step, new_gradient - gradient, better))
        del corrections[:-N_CORRECTIONS]
        point = torch.where(better[:, None], point + step, point)
        gradient = torch.where(better[:, None], new_gradient, gradient)
        value = torch.where(better, new_value, value)
        length = torch.where(better, 1.0, torch.where(moving, 0.3 * length, length))
    return Minimum(point, converged, _MAX_ITER)


def _correction(
    step: Coefficients, change: Coefficients, taken: Bool[Tensor, " neuron"]
) -> _Correction:
    curvature = (step * change).sum(1)
    used = taken & (curvature > 0)
    return _Correction(
        torch.where(used[:, None], step, 0.0),
        torch.where(used[:, None], change, 0.0),
        torch.where(used, 1 / curvature, 0.0),
    )


def _inverse_hessian_product(
    gradient: Coefficients,
    corrections: Sequence[_Correction],
    precondition: Callable[[Coefficients], Coefficients],
) -> Coefficients:
    """The two loops of L-BFGS (Nocedal 1980), for all rows at once."""
    product, along = gradient, []
    for step, change, inverse_curvature in reversed(corrections):
        along.append((inverse_curvature * (step * product).sum(1))[:, None])
        product = product - along[-1] * change
    product = precondition(product)
    for (step, change, inverse_curvature), seen in zip(corrections, reversed(along), strict=True):
        found = (inverse_curvature * (change * product).sum(1))[:, None]
        product = product + (seen - found) * step
    return product
