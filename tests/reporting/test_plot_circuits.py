import numpy as np
import pytest
from tests.reporting.conftest import in_order, one_axes

from spikeweft.data.connectivity import Connectivity
from spikeweft.evaluation.circuit_error import ring_profile
from spikeweft.reporting.plot_circuits import (
    angular_profile,
    draw_weight_significance,
    draw_weights,
    label_weights,
    share_beyond,
    weight_limit,
)
from spikeweft.reporting.plot_style import INFERRED, as_svg


@pytest.mark.parametrize("n", [12, 15])
def test_the_angular_profile_of_an_even_ring_is_its_mean_row(n):
    rng = np.random.default_rng(3)
    circuit = Connectivity(
        weights=rng.normal(size=(n, n)), angle_rad=2 * np.pi * np.arange(n) / n - 5.0
    )
    profile = angular_profile(circuit)
    by_offset = np.argsort(np.mod(np.round(profile.centre_rad * n / (2 * np.pi)), n))
    np.testing.assert_allclose(profile.mean[by_offset][1:], ring_profile(circuit.weights))
    assert np.isnan(profile.mean[by_offset][0])
    assert len(profile.weight) == n * (n - 1)
    assert profile.difference_rad.min() >= -np.pi
    assert profile.difference_rad.max() < np.pi


def test_a_sender_ahead_of_the_receiver_is_at_a_positive_difference():
    weights = np.array([[0.0, 7.0], [0.0, 0.0]])  # neuron 1 -> neuron 0
    profile = angular_profile(
        Connectivity(weights=weights, angle_rad=np.array([0.2, 0.2 + np.pi / 2]))
    )
    assert profile.difference_rad[profile.weight == 7.0] == pytest.approx(np.pi / 2)


def test_one_wild_weight_does_not_pale_the_others():
    weights = np.random.default_rng(4).normal(size=(40, 40))
    calm = weight_limit(Connectivity(weights=weights))
    weights[3, 5] = 1e6
    assert weight_limit(Connectivity(weights=weights)) < 1.1 * calm


def test_the_colour_range_of_sparse_and_empty_circuits_is_positive():
    one_synapse = np.zeros((30, 30))
    one_synapse[1, 2] = -0.3
    assert weight_limit(Connectivity(weights=one_synapse)) == 0.3
    assert weight_limit(Connectivity(weights=np.zeros((3, 3)))) > 0


def test_the_matrix_shows_senders_in_columns_and_hides_what_the_data_do_not_tell():
    weights = np.arange(9.0).reshape(3, 3)
    error = np.ones((3, 3))
    error[0, 2] = np.inf
    ax = draw_weights(
        Connectivity(weights=weights, standard_error=error), in_order([2, 0, 1]), one_axes(), 8.0
    )
    shown = np.ma.filled(ax.images[0].get_array(), np.nan)
    np.testing.assert_array_equal(
        shown, [[np.nan, weights[2, 0], weights[2, 1]], [np.nan, np.nan, 1.0], [5.0, 3.0, np.nan]]
    )
    assert ax.images[0].get_clim() == (-8.0, 8.0)


def test_noise_alone_lies_beyond_two_standard_errors_one_time_in_twenty():
    error = np.full((60, 60), 0.3)
    error[:5] = np.inf
    noise = Connectivity(
        weights=0.3 * np.random.default_rng(5).normal(size=(60, 60)), standard_error=error
    )
    assert share_beyond(noise, 2.0) == pytest.approx(0.0455, abs=0.015)


def test_every_weight_is_in_the_histogram_or_counted_beyond_it():
    ratio = np.concatenate([np.linspace(-9.0, 9.0, 80), np.full(10, 12.0), [0.0] * 9])
    weights = np.insert(ratio, np.arange(0, 99, 11), 0.0)[:100].reshape(10, 10)
    circuit = Connectivity(weights=weights, standard_error=np.ones((10, 10)))
    ax = draw_weight_significance(circuit, INFERRED, one_axes())
    inside = sum(bar.get_height() * bar.get_width() for bar in ax.patches)
    beyond = np.mean(weights[circuit.off_diagonal] > 10.0)
    assert inside + beyond == pytest.approx(1.0)
    assert [text.get_text() for text in ax.texts] == [f"{beyond:.1%} beyond"]


def test_noise_is_not_drawn_beside_posterior_means():
    """Of pairs without a connection they are next to zero, far within their deviation."""
    circuit = Connectivity(
        weights=np.eye(4)[::-1], standard_error=np.ones((4, 4)), probability=np.full((4, 4), 0.1)
    )
    ax = draw_weight_significance(circuit, INFERRED, one_axes())
    assert not ax.lines
    assert ax.get_xlabel() == "weight / posterior standard deviation"


def test_opposite_directions_are_at_the_beginning_of_a_turn():
    angle = np.array([0.0, np.pi])
    profile = angular_profile(Connectivity(weights=np.ones((2, 2)), angle_rad=angle))
    np.testing.assert_allclose(profile.difference_rad, [-np.pi, -np.pi])


def test_small_weights_leave_their_power_of_ten_to_the_label():
    ax = one_axes()
    ax.plot([0.0, 1.0], [0.0, -2e-3])
    label_weights(ax, "weight")
    assert ax.get_ylabel() == "weight (×10⁻³)"
    assert ax.yaxis.get_major_formatter()(-0.002, 0) == "−2"


def test_a_neurons_name_is_shown_as_it_is():
    order = in_order([0, 1])
    circuit = Connectivity(weights=np.eye(2), neuron_ids=("$\\frac$", "<b>&"))
    ax = draw_weights(circuit, order, one_axes(), 1.0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$\\frac$", "<b>&"]
    assert "<b>" not in as_svg(ax)
