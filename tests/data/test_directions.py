"""Preferred directions: from the time in which the direction was followed, and no other."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.data.directions import preferred_directions
from spikeweft.data.recording import Recording

PREFERRED = np.deg2rad([20.0, 110.0, 250.0])
WAKE_S, END_S = 200.0, 1000.0
WAKE, SLEEP = np.array([[0.0, WAKE_S]]), np.array([[WAKE_S, END_S]])


@pytest.fixture(scope="module")
def night():
    """Cells that follow a direction awake, and then fire at random for a long time."""
    rng = np.random.default_rng(0)
    times_s = np.arange(0.0, END_S, 0.01)
    angle = np.mod(np.cumsum(rng.normal(0, 0.25, len(times_s))), 2 * np.pi)
    tuned = 20 * np.exp(3 * (np.cos(angle[:, None] - PREFERRED) - 1))
    rate_hz = np.where(times_s[:, None] < WAKE_S, tuned, 10.0)
    time, neuron = np.nonzero(rng.random(rate_hz.shape) < rate_hz * 0.01)
    direction = Covariate(times_s=times_s + 0.005, values=angle, is_angle=True)
    return Recording.from_arrays(
        times_s[time] + 0.005,
        neuron,
        epochs_s=np.array([[0.0, END_S]]),
        covariates={"direction": direction},
    )


def followed_awake(direction, missing):
    """The direction, not followed asleep: without samples, or with samples that are no numbers."""
    unknown = replace(
        direction, values=np.where(direction.times_s < WAKE_S, direction.values, np.nan)
    )
    return unknown if missing == "numbers" else unknown.known()


@pytest.mark.parametrize("missing", ["samples", "numbers"])
def test_spikes_while_the_direction_was_not_followed_tell_nothing_of_it(night, missing):
    direction = followed_awake(night.covariates["direction"], missing)
    found = preferred_directions(night, direction)
    assert np.abs(np.angle(np.exp(1j * (found - PREFERRED)))).max() < np.deg2rad(8)
    assert found == pytest.approx(preferred_directions(night.restrict(WAKE), direction))


def test_a_neuron_that_is_silent_while_the_direction_is_followed_has_none(night):
    kept = (night.spike_times_s > WAKE_S) | (night.spike_neurons == 0)
    times_s, neurons = night.spike_times_s[kept], night.spike_neurons[kept]
    quiet = replace(night, spike_times_s=times_s, spike_neurons=neurons)
    found = preferred_directions(quiet, followed_awake(night.covariates["direction"], "samples"))
    assert np.isfinite(found).tolist() == [True, False, False]


@pytest.mark.parametrize("missing", ["samples", "numbers"])
def test_where_the_direction_was_never_followed_none_is_preferred(night, missing):
    direction = followed_awake(night.covariates["direction"], missing)
    assert np.isnan(preferred_directions(night.restrict(SLEEP), direction)).all()
