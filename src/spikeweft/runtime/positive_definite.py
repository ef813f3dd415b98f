"""Linear algebra of symmetric matrices that are positive definite, but for rounding at times.

Cholesky's factors take half the work of others. Where rounding has left a matrix that has none, the
general way is taken for that one.
"""

from jaxtyping import Float64
from torch import Tensor, inf, linalg
from torch import cholesky_inverse as inverse_of_factor
from torch import cholesky_solve as solved_by_factor


def solved(
    matrices: Float64[Tensor, "matrix row row"], right: Float64[Tensor, "matrix row column"]
) -> Float64[Tensor, "matrix row column"]:
    """Apply the inverse of each matrix."""
    factor, failed = linalg.cholesky_ex(matrices)
    if not failed.any():
        return solved_by_factor(right, factor)
    is_fine = failed == 0
    found = right.clone()
    found[is_fine] = solved_by_factor(right[is_fine], factor[is_fine])
    found[~is_fine] = linalg.solve(matrices[~is_fine], right[~is_fine])
    return found


def log_determinant(matrices: Float64[Tensor, "matrix row row"]) -> Float64[Tensor, " matrix"]:
    """Logarithm of the size of each determinant."""
    factor, failed = linalg.cholesky_ex(matrices)
    found = 2.0 * factor.diagonal(dim1=1, dim2=2).log().sum(1)
    if failed.any():
        found[failed != 0] = linalg.slogdet(matrices[failed != 0]).logabsdet
    return found


def diagonal_of_inverse(
    matrices: Float64[Tensor, "matrix row row"],
) -> Float64[Tensor, "matrix row"]:
    """The diagonal of the inverse of each matrix; infinite where it has no inverse."""
    factor, failed = linalg.cholesky_ex(matrices)
    is_fine = failed == 0
    if is_fine.all():
        return inverse_of_factor(factor).diagonal(dim1=1, dim2=2)
    found = matrices.new_full(matrices.shape[:2], inf)
    found[is_fine] = inverse_of_factor(factor[is_fine]).diagonal(dim1=1, dim2=2)
    inverse, singular = linalg.inv_ex(matrices[~is_fine])
    whole = inverse.diagonal(dim1=1, dim2=2)
    found[~is_fine] = whole.masked_fill(singular[:, None] != 0, inf)
    return found
