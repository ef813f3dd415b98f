import numpy as np
import pytest
from tests.reporting.conftest import in_order, one_axes

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.reporting.ordering import NeuronOrder
from spikeweft.reporting.plot_spikes import draw_direction, draw_held_out, draw_loss, draw_raster
from spikeweft.runtime.training_loop import Progress


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


def test_each_stage_of_training_is_named_once():
    history = [
        Progress(stage=stage, step=i, loss=-float(i), held_out_bits_per_spike=0.1 * i)
        for i, stage in enumerate(["link", "link", "structure", "structure"])
    ]
    for draw in (draw_loss, draw_held_out):
        ax = draw(history, one_axes())
        assert [text.get_text() for text in ax.texts] == ["link", "structure"]


def test_the_direction_line_breaks_at_a_full_turn_of_the_few_whose_direction_is_known():
    recording = Recording.from_arrays(
        np.array([0.1]), np.array([0]), n_neurons=10, epochs_s=np.array([[0.0, 1.0]])
    )
    order = NeuronOrder(
        neurons=np.arange(10),
        angle_rad=np.array([*np.deg2rad([45.0, 135.0, 225.0, 315.0]), *[np.nan] * 6]),
    )
    times_s = np.linspace(0.0, 1.0, 9)
    direction = Covariate(times_s=times_s, values=np.deg2rad(np.linspace(0, 540, 9)), is_angle=True)
    (line,) = draw_direction(direction, recording, order, one_axes()).lines
    assert np.isnan(line.get_ydata()).sum() == 1


def test_small_values_on_a_training_curve_keep_their_power_of_ten():
    """Above the axis, where an offset would stand, the stage is named."""
    history = [
        Progress(stage="link", step=i, loss=1e-3 * i, held_out_bits_per_spike=2e-3 * i)
        for i in range(4)
    ]
    ax = draw_held_out(history, one_axes())
    ax.figure.canvas.draw()
    assert ax.yaxis.get_offset_text().get_text() == ""
    assert [plain for plain in ax.get_yticklabels() if plain.get_text() == "0.002"]
