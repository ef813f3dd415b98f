import numpy as np
import pytest
from tests.data.file_contents.conftest import contents_of_trains, poisson_trains

from spikeweft.data.file_contents.contents import LabelledEpoch
from spikeweft.data.file_contents.observed_time import used_time
from spikeweft.errors import InputError

OTHERS = np.arange(1, 4)


def contents(**more):
    return contents_of_trains(poisson_trains(4), **more)


def epochs(*rows):
    return {"epochs": [LabelledEpoch(*row) for row in rows]}


def test_invalid_times_are_left_out():
    found, said = used_time(contents(invalid_s=np.array([[40.0, 50.0]])), None)
    assert found[0, 1] == 40.0
    assert found[1, 0] == 50.0
    assert said == ("10 s that the file calls invalid are left out",)


def test_invalid_time_without_a_stop_goes_to_the_end_and_without_a_start_from_the_beginning():
    invalid_s = np.array([[-np.inf, 10.0], [90.0, np.inf], [-np.inf, np.inf]])
    found, said = used_time(contents(invalid_s=invalid_s), None)
    assert found.tolist() == [[10.0, 90.0]]
    assert said[:3] == (
        "row 0 of the invalid times has no start; all time to 10 s is invalid",
        "row 1 of the invalid times has no stop; all time from 90 s on is invalid",
        "row 2 of the invalid times has neither start nor stop and is left out",
    )


def test_invalid_time_that_stops_before_it_starts_is_refused_with_its_row():
    invalid_s = np.array([[10.0, 20.0], [60.0, 50.0]])
    with pytest.raises(
        InputError, match=r"row 1 of the invalid .*\.nwb stops at 50 s before .* 60 s"
    ):
        used_time(contents(invalid_s=invalid_s), None)


def test_a_table_of_a_name_goes_before_labels_elsewhere_and_that_is_said():
    tables = {
        "wake": [LabelledEpoch(0.0, 10.0, frozenset())],
        "trials": [LabelledEpoch(20.0 * n, 20.0 * n + 5, frozenset({"wake"})) for n in (1, 2)],
    }
    found, said = used_time(contents(epochs=tables), "wake")
    assert found.tolist() == [[0.0, 10.0]]
    assert said == (
        "the epochs 'wake' are the table of that name; 2 rows with that label in 'trials' are not "
        "used",
    )


def test_a_label_in_several_tables_is_said_with_their_names():
    tables = {
        name: [LabelledEpoch(start_s, start_s + 5.0, frozenset({"light"}))]
        for name, start_s in (("trials", 20.0), ("blocks", 0.0))
    }
    found, said = used_time(contents(epochs=tables), "light")
    assert found.tolist() == [[0.0, 5.0], [20.0, 25.0]]
    assert said == (
        "the epochs 'light' are those with that label in several tables, 'trials', 'blocks'",
    )


def test_an_epoch_without_a_stop_is_ended_at_the_last_spike_and_named():
    rows = epochs((0.0, 40.0, frozenset({"sleep"})), (45.0, np.nan, frozenset({"wake"})))
    recorded = contents(epochs=rows, usual_epochs="epochs")
    found, said = used_time(recorded, None)
    np.testing.assert_allclose(found, [[0.0, 40.0], [45.0, recorded.span_s[1]]])
    assert "row 1 of the table 'epochs' has no stop" in said[0]


def test_an_epoch_without_a_start_is_left_out_and_named():
    rows = epochs((0.0, 40.0, frozenset()), (np.nan, 60.0, frozenset()))
    found, said = used_time(contents(epochs=rows, usual_epochs="epochs"), None)
    assert found.tolist() == [[0.0, 40.0]]
    assert said == ("row 1 of the table 'epochs' has no start and is left out",)


def test_an_epoch_without_a_stop_that_starts_after_all_spikes_is_left_out():
    rows = epochs((0.0, 40.0, frozenset()), (200.0, np.nan, frozenset()))
    found, said = used_time(contents(epochs=rows, usual_epochs="epochs"), None)
    assert found.tolist() == [[0.0, 40.0]]
    assert said == (
        "row 1 of the table 'epochs' has no stop, starts after the last spike, and is left out",
    )


def test_observation_without_a_stop_ends_at_the_last_spike():
    recorded = contents(observed_s=[np.array([[0.0, np.nan]])] + [np.array([[0.0, 100.0]])] * 3)
    found, said = used_time(recorded, None)
    np.testing.assert_allclose(found, [[0.0, recorded.span_s[1]]])
    assert "the observation of unit '0' has no stop; it is ended at the last spike" in said[0]


def test_observation_without_a_start_is_left_out_and_named():
    odd = np.array([[np.nan, 20.0], [30.0, 80.0]])
    recorded = contents(observed_s=[odd] + [np.array([[0.0, 80.0]])] * 3)
    found, said = used_time(recorded, None)
    np.testing.assert_array_equal(found, [[30.0, 80.0]])
    assert said[0] == "observation of unit '0' without a start is left out"


def test_observation_that_stops_before_it_starts_is_refused_and_its_order_does_not_matter():
    unsorted = [np.array([[60.0, 100.0], [0.0, 50.0]])] * 4
    found, _ = used_time(contents(observed_s=unsorted), None)
    assert found.tolist() == [[0.0, 50.0], [60.0, 100.0]]
    reversed_ = [np.array([[0.0, 50.0], [100.0, 60.0]])] * 4
    with pytest.raises(InputError, match=r"unit '0' .* observed from 100 to 60 s, which ends"):
        used_time(contents(observed_s=reversed_), None)


def test_observation_of_an_excluded_unit_matters_to_nobody():
    """Neither that it has no stop nor that it stops before it starts."""
    for odd in (np.nan, 60.0):
        observed = [np.array([[90.0, odd]])] + [np.array([[0.0, 80.0]])] * 3
        found, said = used_time(contents(observed_s=observed).select(OTHERS), None)
        np.testing.assert_array_equal(found, [[0.0, 80.0]])
        assert said == ()


def test_units_of_which_nothing_says_when_they_were_observed_were_observed_throughout():
    without = used_time(contents(), None)[0]
    nothing = [np.zeros((0, 2))] * 4
    np.testing.assert_array_equal(used_time(contents(observed_s=nothing), None)[0], without)


def test_an_epoch_that_stops_before_it_starts_is_refused_with_its_row():
    rows = epochs((0.0, 40.0, frozenset()), (60.0, 50.0, frozenset()))
    with pytest.raises(InputError, match=r"row 1 of the table 'epochs' .* before it starts at 60"):
        used_time(contents(epochs=rows, usual_epochs="epochs"), None)


def test_the_unit_that_costs_time_is_named_with_what_it_costs():
    observed = [np.array([[0.0, 6.0]])] + [np.array([[0.0, 100.0]])] * 3
    found, said = used_time(contents(observed_s=observed), None)
    assert found.tolist() == [[0.0, 6.0]]
    assert said == (
        "unit '0' costs 94 s in which all others were observed: 6 s are used; exclude it to use "
        "100 s",
    )
    found, said = used_time(contents(observed_s=observed).select(OTHERS), None)
    assert found.tolist() == [[0.0, 100.0]]
    assert said == ()


def test_units_that_were_never_observed_together_are_named():
    observed = [np.array([[0.0, 45.0]])] * 2 + [np.array([[55.0, 100.0]])] * 2
    with pytest.raises(InputError, match=r"units '0', '1' and units '2', '3' .* never observed"):
        used_time(contents(observed_s=observed), None)
