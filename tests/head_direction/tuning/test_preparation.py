"""What is prepared before any circuit: cells, their directions, and pairs for a profile."""

import numpy as np
import pytest
from tests.head_direction.conftest import walk

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.directions import slot_angles
from spikeweft.errors import InputError
from spikeweft.head_direction.tuning.preparation import prepare
from spikeweft.simulation.storage import save_simulation


def prepared_from(path, preferred_deg):
    """Cells of these preferred directions, read from a file."""
    rng = np.random.default_rng(1)
    preferred = np.deg2rad(preferred_deg)
    recording = walk(rng, n_untuned=0, duration_s=200.0, preferred=preferred)
    n = recording.n_neurons
    save_simulation(path, recording, Connectivity(weights=np.zeros((n, n))))
    return prepare(path, None, None, rng)


def test_cells_keep_their_own_directions_and_have_slots_beside(tmp_path):
    """Of cells that prefer the same, only one has the slot there."""
    found = prepared_from(tmp_path / "cells.npz", [10.0, 10.0, 10.0, 10.0, 80.0, 200.0])
    own = found.recording.preferred_angle_rad
    np.testing.assert_array_equal(own, found.cells.preferred_rad[found.chosen])
    assert len(set(found.slots)) == len(own) == 6
    assert np.abs(own - slot_angles(found.slots)).max() > np.deg2rad(3.0)


@pytest.mark.parametrize(
    "preferred_deg", [[0.0, 72.0, 144.0, 216.0, 288.0], [100.0, 101.0, 102.0, 103.0, 104.0]]
)
def test_cells_without_a_local_or_a_surround_pair_are_refused_at_once(tmp_path, preferred_deg):
    with pytest.raises(InputError, match="a profile needs pairs within 30° and pairs from 30°"):
        prepared_from(tmp_path / "cells.npz", preferred_deg)
