import pytest

from spikeweft.circuit_gnn.fitting.work import Costs, Pace, Work
from spikeweft.runtime.parallel import on_one_thread

SMALL = Costs(n_neurons=8, n_features=11, n_spikes=40_000, n_times=80_000.0)
LARGE = Costs(n_neurons=100, n_features=103, n_spikes=500_000, n_times=100_000.0)


def test_the_time_left_is_known_from_the_first_step_and_right_once_both_kinds_were_measured():
    pace, left = Pace(), Work(on_spikes_s=10.0, on_networks_s=20.0)
    assert pace.seconds(left) is None
    pace.learn(Work(on_spikes_s=1.0), 2.0)
    assert pace.seconds(left) == pytest.approx(60.0)
    pace.learn(Work(on_spikes_s=1.0, on_networks_s=2.0), 10.0)
    assert pace.seconds(left) == pytest.approx(2.0 * 10 + 4.0 * 20)


def test_one_step_that_was_held_up_changes_little():
    pace, left = Pace(), Work(on_spikes_s=10.0)
    for seconds in (6.0, 0.1, 0.11, 0.09, 0.1):
        pace.learn(Work(on_spikes_s=0.1), seconds)
    assert pace.seconds(left) == pytest.approx(10.0)


def test_of_steps_that_workers_share_only_all_together_say_how_long_one_takes():
    """The first of four is waited for; the others are there by then."""
    pace, each = Pace(), Work(on_spikes_s=2.0)
    for seconds in (16.0, 0.0, 0.0, 0.0):
        pace.learn_shared(each, seconds)
    assert pace.seconds(each.times(4.0)) == pytest.approx(16.0)


def test_work_on_one_processor_takes_what_it_takes_where_there_is_only_one():
    one, two = (LARGE.on_spikes(n_passes=3, n_traces=1, n_processors=n) for n in (1, 2))
    assert two.on_spikes_s < one.on_spikes_s < 2.0 * two.on_spikes_s
    with on_one_thread():
        assert LARGE.on_spikes(n_passes=3, n_traces=1) == one


def test_steps_that_do_nothing_teach_nothing():
    pace = Pace()
    pace.learn(Work(), 1.0)
    assert pace.seconds(Work(on_spikes_s=1.0)) is None


def test_more_neurons_spikes_and_networks_are_more_work():
    assert LARGE.on_spikes(n_passes=1) > SMALL.on_spikes(n_passes=1)
    assert SMALL.on_spikes(n_passes=2) > SMALL.on_spikes(n_passes=1)
    assert SMALL.on_networks(4) > SMALL.on_networks(2)
    assert LARGE.on_networks(2, directed=True) > LARGE.on_networks(2) > SMALL.on_networks(2)
