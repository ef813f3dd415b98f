import pytest

from spikeweft.circuit_gnn.fitting.fit_state import ScoredGain
from spikeweft.circuit_gnn.fitting.hidden_neurons_stage import is_found, next_gain


def climb(top, n_tries=6):
    """Gains tried where the log-likelihood is a parabola with this top."""
    tried = [ScoredGain(0.0, -(top**2))]
    for _ in range(n_tries):
        if is_found(tried):
            break
        gain = next_gain(tried)
        tried.append(ScoredGain(gain, -((gain - top) ** 2)))
    return tried


@pytest.mark.parametrize("top", [0.2, 0.74, 1.0, 1.6, 3.3])
def test_the_gain_under_which_training_spikes_are_likeliest_is_found(top):
    best = max(climb(top), key=lambda tried: tried.nats)
    assert abs(best.gain - top) < 0.1


def test_hidden_neurons_that_make_spikes_less_likely_send_nothing():
    tried = climb(-0.5)
    assert max(tried, key=lambda t: t.nats).gain == 0.0


def test_the_first_gain_is_that_of_neurons_like_the_observed_ones():
    assert next_gain([ScoredGain(0.0, -7.0)]) == 1.0
