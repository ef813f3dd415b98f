"""Where a circuit itself places its neurons."""

import numpy as np
import pytest

from spikeweft.circuit_gnn.spike_prediction.hidden_neurons.placement import (
    mixtures_between,
    neighbours,
    positions,
)


def on_circle(angle_rad):
    return np.stack([np.cos(angle_rad), np.sin(angle_rad)], axis=1)


def ring_weights(angle_rad, width_rad=0.5):
    apart = np.angle(np.exp(1j * (angle_rad[:, None] - angle_rad[None, :])))
    weights = np.exp(-0.5 * (apart / width_rad) ** 2)
    np.fill_diagonal(weights, 0.0)
    return weights


def next_on_ring(n):
    step = np.abs(np.arange(n)[:, None] - np.arange(n)[None, :])
    return (step == 1) | (step == n - 1)


def test_neighbours_on_a_ring_are_the_next_ones():
    np.testing.assert_array_equal(
        neighbours(on_circle(2 * np.pi * np.arange(12) / 12)), next_on_ring(12)
    )


def test_neighbours_on_a_line_are_the_next_ones_and_its_ends_do_not_meet():
    linked = neighbours(np.array([[0.0], [3.0], [1.0], [7.0]]))
    assert {tuple(pair) for pair in np.argwhere(np.triu(linked))} == {(0, 2), (1, 2), (1, 3)}


def test_neighbours_on_a_sheet_are_those_of_the_grid():
    grid = np.stack(np.meshgrid(np.arange(4.0), np.arange(5.0), indexing="ij"), axis=-1)
    place = grid.reshape(-1, 2)
    steps = np.abs(place[:, None] - place[None, :]).sum(axis=2)
    np.testing.assert_array_equal(neighbours(place), steps == 1)


def test_everyone_is_reached_through_neighbours():
    """Two far groups are linked too: the graph contains the shortest tree (Toussaint 1980)."""
    rng = np.random.default_rng(0)
    place = np.concatenate([rng.normal(size=(10, 3)), rng.normal(size=(10, 3)) + 50.0])
    reached = np.linalg.matrix_power(np.eye(20) + neighbours(place), 20) > 0
    assert reached.all()


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_a_circuit_with_a_ring_in_it_shows_the_ring(noise):
    """In any order of its neurons, and although the diagonal is not known."""
    rng = np.random.default_rng(1)
    n = 30
    order = rng.permutation(n)
    angle_rad = (2 * np.pi * np.arange(n) / n)[order]
    noisy = ring_weights(angle_rad) + noise * rng.normal(size=(n, n))
    linked = neighbours(positions(noisy))
    expected = next_on_ring(n)[np.ix_(order, order)]
    assert np.mean(linked[expected]) > 0.9
    assert linked.sum() < 1.5 * expected.sum()


def test_neurons_that_send_differently_are_apart_though_they_receive_alike():
    weights = np.zeros((4, 4))
    weights[:, 0], weights[:, 1] = 1.0, -1.0
    place = positions(weights)
    assert np.linalg.norm(place[0] - place[1]) > 3 * np.linalg.norm(place[2] - place[3])


def test_turning_all_weights_up_moves_all_apart():
    weights = ring_weights(2 * np.pi * np.arange(10) / 10)
    apart = [np.linalg.norm(p[0] - p[3]) for p in (positions(weights), positions(3 * weights))]
    assert apart[1] == pytest.approx(3 * apart[0])


def test_hidden_neurons_fill_the_widest_gaps_of_a_ring():
    """Twelve of sixteen neurons are seen: four hidden ones go where the other four are."""
    missing = np.array([2, 5, 9, 14])
    slots = np.setdiff1d(np.arange(16), missing)
    shares = mixtures_between(on_circle(2 * np.pi * slots / 16), 4)
    between = {tuple(sorted(slots[np.flatnonzero(row)])) for row in shares}
    assert between == {(1, 3), (4, 6), (8, 10), (13, 15)}
    np.testing.assert_allclose(shares[shares > 0], 0.5)


def test_shares_are_whole_also_between_hidden_neurons():
    shares = mixtures_between(np.array([[0.0], [1.0], [4.0]]), 9)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0)
    assert np.all(shares >= 0)
    assert np.unique(shares.round(6), axis=0).shape == (9, 3)


def test_no_hidden_neuron_lies_between_two_groups():
    rng = np.random.default_rng(2)
    place = np.concatenate([rng.normal(size=(20, 2)), rng.normal(size=(20, 2)) + 100.0])
    shares = mixtures_between(place, 15)
    in_first = shares[:, :20].sum(axis=1)
    np.testing.assert_allclose(in_first * (1 - in_first), 0.0, atol=1e-12)
    assert 0 < in_first.sum() < 15


def test_without_a_circuit_a_hidden_neuron_is_the_mean_of_all():
    shares = mixtures_between(positions(np.zeros((5, 5))), 3)
    np.testing.assert_allclose(shares, 0.2)
