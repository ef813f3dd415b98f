"""Covariates: when they were sampled, and which samples count."""

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.errors import InputError


def test_times_that_descend_are_refused():
    with pytest.raises(InputError, match=r"descend from 2 to 1.5 s; sort"):
        Covariate(times_s=np.array([0.0, 1.0, 2.0, 1.5]), values=np.zeros(4))


@pytest.mark.parametrize("missing", ["samples", "numbers"])
def test_sampled_time_has_the_gaps_of_what_was_sampled_regularly(missing):
    times_s = np.arange(1000) * 0.1
    lost = (times_s > 30) & (times_s < 70)
    covariate = Covariate(times_s=times_s, values=np.where(lost, np.nan, 1.0))
    if missing == "samples":
        covariate = covariate.known()
    assert len(covariate.known().values) == np.sum(~lost)
    assert covariate.sampled_s == pytest.approx(np.array([[-0.1, 30.1], [69.9, 100.0]]))


def test_what_has_no_number_was_never_sampled():
    nothing = Covariate(times_s=np.arange(3.0), values=np.full(3, np.nan))
    assert len(nothing.sampled_s) == 0
    with pytest.raises(InputError, match="at least one sample"):
        nothing.known()
