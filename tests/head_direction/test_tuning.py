"""Head-direction tuning: cells are found, others are not, and the angle may have any name."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.data.ring_geometry import slot_angles
from spikeweft.errors import InputError
from spikeweft.head_direction.cells import head_direction_cells
from spikeweft.head_direction.decoding import decode_direction
from spikeweft.head_direction.direction import find_angle, with_angle
from spikeweft.head_direction.ring import ring_slots
from spikeweft.head_direction.tuning import boxcar, tuning_curves

PREFERRED = np.deg2rad([10.0, 80.0, 150.0, 200.0, 260.0, 330.0])


def walk(rng, name="gaze", *, duration_s=400.0, n_untuned=2):
    """Cells tuned to a direction that wanders about, and some that fire at random."""
    times_s = np.arange(0, duration_s, 0.01)
    angle = np.mod(np.cumsum(rng.normal(0, 0.25, len(times_s))), 2 * np.pi)
    rate = 20 * np.exp(3 * (np.cos(angle[:, None] - PREFERRED) - 1)) + 0.5
    rate = np.concatenate([rate, np.full((len(rate), n_untuned), 6.0)], axis=1)
    time, neuron = np.nonzero(rng.random(rate.shape) < rate * 0.01)
    return Recording.from_arrays(
        times_s[time] + 0.005,
        neuron,
        n_neurons=rate.shape[1],
        epochs_s=np.array([[0.0, duration_s / 3], [duration_s / 2, duration_s]]),
        covariates={name: Covariate(times_s=times_s + 0.005, values=angle, is_angle=True)},
    )


@pytest.fixture(scope="module")
def recording():
    return walk(np.random.default_rng(1))


def test_tuned_neurons_are_head_direction_cells_and_others_are_not(recording):
    cells = head_direction_cells(recording, "gaze", np.random.default_rng(2), n_shuffles=200)
    assert cells.is_cell.tolist() == [True] * 6 + [False] * 2
    off = np.angle(np.exp(1j * (cells.preferred_rad[:6] - PREFERRED)))
    assert np.abs(off).max() < np.deg2rad(8)


def test_one_untuned_neuron_in_a_hundred_passes():
    rng = np.random.default_rng(3)
    recording = walk(rng, n_untuned=60, duration_s=150.0)
    cells = head_direction_cells(recording, "gaze", rng, n_shuffles=300)
    assert cells.is_cell[6:].sum() <= 3


def test_the_smoothing_window_is_fourteen_and_a_half_degrees_wide():
    row = boxcar(120)[0]
    assert row.sum() == pytest.approx(1.0)
    assert 3.0 / row.max() == pytest.approx(14.5)


def test_a_rate_is_spikes_over_time(recording):
    curves = tuning_curves(recording, "gaze")
    n_spikes = np.nansum(curves.rate_hz * curves.occupancy_s[:, None], axis=0)
    assert curves.occupancy_s.sum() == pytest.approx(recording.duration_s, rel=0.01)
    assert np.allclose(n_spikes, recording.n_spikes, rtol=0.1)


def test_turning_the_animal_turns_the_preferred_directions(recording):
    gaze = recording.covariates["gaze"]
    turned = replace(gaze, values=np.mod(gaze.values + 1.0, 2 * np.pi))
    other = replace(recording, covariates={"gaze": turned})
    before, after = (tuning_curves(r, "gaze").preferred_rad for r in (recording, other))
    off = np.angle(np.exp(1j * (after - before - 1.0)))[:6]
    assert np.abs(off).max() < np.deg2rad(1)


def test_the_direction_can_be_read_from_held_out_spikes(recording):
    assert decode_direction(recording, "gaze").median_error_deg < 30


def test_spikes_without_direction_are_decoded_at_chance():
    rng = np.random.default_rng(5)
    recording = walk(rng, n_untuned=6).select(np.arange(6, 12))
    assert 60 < decode_direction(recording, "gaze").median_error_deg < 120


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


def test_every_neuron_has_a_slot_of_its_own_near_its_direction():
    preferred = np.array([0.0, 0.001, 0.002, 3.0, 6.28])
    slots = ring_slots(preferred)
    assert len(set(slots.tolist())) == 5
    off = np.angle(np.exp(1j * (slot_angles(slots) - preferred)))
    assert np.abs(off).max() < 2.1 * 2 * np.pi / 100


@pytest.mark.slow
def test_a_real_animal_has_nineteen_head_direction_cells(shared_data):
    from spikeweft.data.readers.load import load

    recording = load(shared_data / "Mouse12-120806.nwb").recording
    angle = find_angle(recording)
    cells = head_direction_cells(recording, angle, np.random.default_rng(0), n_shuffles=100)
    assert cells.is_cell.all()
    assert decode_direction(recording, angle).median_error_deg < 20
