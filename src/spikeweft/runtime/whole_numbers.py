"""Whole numbers, of Python or of NumPy."""

from typing import Any

import numpy as np


def is_whole(value: Any, least: int) -> bool:
    """Whether something is a whole number, no truth value, and no smaller than `least`."""
    is_integer = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return is_integer and bool(value >= least)
