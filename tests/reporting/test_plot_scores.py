import numpy as np
from tests.reporting.conftest import in_order, one_axes

from spikeweft.reporting.plot_scores import draw_bits_per_spike
from spikeweft.reporting.plot_style import INFERRED


def test_a_neuron_without_a_score_has_no_point():
    scores = np.array([1.0, np.nan, 0.5])
    ax = draw_bits_per_spike(
        scores, scores - 0.1, 1.2, in_order([1, 2, 0]), ("a", "b", "c"), one_axes()
    )
    ours = next(line for line in ax.lines if line.get_label() == INFERRED.name)
    np.testing.assert_array_equal(ours.get_ydata(), [np.nan, 0.5, 1.0])
