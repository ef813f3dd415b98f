import numpy as np
import pytest
from tests.circuit_gnn.fitting.conftest import N, of_trains, problem_of, settled_in

from spikeweft.circuit_gnn.fitting.structure_rounds import (
    INFORMED,
    adopted_as_informed,
    where_informed,
)

KNOWN_ONE_WAY = np.array([[0.0, INFORMED + 0.1, 0.0], [0.0, 0.0, 0.0], [0.0, INFORMED, 0.0]])


@pytest.mark.parametrize("directed", [True, False])
def test_a_further_round_moves_only_what_spikes_inform(directed):
    """A weight that is the same both ways is informed by either neuron's spikes."""
    moved = where_informed(np.ones((3, 3)), np.zeros((3, 3)), KNOWN_ONE_WAY, directed)
    expected = np.zeros((3, 3))
    expected[0, 1] = 1.0
    expected[1, 0] = 0.0 if directed else 1.0
    np.testing.assert_array_equal(moved, expected)


def sizes(weights):
    """Weights between neurons, by the largest: settling scales all alike."""
    between = weights[~np.eye(N, dtype=bool)]
    return between / np.abs(between).max()


def test_weights_that_stay_informed_are_taken(problem, settled):
    given = settled.parameters.weights + 0.1
    found = adopted_as_informed(problem, settled, given, directed=True)
    np.testing.assert_allclose(sizes(found.parameters.weights), sizes(given), atol=1e-6)


def test_an_inhibition_after_which_nobody_fires_is_taken_no_further():
    """Once spikes no longer inform a weight, it is no stronger than the strongest that they do."""
    rng = np.random.default_rng(0)
    trains = [np.sort(rng.uniform(0.0, 60.0, n)) for n in (900, 1200, 200)]
    since = trains[1] - trains[2][np.maximum(np.searchsorted(trains[2], trains[1]) - 1, 0)]
    trains[1] = trains[1][(since < 0.0) | (since > 0.05)]
    problem = problem_of(of_trains(trains, 60.0))
    settled = settled_in(problem)
    before = settled.parameters.weights
    assert problem.estimate(settled).determined[1, 2] > INFORMED
    given = before.copy()
    given[1, 2] *= 5.0
    found = adopted_as_informed(problem, settled, given, directed=True)
    bounded = before.copy()
    bounded[1, 2] = np.delete(before, [0, 4, 5, 8]).min()
    np.testing.assert_allclose(sizes(found.parameters.weights), sizes(bounded), atol=1e-6)
