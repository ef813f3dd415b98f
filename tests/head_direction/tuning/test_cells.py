import numpy as np
import pytest
from tests.head_direction.conftest import PREFERRED, walk

from spikeweft.head_direction.tuning.cells import head_direction_cells
from spikeweft.head_direction.tuning.decoding import decode_direction
from spikeweft.head_direction.tuning.direction import find_angle


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


@pytest.mark.slow
def test_a_real_animal_has_nineteen_head_direction_cells(shared_data):
    from spikeweft.data.readers.load import load

    recording = load(shared_data / "Mouse12-120806.nwb").recording
    angle = find_angle(recording)
    cells = head_direction_cells(recording, angle, np.random.default_rng(0), n_shuffles=100)
    assert cells.is_cell.all()
    assert decode_direction(recording, angle).median_error_deg < 20
