import numpy as np
import pytest

from spikeweft.runtime.symmetric_product import add_outer_products, with_both_halves


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (400, 130)])
def test_outer_products_add_up_to_the_matrix_product(shape):
    rng = np.random.default_rng(0)
    total = np.zeros((shape[1], shape[1]), np.float32)
    first, second = rng.normal(size=(2, *shape)).astype(np.float32)
    add_outer_products(first, total)
    add_outer_products(second, total)
    expected = first.T @ first + second.T @ second
    np.testing.assert_allclose(with_both_halves(total), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "rows", [np.ones((3, 2), np.float32).T, np.ones((3, 4), np.float32)[:, ::2]]
)
def test_numbers_that_lie_otherwise_are_refused(rows):
    total = np.zeros((rows.shape[1], rows.shape[1]), np.float32)
    with pytest.raises(ValueError, match="lie row by row"):
        add_outer_products(rows, total)
