import numpy as np
import pytest
import torch

from spikeweft.runtime.positive_definite import diagonal_of_inverse, log_determinant, solved


@pytest.fixture(scope="module")
def matrices():
    """Two that are positive definite, and one that is not, as rounding may leave it."""
    roots = torch.randn(3, 5, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = roots @ roots.mT + 0.1 * torch.eye(5, dtype=torch.float64)
    found[1] -= 3.0 * torch.eye(5, dtype=torch.float64)
    return found


@pytest.mark.parametrize("chosen", [[0, 2], [0, 1, 2]], ids=["definite", "one is not"])
def test_as_numpy_does_it_in_general(matrices, chosen):
    some, right = matrices[chosen], torch.ones(len(chosen), 5, 2, dtype=torch.float64)
    np.testing.assert_allclose(solved(some, right), np.linalg.solve(some, right), rtol=1e-9)
    np.testing.assert_allclose(log_determinant(some), np.linalg.slogdet(some)[1], rtol=1e-9)
    diagonal = np.einsum("iff->if", np.linalg.inv(some))
    np.testing.assert_allclose(diagonal_of_inverse(some), diagonal, rtol=1e-9)


def test_what_has_no_inverse_has_an_infinite_diagonal(matrices):
    some = torch.stack([matrices[0], torch.zeros(5, 5, dtype=torch.float64)])
    found = diagonal_of_inverse(some)
    assert torch.isfinite(found[0]).all()
    assert torch.isinf(found[1]).all()
