"""The fits of a sweep, and their names."""

import numpy as np
import pytest

from spikeweft.errors import InputError
from spikeweft.inference.sweep.grid import Grid, planned


@pytest.fixture
def recording(tmp_path):
    times = np.arange(100) * 0.05
    np.savez(tmp_path / "three.npz", spike_times=times, spike_units=np.arange(100) % 3)
    return tmp_path / "three.npz"


def test_every_combination_is_a_fit_with_a_name_of_its_own(recording, tmp_path):
    grid = Grid(recordings=(recording,), seeds=(0, 1), n_hidden=(0, 2), minutes=(None, 0.05))
    fits = planned(grid, tmp_path / "fits")
    assert len({fit.folder for fit in fits}) == 8
    assert {(fit.seed, fit.n_hidden, fit.minutes) for fit in fits} == {
        (seed, n_hidden, minutes)
        for seed in (0, 1)
        for n_hidden in (0, 2)
        for minutes in (None, 0.05)
    }


def test_fits_to_other_units_are_other_fits(recording, tmp_path):
    def fit(**chosen):
        (only,) = planned(Grid(recordings=(recording,), **chosen), tmp_path / "fits")
        return only

    fits = [fit(), fit(units="rate_hz > 1"), fit(units="rate_hz > 2"), fit(exclude=("1",))]
    assert len({one.folder for one in fits}) == 4
    assert fits[1].units == "rate_hz > 1"
    assert "--units 'rate_hz > 1'" in fits[1].command
    assert fits[3].selection.exclude == ("1",)


def test_fits_with_other_inputs_are_other_fits(recording, tmp_path):
    def fit(**inputs):
        (only,) = planned(Grid(recordings=(recording,), **inputs), tmp_path / "fits")
        return only

    fits = [
        fit(),
        fit(covariates=("speed",)),
        fit(covariates=("speed", "cue")),
        fit(covariates=("cue",), event_window_s=(-0.2, 0.4)),
        fit(rotated_by="direction"),
    ]
    assert len({one.folder for one in fits}) == 5
    assert fits[1].selection.covariates == ("speed",)
    assert "--covariates cue --event-window-s -0.2 0.4" in fits[3].command
    assert fits[4].rotated_by == "direction"


def test_a_setting_that_no_fit_can_use_is_refused_before_any(recording, tmp_path):
    with pytest.raises(InputError, match=r"^-2 minutes cannot be used; give a positive number"):
        planned(Grid(recordings=(recording,), minutes=(1.0, -2.0)), tmp_path / "fits")
