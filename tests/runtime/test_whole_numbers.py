import numpy as np
import pytest

from spikeweft.runtime.whole_numbers import is_whole


@pytest.mark.parametrize("value", [0, 3, np.int64(3), np.uint8(0)])
def test_whole_numbers_of_python_and_of_numpy_are_whole(value):
    assert is_whole(value, 0)


@pytest.mark.parametrize("value", [True, np.True_, 1.0, np.float64(2), float("nan"), None, "1", -1])
def test_nothing_else_is_and_nothing_too_small(value):
    assert not is_whole(value, 0)
