import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_agreement import precision_recall_area


def test_the_precision_recall_area_is_one_for_the_truth_and_the_share_for_a_guess():
    rng = np.random.default_rng(0)
    connected = rng.random((60, 60)) < 0.2
    truth = Connectivity(weights=connected * rng.standard_normal((60, 60)))
    guess = Connectivity(weights=rng.standard_normal((60, 60)))
    assert precision_recall_area(truth, truth) == pytest.approx(1.0)
    assert precision_recall_area(guess, truth) == pytest.approx(0.2, abs=0.03)
    assert np.isnan(precision_recall_area(guess, guess))


def test_circuits_of_different_sizes_have_no_precision_recall_area():
    four, five = (Connectivity(weights=np.ones((n, n))) for n in (4, 5))
    with pytest.raises(InputError, match="truth has 5 neurons but the inferred circuit has 4"):
        precision_recall_area(four, five)
