import sys

import numpy as np
import pytest
from tests.data.readers.conftest import TRAINS

from spikeweft.data.readers.neo_objects import from_neo
from spikeweft.errors import InputError


@pytest.fixture
def neo():
    return pytest.importorskip("neo", reason="Neo is not installed: pip install neo")


@pytest.fixture
def pq(neo):
    return pytest.importorskip("quantities")


def a_train(neo, pq, times_s, start_s=0.0, stop_s=10.0, unit="ms", **more):
    """A spike train whose times are given in seconds and kept in another unit."""
    times, start, stop = (
        pq.Quantity(np.asarray(time_s, dtype=float), "s").rescale(unit)
        for time_s in (times_s, start_s, stop_s)
    )
    return neo.SpikeTrain(times, t_start=start, t_stop=stop, **more)


def a_segment(neo, *trains):
    segment = neo.Segment()
    segment.spiketrains.extend(trains)
    return segment


def a_block(neo, *segments):
    block = neo.Block()
    block.segments.extend(segments)
    return block


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_spike_times_of_neo_become_seconds_whatever_their_unit(neo, pq, unit):
    trains = [a_train(neo, pq, train, unit=unit) for train in TRAINS]
    recording = from_neo(trains)
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert recording.spike_times_s == pytest.approx([0.5, 0.7, 1.5, 2.5, 4.2, 9.0])
    assert recording.epochs_s.tolist() == [[0.0, 10.0]]
    assert recording.neuron_ids == ("0", "1", "2")


def test_trains_of_different_units_meet_in_seconds(neo, pq):
    trains = [a_train(neo, pq, [1.0, 3.0], unit="ms"), a_train(neo, pq, [2.0], unit="s")]
    assert from_neo(trains).spike_neurons.tolist() == [0, 1, 0]


def test_the_epoch_is_the_time_in_which_all_trains_were_observed(neo, pq):
    trains = [
        a_train(neo, pq, [1.5, 2.0, 7.9], start_s=1.0, stop_s=8.0),
        a_train(neo, pq, [2.5, 9.5], start_s=2.0),
    ]
    with pytest.warns(UserWarning, match="costs|outside") as shown:
        recording = from_neo(trains)
    assert [str(warning.message) for warning in shown] == [
        "unit '0' costs 2 s in which all others were observed: 6 s are used; exclude it to use 8 s",
        "unit '1' costs 1 s in which all others were observed: 6 s are used; exclude it to use 7 s",
        "2 of 5 spikes lie outside the epochs and are left out",
    ]
    assert recording.epochs_s.tolist() == [[2.0, 8.0]]
    assert recording.n_spikes.tolist() == [2, 1]


def test_a_spike_at_the_stop_is_kept(neo, pq):
    recording = from_neo([a_train(neo, pq, [1.0, 10.0])])
    assert recording.n_spikes.tolist() == [2]


def test_segments_of_a_block_are_epochs_and_their_neurons_are_matched_by_name(neo, pq):
    first = a_segment(
        neo, a_train(neo, pq, [1.0, 2.0], name="a"), a_train(neo, pq, [3.0], name="b")
    )
    later = {"start_s": 20.0, "stop_s": 30.0}
    second = a_segment(
        neo,
        a_train(neo, pq, [21.0], name="b", **later),
        a_train(neo, pq, [22.0, 23.0, 24.0], name="a", **later),
    )
    recording = from_neo(a_block(neo, second, first))
    assert recording.epochs_s.tolist() == [[0.0, 10.0], [20.0, 30.0]]
    spikes = dict(zip(recording.neuron_ids, recording.n_spikes.tolist(), strict=True))
    assert spikes == {"a": 5, "b": 2}
    assert from_neo(first).n_spikes.tolist() == [2, 1]


def test_neurons_are_named_by_what_tells_them_apart(neo, pq):
    def named(*annotations):
        return from_neo([a_train(neo, pq, [1.0, 2.0], **each) for each in annotations]).neuron_ids

    assert named({"neuron_id": "x", "name": "u"}, {"neuron_id": "y", "name": "v"}) == ("x", "y")
    assert named({"channel_id": 3, "name": "u"}, {"channel_id": 3, "name": "v"}) == ("u", "v")
    assert named({"name": "u"}, {"name": "u"}) == ("0", "1")
    of_spikes = [{"array_annotations": {"unit_id": np.array([k, k])}} for k in (7, 5)]
    assert named(*of_spikes) == ("7", "5")
    of_single_spikes = [{"array_annotations": {"unit_id": np.array([k, k + 1])}} for k in (7, 5)]
    assert named(*of_single_spikes) == ("0", "1")


def test_annotations_of_a_list_of_trains_are_those_of_its_neurons(neo, pq):
    trains = neo.core.spiketrainlist.SpikeTrainList.from_spike_time_array(
        np.array([0.5, 0.6, 0.7]) * pq.s,
        np.array([4, 9, 4]),
        all_channel_ids=[4, 9],
        t_stop=1.0 * pq.s,
        angle_rad=np.array([0.0, 90.0]) * pq.deg,
    )
    recording = from_neo(trains)
    assert recording.neuron_ids == ("4", "9")
    assert recording.n_spikes.tolist() == [2, 1]
    assert recording.preferred_angle_rad == pytest.approx([0.0, np.pi / 2])
    plain = [a_train(neo, pq, [1.0], angle_rad=angle) for angle in (0.5, 1.5)]
    assert from_neo(plain).preferred_angle_rad == pytest.approx([0.5, 1.5])
    assert from_neo([plain[0], a_train(neo, pq, [1.0])]).preferred_angle_rad is None


def test_trials_that_all_start_at_zero_are_not_laid_over_each_other(neo, pq):
    trial = a_segment(neo, a_train(neo, pq, [1.0], name="a"))
    again = a_segment(neo, a_train(neo, pq, [2.0], name="a"))
    with pytest.raises(InputError, match=r"segments 0 and 1 overlap: .*time_shift"):
        from_neo(a_block(neo, trial, again))
    shifted = a_segment(neo, again.spiketrains[0].time_shift(20 * pq.s))
    assert from_neo(a_block(neo, trial, shifted)).spike_times_s == pytest.approx([1.0, 22.0])


def test_neo_objects_that_hold_no_recording_are_refused(neo, pq):
    one, other = (a_segment(neo, a_train(neo, pq, [1.0], name=name)) for name in "ab")
    apart = [a_train(neo, pq, [1.0], stop_s=2.0), a_train(neo, pq, [5.0], start_s=4.0)]
    for nothing, sentence in (
        (a_block(neo), "no spike trains in it"),
        (a_block(neo, neo.Segment()), "no spike trains in it"),
        ([], "no spike trains in it"),
        ([np.arange(3.0)], "a ndarray is no spike train"),
        (3.0, "a float is no spike train"),
        (a_block(neo, one, other), r"segment 1 has the neurons 'b', but the first one has 'a'"),
        (apart, "never observed together: one starts at 4 s and another stops at 2 s"),
        ([a_train(neo, pq, [])], "no spikes"),
    ):
        with pytest.raises(InputError, match=sentence):
            from_neo(nothing)


def test_without_neo_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(InputError, match=r"neo is not installed; .*'spikeweft\[neo\]'"):
        from_neo([])
