import numpy as np
import pytest
from numba import njit

from spikeweft.circuit_gnn.spike_prediction.rate_kernels import (
    ARITHMETIC,
    exponential,
    logarithm,
    logarithm_above_one,
)

FUNCTIONS = {
    "exponential": (exponential, np.exp, np.linspace(-87.0, 88.0, 20_001)),
    "logarithm": (logarithm, np.log, np.geomspace(1e-30, 1e30, 20_001)),
    "above one": (logarithm_above_one, np.log1p, np.geomspace(1e-30, 1.0, 20_001)),
}


def of_each(function, values):
    @njit(error_model="numpy", fastmath=ARITHMETIC)
    def fill(given, found):
        for k in range(len(given)):
            found[k] = function(given[k])

    found = np.empty(len(values), np.float32)
    fill(np.asarray(values, np.float32), found)
    return found


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_relative_error_is_below_that_of_single_precision(name):
    function, exact, values = FUNCTIONS[name]
    expected = exact(np.asarray(values, np.float32).astype(np.float64))
    away = np.abs(of_each(function, values) - expected)
    assert np.all(away <= 3e-7 * np.maximum(np.abs(expected), np.finfo(np.float32).tiny))


def test_what_is_beyond_or_not_a_number_is_seen():
    assert np.isinf(of_each(exponential, [89.0, np.inf])).all()
    assert np.all(of_each(exponential, [-88.0, -np.inf]) < 2e-38)
    for function in (exponential, logarithm, logarithm_above_one):
        assert np.isnan(of_each(function, [np.nan])).all()
