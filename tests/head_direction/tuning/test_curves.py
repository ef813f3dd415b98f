"""Head-direction tuning: cells are found, others are not, and the angle may have any name."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.errors import InputError
from spikeweft.head_direction.tuning.curves import boxcar, sampling_hz, tuning_curves


def test_the_smoothing_window_is_fourteen_and_a_half_degrees_wide():
    row = boxcar(120)[0]
    assert row.sum() == pytest.approx(1.0)
    assert 3.0 / row.max() == pytest.approx(14.5)


def test_a_rate_is_spikes_over_time(recording):
    curves = tuning_curves(recording, "gaze")
    n_spikes = np.nansum(curves.rate_hz * curves.occupancy_s[:, None], axis=0)
    assert curves.occupancy_s.sum() == pytest.approx(recording.duration_s, rel=0.01)
    assert np.allclose(n_spikes, recording.n_spikes, rtol=0.1)


@pytest.mark.parametrize("times_s", [[1.0], [1.0, 1.0, 1.0, 2.0]])
def test_a_direction_whose_times_do_not_say_how_often_it_was_sampled_is_refused(recording, times_s):
    odd = Covariate(times_s=np.array(times_s), values=np.zeros(len(times_s)), is_angle=True)
    with pytest.raises(InputError, match=f"'gaze' has {len(times_s)} samples, .* give two or more"):
        sampling_hz(replace(recording, covariates={"gaze": odd}), "gaze")


def test_turning_the_animal_turns_the_preferred_directions(recording):
    gaze = recording.covariates["gaze"]
    turned = replace(gaze, values=np.mod(gaze.values + 1.0, 2 * np.pi))
    other = replace(recording, covariates={"gaze": turned})
    before, after = (tuning_curves(r, "gaze").preferred_rad for r in (recording, other))
    off = np.angle(np.exp(1j * (after - before - 1.0)))[:6]
    assert np.abs(off).max() < np.deg2rad(1)
