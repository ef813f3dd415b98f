import matplotlib as mpl
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.evaluation.metrics import ring_profile
from spikeweft.reporting.ordering import NeuronOrder, circular_order, neuron_order
from spikeweft.reporting.plot_circuits import (
    angular_profile,
    draw_profile,
    draw_weight_significance,
    draw_weights,
    label_weights,
    share_beyond,
    weight_limit,
)
from spikeweft.reporting.plot_scores import draw_bits_per_spike
from spikeweft.reporting.plot_spikes import draw_direction, draw_held_out, draw_loss, draw_raster
from spikeweft.reporting.plot_style import INFERRED, as_svg, panels
from spikeweft.runtime.training_loop import Progress

PROFILES = {
    "Mexican hat, inhibition only": lambda d: (
        np.exp(-(d**2) / 2 / 6.98**2) - 1.0005 * np.exp(-(d**2) / 2 / 7.0**2)
    ),
    "excitation, surround inhibition": lambda d: (
        np.exp(-(d**2) / 200) - 0.6 * np.exp(-(d**2) / 1800)
    ),
    "broad inhibition": lambda d: 2.3e-3 * (np.exp(-(d**2) / 128) - 1),
}


def ring(n, profile):
    """Weights and angles of an even ring of n neurons, 100 units around."""
    distance = np.abs(np.arange(n)[:, None] - np.arange(n)) * 100 / n
    return PROFILES[profile](np.minimum(distance, 100 - distance)), 2 * np.pi * np.arange(n) / n


def one_axes():
    (ax,) = panels(["a title"], width_in=4.0, height_in=3.0)
    return ax


def in_order(neurons):
    return NeuronOrder(neurons=np.array(neurons))


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_a_shuffled_ring_is_put_back_in_order(profile, noise):
    rng = np.random.default_rng(0)
    n = 80
    weights, _ = ring(n, profile)
    weights = weights + noise * weights.std() * rng.normal(size=weights.shape)
    shuffled = rng.permutation(n)
    order = circular_order(weights[np.ix_(shuffled, shuffled)])
    step = np.diff(shuffled[order], append=shuffled[order[0]]) % n
    step = np.minimum(step, n - step)
    assert step.sum() <= 1.5 * n
    assert step.max() <= (1 if noise == 0 else 5)


def test_relabelling_the_neurons_keeps_their_order_around_the_circle():
    rng = np.random.default_rng(1)
    weights, _ = ring(30, "Mexican hat, inhibition only")
    relabelled = rng.permutation(30)
    order = circular_order(weights)
    again = relabelled[circular_order(weights[np.ix_(relabelled, relabelled)])]
    start = int(np.flatnonzero(again == order[0])[0])
    forward, backward = np.roll(again, -start), np.roll(again[::-1], start + 1)
    assert np.array_equal(order, forward) or np.array_equal(order, backward)


@given(
    st.integers(1, 9).flatmap(
        lambda n: arrays(float, (n, n), elements=st.floats(-1e3, 1e3, allow_subnormal=False))
    )
)
def test_every_circuit_has_an_order_with_each_neuron_once(weights):
    order = circular_order(weights)
    assert sorted(order) == list(range(len(weights)))
    assert order[0] == 0


def test_neurons_are_sorted_by_direction_where_it_is_known():
    angle = np.array([3.0, np.nan, -0.5, 1.0])
    order = neuron_order(Connectivity(weights=np.zeros((4, 4)), angle_rad=angle))
    assert order.neurons.tolist() == [3, 0, 2, 1]
    assert order.neurons[order.place].tolist() == [0, 1, 2, 3]
    assert order.source == "preferred direction"


@pytest.mark.parametrize("angle", [None, np.full(5, np.nan)])
def test_neurons_are_sorted_by_the_circuit_where_no_direction_is_known(angle):
    rng = np.random.default_rng(2)
    order = neuron_order(Connectivity(weights=rng.normal(size=(5, 5)), angle_rad=angle))
    assert order.angle_rad is None
    assert order.source == "the inferred circuit"


def test_a_direction_lies_between_the_neurons_that_prefer_its_neighbours():
    order = NeuronOrder(neurons=np.arange(4), angle_rad=np.deg2rad([10.0, 100.0, 190.0, 350.0]))
    place = order.place_at(np.deg2rad([10.0, 55.0, 270.0, 0.0, 355.0, -90.0]))
    np.testing.assert_allclose(place, [0.0, 0.5, 2.5, -0.5, 3.25, 2.5])


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


def test_the_raster_shows_each_spike_once_in_its_neurons_row():
    recording = Recording(
        spike_times_s=np.array([0.1, 0.2, 2.5]),
        spike_neurons=np.array([0, 2, 1]),
        n_neurons=3,
        epochs_s=np.array([[0.0, 1.0], [2.0, 3.0]]),
    )
    ax = draw_raster(recording, in_order([2, 0, 1]), one_axes())
    ticks = [segment.mean(axis=0).tolist() for segment in ax.collections[0].get_segments()]
    np.testing.assert_allclose(ticks, [[0.1, 1.0], [0.2, 0.0], [2.5, 2.0]])
    gap = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert (gap.x0, gap.x1) == pytest.approx((1.0, 2.0))


def test_the_direction_line_breaks_at_a_full_turn_and_between_epochs():
    recording = Recording(
        spike_times_s=np.array([0.1]),
        spike_neurons=np.array([0]),
        n_neurons=4,
        epochs_s=np.array([[0.0, 1.0], [5.0, 6.0]]),
    )
    order = NeuronOrder(neurons=np.arange(4), angle_rad=np.deg2rad([45.0, 135.0, 225.0, 315.0]))
    direction = Covariate(
        times_s=np.array([0.0, 0.5, 1.0, 3.0, 5.0]),
        values=np.deg2rad([300.0, 350.0, 10.0, 45.0, 45.0]),
        is_angle=True,
    )
    ax = draw_direction(direction, recording, order, one_axes())
    first, second = (line.get_ydata() for line in ax.lines)
    assert np.isnan(first).tolist() == [False, False, True]
    assert second.tolist() == [0.0]


def test_a_neuron_without_a_score_has_no_point():
    scores = np.array([1.0, np.nan, 0.5])
    ax = draw_bits_per_spike(
        scores, scores - 0.1, 1.2, in_order([1, 2, 0]), ("a", "b", "c"), one_axes()
    )
    ours = next(line for line in ax.lines if line.get_label() == INFERRED.name)
    np.testing.assert_array_equal(ours.get_ydata(), [np.nan, 0.5, 1.0])


def test_each_stage_of_training_is_named_once():
    history = [
        Progress(stage=stage, step=i, n_steps=4, loss=-float(i), held_out_bits_per_spike=0.1 * i)
        for i, stage in enumerate(["link", "link", "structure", "structure"])
    ]
    for draw in (draw_loss, draw_held_out):
        ax = draw(history, one_axes())
        assert [text.get_text() for text in ax.texts] == ["link", "structure"]


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


def test_small_weights_leave_their_power_of_ten_to_the_label():
    ax = one_axes()
    ax.plot([0.0, 1.0], [0.0, -2e-3])
    label_weights(ax, "weight")
    assert ax.get_ylabel() == "weight (×10⁻³)"
    assert ax.yaxis.get_major_formatter()(-0.002, 0) == "−2"


def test_the_same_data_give_the_same_picture_whatever_the_users_settings():
    weights, angle = ring(12, "broad inhibition")
    circuit = Connectivity(weights=weights, angle_rad=angle)

    def picture():
        return as_svg(draw_profile(circuit, INFERRED, one_axes()))

    first = picture()
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": None}):
        assert picture() == first
    assert dict(mpl.rcParams) == before


def test_a_neurons_name_is_shown_as_it_is():
    order = in_order([0, 1])
    circuit = Connectivity(weights=np.eye(2), neuron_ids=("$\\frac$", "<b>&"))
    ax = draw_weights(circuit, order, one_axes(), 1.0)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["$\\frac$", "<b>&"]
    assert "<b>" not in as_svg(ax)
