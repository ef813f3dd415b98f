from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.errors import InputError
from spikeweft.head_direction.tuning.direction import find_angle, with_angle


def test_the_only_angle_is_found_whatever_its_name(recording):
    assert find_angle(recording) == "gaze"


def test_without_a_direction_the_way_without_one_is_named(recording):
    speed = replace(recording.covariates["gaze"], is_angle=False)
    with pytest.raises(InputError, match="spikeweft infer"):
        find_angle(replace(recording, covariates={"speed": speed}))


def test_of_two_angles_one_must_be_chosen(recording):
    both = replace(recording, covariates=dict.fromkeys(("a", "b"), recording.covariates["gaze"]))
    with pytest.raises(InputError, match="a, b"):
        find_angle(both)
    assert find_angle(both, "b") == "b"
    with pytest.raises(InputError, match="it has: a, b"):
        find_angle(both, "c")


def test_degrees_are_understood_and_announced(recording):
    gaze = recording.covariates["gaze"]
    degrees = replace(gaze, values=np.rad2deg(gaze.values), is_angle=False)
    understood, changes = with_angle(replace(recording, covariates={"yaw": degrees}), "yaw")
    assert "degrees" in changes[0]
    assert np.allclose(understood.covariates["yaw"].values, gaze.values)
    assert understood.covariates["yaw"].is_angle


@pytest.mark.parametrize("turns", [3, 50])
def test_an_angle_is_in_radians_however_often_it_turns(recording, turns):
    gaze = recording.covariates["gaze"]
    further = gaze.values + 2 * np.pi * (np.arange(len(gaze.values)) % turns)
    unwrapped = replace(gaze, values=further)
    understood, changes = with_angle(replace(recording, covariates={"gaze": unwrapped}), "gaze")
    assert not changes
    assert np.allclose(np.exp(1j * understood.covariates["gaze"].values), np.exp(1j * gaze.values))


@pytest.mark.parametrize("factor", [3.0, 12.0, 1000.0])
def test_a_variable_that_is_no_direction_is_refused(recording, factor):
    gaze = recording.covariates["gaze"]
    far = replace(gaze, values=gaze.values * factor, is_angle=False)
    with pytest.raises(InputError, match="no turn in radians or degrees; store"):
        with_angle(replace(recording, covariates={"x": far}), "x")


@pytest.mark.parametrize("to_unit", [np.asarray, np.rad2deg])
def test_a_value_that_stands_for_a_missing_sample_is_no_direction(recording, to_unit):
    gaze = recording.covariates["gaze"]
    values = to_unit(gaze.values)
    values = np.where(np.arange(len(values)) == 7, -1.0, values)
    with pytest.raises(InputError, match="without values that stand for missing samples"):
        with_angle(
            replace(recording, covariates={"x": replace(gaze, values=values, is_angle=False)}), "x"
        )


def test_epochs_without_direction_are_left_out_and_announced(recording):
    gaze = recording.covariates["gaze"]
    late = gaze.times_s > 200.0
    cut = Covariate(times_s=gaze.times_s[late], values=gaze.values[late], is_angle=True)
    kept, changes = with_angle(replace(recording, covariates={"gaze": cut}), "gaze")
    assert len(kept.epochs_s) == 1
    assert changes == ["'gaze' was not sampled in 133.3 of 333.333 s, which are left out"]


@pytest.mark.parametrize("missing", ["samples", "numbers"])
def test_short_gaps_and_late_starts_of_the_direction_are_left_out_too(recording, missing):
    """Less than 2 % of the time, yet the last direction known is none of the next seconds."""
    gaze = recording.covariates["gaze"]
    lost = (gaze.times_s < 1.0) | ((gaze.times_s > 300.0) & (gaze.times_s < 303.0))
    cut = replace(gaze, values=np.where(lost, np.nan, gaze.values))
    if missing == "samples":
        cut = cut.known()
    kept, changes = with_angle(replace(recording, covariates={"gaze": cut}), "gaze")
    expected = [[1.0, 400 / 3], [200.0, 300.0], [303.0, 400.0]]
    assert kept.epochs_s == pytest.approx(np.array(expected), abs=0.02)
    assert np.isfinite(kept.covariates["gaze"].values).all()
    assert "not sampled in 3.985" in changes[0]


def test_a_direction_of_another_clock_is_refused(recording):
    gaze = recording.covariates["gaze"]
    other = replace(gaze, times_s=gaze.times_s + 1e6)
    with pytest.raises(InputError, match="never sampled while spikes were recorded"):
        with_angle(replace(recording, covariates={"gaze": other}), "gaze")
