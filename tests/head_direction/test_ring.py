"""The full matrix of the ring, interpolated between cells."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.directions import slot_angles
from spikeweft.errors import InputError
from spikeweft.head_direction.ring import ring_matrix, ring_slots

QUARTERS = np.array([0.0, 0.5, 1.0, 1.5]) * np.pi


def test_between_cells_weights_are_linear_in_both_directions():
    weights = np.array([[0.0, 1, 2, 3], [4, 0, 5, 6], [7, 8, 0, 9], [10, 11, 12, 0]])
    error = np.full((4, 4), 0.2)
    full = ring_matrix(
        Connectivity(weights=weights, angle_rad=QUARTERS, standard_error=error), n_slots=8
    )
    cells = np.arange(0, 8, 2)
    off = ~np.eye(4, dtype=bool)
    assert np.allclose(full.weights[np.ix_(cells, cells)][off], weights[off])
    assert full.weights[0, 3] == pytest.approx((1 + 2) / 2)  # pre between cells 1 and 2
    assert full.weights[3, 0] == pytest.approx((4 + 7) / 2)  # post between them
    assert full.weights[1, 5] == pytest.approx((2 + 3 + 5 + 6) / 4)
    assert full.weights[7, 3] == pytest.approx((1 + 2 + 11 + 12) / 4)  # around the ring
    assert full.standard_error[0, 3] == pytest.approx(0.2 / np.sqrt(2))


def test_what_is_not_known_is_not_made_up():
    weights = np.ones((4, 4))
    error = np.full((4, 4), 0.2)
    error[0, 1] = np.inf
    sound = np.ones((4, 4), dtype=bool)
    sound[2, 3] = False
    circuit = Connectivity(weights=weights, angle_rad=QUARTERS, standard_error=error)
    full = ring_matrix(circuit, sound, n_slots=8)
    known = np.isfinite(full.standard_error)
    assert not known[np.arange(0, 8, 2), np.arange(0, 8, 2)].any()  # a cell to itself
    assert not known[0, 2]
    assert not known[4, 6]
    assert known[0, 3]  # half of it is
    assert np.allclose(full.weights[known], 1.0)


def test_cells_that_prefer_the_same_direction_have_finite_weights_between_them():
    same = np.array([1.0, 1.0, 1.0, 4.0])
    full = ring_matrix(Connectivity(weights=np.ones((4, 4)), angle_rad=same))
    known = np.isfinite(full.standard_error)
    assert np.allclose(full.weights[known], 1.0)
    assert known.any()


def test_a_cell_without_direction_is_refused():
    circuit = Connectivity(weights=np.ones((4, 4)))
    with pytest.raises(InputError, match="preferred direction"):
        ring_matrix(circuit)
    with pytest.raises(InputError, match="preferred direction"):
        ring_matrix(replace(circuit, angle_rad=np.array([0.0, 1.0, 2.0, np.nan])))


def test_every_neuron_has_a_slot_of_its_own_near_its_direction():
    preferred = np.array([0.0, 0.001, 0.002, 3.0, 6.28])
    slots = ring_slots(preferred)
    assert len(set(slots.tolist())) == 5
    off = np.angle(np.exp(1j * (slot_angles(slots) - preferred)))
    assert np.abs(off).max() < 2.1 * 2 * np.pi / 100
