import numpy as np
import pytest

from spikeweft.synapse_model.connections.indirect_bumps import IndirectBumps

LAGS_S = 0.001 * np.arange(-40, 41)


def test_the_chance_of_bumps_is_that_of_the_pairs_which_show_one():
    rng = np.random.default_rng(0)
    first = IndirectBumps.first(LAGS_S, skewed=False)
    found = np.zeros((1000, len(first.log_factor)))
    shown = rng.random(1000) < 0.1
    found[shown, -1] = 1.0  # the highest, farthest, widest
    bumps = first.updated(found)
    assert bumps.chance == pytest.approx(shown.mean(), rel=0.05)
    assert bumps.height[-1] > 0.85
    assert bumps.profile[-1] > 0.85
    assert np.exp(bumps.log_bump).sum() == pytest.approx(1.0)


def test_skewed_bumps_rise_to_their_peak_more_quickly_than_they_fall_or_the_other_way_round():
    bumps = IndirectBumps.first(LAGS_S, skewed=True)
    shape = (len(bumps.height), -1, len(bumps.profile), len(LAGS_S))
    at_zero = bumps.log_factor.reshape(shape)[-1, 30]
    later, earlier = at_zero[-2:] / at_zero[-2:].max(1, keepdims=True)
    np.testing.assert_array_equal(later, earlier[::-1])
    assert later.argmax() == 40
    assert later[50] > 2 * later[30]
    np.testing.assert_allclose(at_zero[:-2], at_zero[:-2, ::-1], rtol=1e-5)
