import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting.structure_rounds import INFORMED, where_informed

KNOWN_ONE_WAY = np.array([[0.0, INFORMED + 0.1, 0.0], [0.0, 0.0, 0.0], [0.0, INFORMED, 0.0]])


@pytest.mark.parametrize("directed", [True, False])
def test_a_further_round_moves_only_what_spikes_inform(directed):
    """A weight that is the same both ways is informed by either neuron's spikes."""
    moved = where_informed(np.ones((3, 3)), np.zeros((3, 3)), KNOWN_ONE_WAY, directed)
    expected = np.zeros((3, 3))
    expected[0, 1] = 1.0
    expected[1, 0] = 0.0 if directed else 1.0
    np.testing.assert_array_equal(moved, expected)
