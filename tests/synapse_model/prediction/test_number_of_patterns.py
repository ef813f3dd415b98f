import numpy as np

from spikeweft.data.recording import Recording
from spikeweft.synapse_model.prediction.number_of_patterns import choose_patterns

STEP_S, HISTORY_S = 1e-3, 0.1


def test_patterns_are_found_where_there_are_some(with_slow_patterns):
    found = choose_patterns(with_slow_patterns(2), STEP_S, HISTORY_S)
    assert found.n_patterns >= 2
    assert np.all(found.loadings[-1] == 0.0)


def test_no_more_than_the_population_is_found_where_all_share_one_state(with_slow_patterns):
    assert choose_patterns(with_slow_patterns(0), STEP_S, HISTORY_S).n_patterns <= 1


def test_a_recording_too_short_to_choose_has_none():
    times_s = np.arange(1, 40) * 0.01
    short = Recording.from_arrays(times_s, np.arange(39) % 9, epochs_s=np.array([[0.0, 0.4]]))
    assert choose_patterns(short, STEP_S, HISTORY_S).n_patterns == 0


def test_neurons_that_fire_only_at_the_end_have_none():
    """What precedes the last tenth has no spikes, and the patterns nothing to be found in."""
    times_s = 93.0 + 0.007 * np.arange(900)
    late = Recording.from_arrays(times_s, np.arange(900) % 9, epochs_s=np.array([[0.0, 100.0]]))
    assert choose_patterns(late, STEP_S, HISTORY_S).n_patterns == 0
