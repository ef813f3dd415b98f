import numpy as np
import pytest
from tests.data.file_contents.conftest import contents_of_trains, poisson_trains

from spikeweft.data.file_contents.clock import check_clock
from spikeweft.errors import InputError


def test_nothing_is_said_of_sound_spike_times():
    assert check_clock(contents_of_trains(poisson_trains())) == ()


@pytest.mark.parametrize("bin_s", [0.001, 0.01, 0.1])
def test_binned_spike_times_are_sound(bin_s):
    trains = [np.floor(train / bin_s) * bin_s for train in poisson_trains()]
    assert check_clock(contents_of_trains(trains)) == ()


def test_hours_of_rare_spikes_are_sound():
    assert check_clock(contents_of_trains(poisson_trains(12, 0.02, 30 * 3600.0))) == ()


def test_samples_are_refused():
    trains = [np.rint(30_000 * train) for train in poisson_trains()]
    with pytest.raises(InputError, match=r"whole numbers, up to 2,9.* are these samples or"):
        check_clock(contents_of_trains(trains))


@pytest.mark.parametrize("resolution_s", [1e-4, 1 / 30_000])
def test_milliseconds_on_a_grid_are_refused(resolution_s):
    trains = [1e3 * resolution_s * np.rint(train / resolution_s) for train in poisson_trains()]
    with pytest.raises(InputError, match=r"span 27\.\d h .* are these milliseconds"):
        check_clock(contents_of_trains(trains))


def test_milliseconds_of_refractory_neurons_are_refused_without_any_grid():
    rng = np.random.default_rng(1)
    trains = [1e3 * np.cumsum(0.002 + rng.exponential(0.1, 1000)) for _ in range(6)]
    with pytest.raises(InputError, match="no unit fires twice within 1 s, where"):
        check_clock(contents_of_trains(trains))


def test_microseconds_are_refused_with_their_own_remedy():
    trains = [1e6 * train for train in poisson_trains()]
    with pytest.raises(InputError, match=r"are these microseconds\? .* divide by 1,000,000"):
        check_clock(contents_of_trains(trains))


def test_padding_is_named_with_its_units():
    trains = [train + 3000 for train in poisson_trains()]
    for unit in (0, 1):
        trains[unit] = np.concatenate([np.full(25, -1.0), trains[unit]])
    with pytest.raises(InputError, match=r"50 spikes .* at -1 s, 3,001 s before .* units '0', '1'"):
        check_clock(contents_of_trains(trains))


def test_padding_may_come_last():
    trains = poisson_trains()
    trains[3] = np.append(trains[3], 1e6)
    with pytest.raises(InputError, match=r"1 spike .* after all others, of unit '3'"):
        check_clock(contents_of_trains(trains))


def test_a_clock_that_starts_again_is_named():
    trains = [
        np.concatenate([train[train < 50], train[train >= 50] - 50]) for train in poisson_trains()
    ]
    (said,) = check_clock(contents_of_trains(trains))
    assert said.startswith("the times of 6 of 6 units step back by up to 4")


def test_shuffled_times_were_only_not_sorted():
    rng = np.random.default_rng(0)
    trains = [rng.permutation(train) for train in poisson_trains()]
    assert check_clock(contents_of_trains(trains)) == ()


@pytest.mark.parametrize("hours", [0.5, 10])
def test_times_that_were_written_in_too_few_bits_are_named(hours):
    late = [train + hours * 3600 for train in poisson_trains()]
    assert check_clock(contents_of_trains(late)) == ()
    said = check_clock(contents_of_trains([train.astype(np.float32) for train in late]))
    assert len(said) == (hours > 1)
    if said:
        assert "written in 32 bits, which are good to 3.9 ms only at 36,100 s" in said[0]


def test_spikes_that_are_listed_many_times_are_refused():
    trains = [np.repeat(train, 50) for train in poisson_trains()]
    with pytest.raises(InputError, match=r"listed more than once .* list each spike once"):
        check_clock(contents_of_trains(trains))


def test_a_unit_that_lists_its_spikes_twice_is_named():
    trains = poisson_trains()
    trains[2] = np.repeat(trains[2], 2)
    (said,) = check_clock(contents_of_trains(trains))
    assert "listed more than once by unit '2'" in said


def test_times_that_are_not_finite_are_named_with_their_unit():
    trains = poisson_trains()
    trains[4][7] = np.nan
    with pytest.raises(InputError, match=r"1 spike time .* not finite, the first of unit '4'"):
        check_clock(contents_of_trains(trains))
