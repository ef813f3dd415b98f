import numpy as np
import pytest

from spikeweft.circuit_gnn.fitting.shared_parameters.trials import Tried, at_vertex

WIDTH = 0.5


def climbed(nats_at):
    """Where the search ends up, and every change that it tried."""
    tried = []

    def trial(change):
        tried.append(change)
        return Tried(nats_at(change), change)

    return at_vertex(Tried(nats_at(0.0), 0.0), trial, WIDTH).candidate, tried


@pytest.mark.parametrize("top", [-0.9, -0.2, 0.0, 0.07, 0.4, 0.8])
def test_the_top_of_a_parabola_is_found(top):
    found, tried = climbed(lambda change: 100.0 - 30.0 * (change - top) ** 2)
    assert found == pytest.approx(top, abs=1e-9)
    assert len(tried) == 3


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_no_trial_is_further_than_twice_the_width(sign):
    """Not towards a far top, nor where the likelihood bends the other way."""
    for nats_at in (lambda x: -((x - sign * 5.0) ** 2), lambda x: 3.0 * sign * x + x**2):
        found, tried = climbed(nats_at)
        assert found == pytest.approx(sign * 2 * WIDTH)
        assert np.abs(tried).max() == pytest.approx(2 * WIDTH)


def test_what_is_best_of_all_that_was_tried_is_kept():
    """A kink at which a parabola's top is worse than no change at all."""
    found, tried = climbed(lambda change: -10.0 * change if change > 0 else change)
    assert found == 0.0
    assert min(tried) == -WIDTH
