"""Sums of outer products: half the work of a general matrix product, and without Python's lock.

NumPy and PyTorch have no symmetric product. SciPy's is BLAS' own, but keeps all other threads of
Python waiting; so it is called where SciPy has it for Cython.
"""

import ctypes
from functools import cache
from typing import Any

import numpy as np
from jaxtyping import Float32
from numba.extending import get_cython_function_address


def add_outer_products(
    rows: Float32[np.ndarray, "row column"], total: Float32[np.ndarray, "column column"]
) -> None:
    """Add up the outer product of each row with itself, into the lower half of the total only.

    Both lie row by row in memory; `with_both_halves` mirrors the total at the end.
    """
    for values in (rows, total):
        if values.dtype != np.float32 or not values.flags.c_contiguous:
            raise ValueError(f"{values.dtype} numbers have to be single ones that lie row by row")
    n_rows, n_columns = rows.shape
    n, k, one = ctypes.c_int(n_columns), ctypes.c_int(n_rows), ctypes.c_float(1.0)
    given = ctypes.byref(one), _pointer(rows), ctypes.byref(n), ctypes.byref(one)
    # Seen column by column, as BLAS sees it, the lower half of the total is the upper one.
    _ssyrk()(b"U", b"N", ctypes.byref(n), ctypes.byref(k), *given, _pointer(total), ctypes.byref(n))


def with_both_halves(total: Float32[np.ndarray, "column column"]) -> np.ndarray:
    """The symmetric matrix of which only the lower half is known."""
    lower = np.tril(total)
    return lower + np.tril(total, -1).T


def _pointer(values: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(values.ctypes.data)


@cache
def _ssyrk() -> Any:
    """BLAS' symmetric rank-k update; ctypes lets other threads go on meanwhile."""
    address = get_cython_function_address("scipy.linalg.cython_blas", "ssyrk")
    text, pointer = ctypes.c_char_p, ctypes.c_void_p
    return ctypes.CFUNCTYPE(None, text, text, *[pointer] * 8)(address)
