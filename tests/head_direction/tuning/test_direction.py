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


def test_a_variable_that_is_no_direction_is_refused(recording):
    gaze = recording.covariates["gaze"]
    far = replace(gaze, values=gaze.values * 1000, is_angle=False)
    with pytest.raises(InputError, match="more than a turn"):
        with_angle(replace(recording, covariates={"x": far}), "x")


def test_epochs_without_direction_are_left_out_and_announced(recording):
    gaze = recording.covariates["gaze"]
    late = gaze.times_s > 200.0
    cut = Covariate(times_s=gaze.times_s[late], values=gaze.values[late], is_angle=True)
    kept, changes = with_angle(replace(recording, covariates={"gaze": cut}), "gaze")
    assert len(kept.epochs_s) == 1
    assert "1 of 2 epochs" in changes[0]
