import datetime
import json
import pickle
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.preferred_directions import preferred_directions
from spikeweft.data.readers.load import load, load_truth
from spikeweft.data.readers.neo_objects import from_neo
from spikeweft.data.readers.pynapple_objects import from_pynapple, to_pynapple
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.simulation.storage import save_simulation

TRAINS = (np.array([0.5, 1.5, 2.5, 9.0]), np.array([0.7, 4.2]), np.array([]))


@pytest.fixture
def write_nwb(tmp_path):
    """Write an NWB file with these spike trains and whatever else `add` puts into it."""
    pynwb = pytest.importorskip("pynwb")

    def write(trains=TRAINS, add=lambda nwb: None, **columns):
        nwb = pynwb.NWBFile(
            session_description="made by a test",
            identifier="test",
            session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
        )
        for train in trains:
            nwb.add_unit(spike_times=train, **columns)
        add(nwb)
        path = tmp_path / "made.nwb"
        with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
            warnings.simplefilter("ignore")
            file.write(nwb)
        return path

    return write


def add_epochs(nwb):
    nwb.add_epoch(0.0, 1.0, ["wake", "maze"])
    nwb.add_epoch(2.0, 3.0, ["sleep"])
    nwb.add_epoch(4.0, 10.0, ["wake"])


def add_series(nwb, name, values, unit, **options):
    import pynwb

    times = np.arange(len(values)) * 0.1
    nwb.add_acquisition(
        pynwb.TimeSeries(name=name, data=values, timestamps=times, unit=unit, **options)
    )


# ---- NWB


@pytest.mark.slow
def test_head_direction_cells_come_with_their_epochs_and_directions(shared_data):
    loaded = load(shared_data / "Mouse12-120806.nwb")
    recording = loaded.recording
    assert recording.n_neurons == 19
    assert len(recording.epochs_s) == 113
    assert len(recording.spike_times_s) == 169_119
    assert recording.time_resolution_s == 0.01
    assert recording.covariates["head-direction"].is_angle
    assert loaded.truth is None
    assert loaded.warnings == ()


@pytest.mark.slow
def test_epochs_are_chosen_by_their_name(shared_data):
    path = shared_data / "Mouse12-120806.nwb"
    wake = load(path, epochs="wake").recording
    assert np.array_equal(wake.epochs_s, load(path).recording.epochs_s)
    with pytest.raises(InputError, match=r"no epochs 'sleep'; choose from 'epochs', 'wake'"):
        load(path, epochs="sleep")


@pytest.mark.slow
def test_preferred_directions_are_those_published_with_the_data(shared_data):
    recording = load(shared_data / "Mouse12-120806.nwb").recording
    found = preferred_directions(recording, recording.covariates["head-direction"])
    with np.load(shared_data / "hd_mouse12_120806.npz") as arrays:
        published = arrays["preferred_direction_source"]
    apart = np.angle(np.exp(1j * (found - published)))
    assert np.all(np.abs(apart) < np.deg2rad(20))


def test_a_table_of_epochs_leaves_no_spike_of_a_gap(write_nwb):
    loaded = load(write_nwb(add=add_epochs))
    assert loaded.recording.epochs_s.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 10.0]]
    assert loaded.recording.n_spikes.tolist() == [3, 2, 0]
    assert loaded.warnings == ("1 of 6 spikes lie outside the epochs and are left out",)


@pytest.mark.parametrize(
    ("label", "epochs"),
    [
        ("wake", [[0.0, 1.0], [4.0, 10.0]]),
        ("maze", [[0.0, 1.0]]),
        ("epochs", [[0.0, 1.0], [2.0, 3.0], [4.0, 10.0]]),
    ],
)
def test_any_tag_or_table_names_epochs(write_nwb, label, epochs):
    loaded = load(write_nwb(add=add_epochs), epochs=label)
    assert loaded.recording.epochs_s.tolist() == epochs


def test_any_text_column_of_any_table_of_intervals_names_epochs(write_nwb):
    def add(nwb):
        nwb.add_trial_column("condition", "light or dark")
        nwb.add_trial(start_time=0.0, stop_time=2.0, condition="dark")
        nwb.add_trial(start_time=2.0, stop_time=5.0, condition="dark")
        nwb.add_trial(start_time=6.0, stop_time=10.0, condition="light")

    path = write_nwb(add=add)
    assert load(path, epochs="dark").recording.epochs_s.tolist() == [[0.0, 5.0]]
    assert load(path).recording.epochs_s[0, 0] == 0.5  # trials are not epochs unless asked for


def test_overlapping_epochs_become_one(write_nwb):
    def add(nwb):
        nwb.add_epoch(0.0, 6.0, ["session"])
        nwb.add_epoch(1.0, 2.0, ["cue"])
        nwb.add_epoch(5.0, 9.5, ["session"])

    assert load(write_nwb(add=add)).recording.epochs_s.tolist() == [[0.0, 9.5]]


def test_a_recording_is_the_time_in_which_all_units_were_observed(write_nwb):
    path = write_nwb(obs_intervals=np.array([[0.0, 2.0], [4.0, 8.0]]))
    loaded = load(path)
    assert loaded.recording.epochs_s.tolist() == [[0.0, 2.0], [4.0, 8.0]]
    assert loaded.recording.n_spikes.tolist() == [2, 2, 0]
    assert "2 of 6 spikes lie outside" in loaded.warnings[0]


def test_without_epochs_the_spikes_span_the_recording(write_nwb):
    recording = load(write_nwb()).recording
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert recording.epochs_s[0] == pytest.approx([0.5, 9.0])


def test_units_keep_their_ids(write_nwb):
    def add(nwb):
        nwb.add_unit(spike_times=np.array([1.0, 2.0]), id=40)

    assert load(write_nwb(add=add)).recording.neuron_ids == ("0", "1", "2", "40")


@pytest.mark.parametrize(
    ("name", "unit", "top", "is_angle"),
    [
        ("a", "radians", 6.2, True),
        ("head direction", "unknown", 6.2, True),
        ("a", "radians", 60.0, False),
        ("speed", "m/s", 6.2, False),
    ],
)
def test_an_angle_is_known_by_its_name_or_unit_and_its_range(write_nwb, name, unit, top, is_angle):
    values = np.linspace(0.1, top, 90)
    path = write_nwb(add=lambda nwb: add_series(nwb, name, values, unit))
    covariate = load(path).recording.covariates[name]
    assert covariate.is_angle == is_angle
    assert covariate.values == pytest.approx(values)


def test_covariates_are_in_their_unit_and_without_missing_samples(write_nwb):
    values = np.array([1.0, np.nan, 3.0])
    path = write_nwb(add=lambda nwb: add_series(nwb, "speed", values, "m/s", conversion=0.01))
    covariate = load(path).recording.covariates["speed"]
    assert covariate.times_s == pytest.approx([0.0, 0.2])
    assert covariate.values == pytest.approx([0.01, 0.03])


@pytest.mark.parametrize(
    ("trains", "sentence"),
    [
        ((), "has no units"),
        ((np.array([]), np.array([])), "hold no spikes"),
        ((np.array([0.5, np.nan]), np.array([1.0])), "1 spike times in .* are not finite"),
        ((np.array([0.5, np.inf]), np.array([1.0])), "1 spike times in .* are not finite"),
    ],
)
def test_an_nwb_file_without_usable_spikes_is_refused(write_nwb, trains, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write_nwb(trains))


def test_an_nwb_file_whose_epochs_hold_no_spike_is_refused(write_nwb):
    path = write_nwb(add=lambda nwb: nwb.add_epoch(100.0, 200.0, ["late"]))
    with pytest.raises(InputError, match="no spike lies inside the epochs"):
        load(path)


# ---- .npz


def simulated(n=4) -> tuple[Recording, Connectivity]:
    rng = np.random.default_rng(3)
    angle = 2 * np.pi * np.arange(n) / n
    recording = Recording.from_arrays(
        rng.integers(0, 100_000, 500) * 1e-4,
        rng.integers(0, n - 1, 500),
        n_neurons=n,
        epochs_s=np.array([[0.0, 4.0], [5.0, 10.0]]),
        time_resolution_s=1e-4,
        covariates={
            "drive": Covariate(times_s=np.arange(5.0), values=np.arange(5.0), is_angle=True)
        },
        preferred_angle_rad=angle,
    )
    metadata = {"network": "ring", "recurrent_strength": 0.025, "n_neurons": n}
    weights = rng.normal(size=(n, n))
    return recording, Connectivity(weights=weights, angle_rad=angle, metadata=metadata)


def same_recording(a: Recording, b: Recording) -> bool:
    arrays = ("spike_times_s", "spike_neurons", "epochs_s")
    assert all(np.array_equal(getattr(a, name), getattr(b, name)) for name in arrays)
    assert (a.n_neurons, a.time_resolution_s, a.neuron_ids) == (
        b.n_neurons,
        b.time_resolution_s,
        b.neuron_ids,
    )
    assert a.covariates.keys() == b.covariates.keys()
    for name, covariate in a.covariates.items():
        assert np.array_equal(covariate.times_s, b.covariates[name].times_s)
        assert np.array_equal(covariate.values, b.covariates[name].values)
    if a.preferred_angle_rad is None:
        return b.preferred_angle_rad is None
    return np.array_equal(a.preferred_angle_rad, b.preferred_angle_rad)


def test_a_simulation_survives_being_kept_in_a_file(tmp_path):
    recording, truth = simulated()
    save_simulation(tmp_path / "ring.npz", recording, truth)
    loaded = load(tmp_path / "ring.npz")
    assert same_recording(loaded.recording, recording)
    assert loaded.recording.covariates["drive"].is_angle
    assert np.array_equal(loaded.truth.weights, truth.weights)
    assert loaded.truth.metadata == truth.metadata
    assert loaded.warnings == ()
    assert np.array_equal(load_truth(tmp_path / "ring.npz").weights, truth.weights)
    assert [path.name for path in tmp_path.iterdir()] == ["ring.npz"]


def test_a_file_is_not_overwritten_unless_forced(tmp_path):
    recording, truth = simulated()
    path = tmp_path / "ring.npz"
    path.write_text("precious")
    with pytest.raises(InputError, match="exists already"):
        save_simulation(path, recording, truth)
    assert path.read_text() == "precious"
    save_simulation(path, recording, truth, force=True)
    assert load(path).recording.n_neurons == 4


@pytest.mark.parametrize(
    ("name", "sentence"), [("ring.csv", "ends otherwise"), ("none/ring.npz", "no folder")]
)
def test_a_simulation_is_written_as_npz_into_a_folder_that_exists(tmp_path, name, sentence):
    with pytest.raises(InputError, match=sentence):
        save_simulation(tmp_path / name, *simulated())
    assert list(tmp_path.iterdir()) == []


plain = {"spike_times": np.array([0.3, 0.1, 2.0]), "spike_units": np.array([1, 0, 0])}


def test_spike_times_and_units_are_enough(tmp_path):
    np.savez(tmp_path / "plain.npz", **plain)
    recording = load(tmp_path / "plain.npz").recording
    assert recording.spike_times_s.tolist() == [0.1, 0.3, 2.0]
    assert recording.spike_neurons.tolist() == [0, 1, 0]
    assert recording.epochs_s[0] == pytest.approx([0.1, 2.0], abs=1e-5)


def test_silent_units_and_the_recorded_time_can_be_stated(tmp_path):
    np.savez(tmp_path / "plain.npz", **plain, n_units=4, start=0.0, stop=2.0)
    loaded = load(tmp_path / "plain.npz")
    assert loaded.recording.n_spikes.tolist() == [2, 1, 0, 0]  # the spike at the stop is inside
    assert loaded.recording.epochs_s == pytest.approx(np.array([[0.0, 2.0]]))
    assert loaded.warnings == ()


def test_gaps_in_an_npz_are_not_bridged(tmp_path):
    path = tmp_path / "gaps.npz"
    np.savez(path, **plain, epoch_start=[0, 1.5], epoch_stop=[1, 3], epoch_names=["wake", "rem"])
    assert load(path).recording.epochs_s.tolist() == [[0.0, 1.0], [1.5, 3.0]]
    assert load(path, epochs="rem").recording.spike_times_s.tolist() == [2.0]
    with pytest.raises(InputError, match="choose from 'rem', 'wake'"):
        load(path, epochs="sws")


def test_names_that_are_bytes_are_text(tmp_path):
    path = tmp_path / "bytes.npz"
    names = {"epoch_names": [b"wake", b"r\xffm"], "neuron_ids": [b"a", b"b"]}
    np.savez(path, **plain, epoch_start=[0, 1.5], epoch_stop=[1, 3], **names)
    assert load(path).recording.neuron_ids == ("a", "b")
    with pytest.raises(InputError, match="choose from 'r\ufffdm', 'wake'"):
        load(path, epochs="sws")


one_covariate = {
    "covariates": ["drive"],
    "covariate_0_times_s": [0.0, 1.0],
    "covariate_0_values": [0.0, 1.0],
}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"spike_units": np.array([0, 1])}, "3 spike times but 2 spike units"),
        ({"spike_times": np.array([0.1, np.nan, 2.0])}, "not finite"),
        ({"spike_times": np.array([0.1, np.inf, 2.0])}, "not finite"),
        ({"spike_times": np.array(["a", "b", "c"])}, "holds no numbers"),
        ({"spike_times": np.zeros(0), "spike_units": np.zeros(0, int)}, "no spikes"),
        ({"spike_units": np.array([0, 1, -1])}, "run from -1"),
        ({"spike_units": np.array([0.0, 1.0, 0.5])}, "whole numbers"),
        ({"n_units": 1}, "number them from 0 to 0"),
        ({"n_units": 2.5}, "not one whole number"),
        ({"n_units": np.array([2, 3])}, "not one whole number"),
        ({"start": 50.0, "stop": 60.0}, "no spike lies inside the epochs"),
        ({"epoch_start": [0.0, 1.0], "epoch_stop": [3.0]}, "2 epoch starts, 1 stops"),
        ({"weights": np.zeros((3, 3))}, "truth .* has 3 neurons but the recording has 2"),
        ({"weights": np.zeros((2, 3))}, "square"),
        ({"weights": np.full((2, 2), np.nan)}, "finite"),
        ({"weights": np.zeros((2, 2)), "network": "{"}, "not JSON"),
        ({"covariates": ["drive"]}, "lists a covariate 'drive' but lacks"),
        ({"weights": np.zeros((2, 2)), "network": "[1]"}, "no plain settings"),
        ({"time_resolution_s": -1.0}, "the time_resolution_s in"),
        ({"tick_s": 1e-300}, "the tick_s in"),
        ({"n_units": 10**9}, "1e\\+09, which is too many"),
        ({"spike_units": np.array([0, 1, 2**62])}, "run up to 4611686018427387904"),
        ({"spike_units": np.array([0.0, 1.0, np.inf])}, "run up to inf"),
        ({"covariates": ["a\nb"]}, r"covariate 'a\\nb'"),
        ({"n_units": np.arange(500)}, "^[^\n]{0,300}$"),
        ({"angle_rad": np.zeros(3)}, "3 preferred directions for 2 neurons"),
        ({"angle_rad": np.array([0.0, np.inf])}, "infinite"),
        ({**one_covariate, "covariate_0_times_s": [1.0, 0.0]}, "'drive' .* descend"),
        ({**one_covariate, "covariate_0_is_angle": "yes"}, "give true or false"),
        ({**one_covariate, "covariate_0_values": [np.nan, np.nan]}, "at least one sample"),
    ],
)
def test_an_npz_that_makes_no_sense_is_refused(tmp_path, changes, sentence):
    np.savez(tmp_path / "bad.npz", **{**plain, **changes})
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / "bad.npz")


def test_the_time_resolution_is_read_under_its_old_name_too(tmp_path):
    for name in ("time_resolution_s", "tick_s"):
        np.savez(tmp_path / f"{name}.npz", **plain, **{name: 0.002})
        assert load(tmp_path / f"{name}.npz").recording.time_resolution_s == 0.002


def test_missing_samples_of_a_covariate_are_left_out(tmp_path):
    values = [0.0, np.nan]
    np.savez(tmp_path / "some.npz", **{**plain, **one_covariate, "covariate_0_values": values})
    assert load(tmp_path / "some.npz").recording.covariates["drive"].times_s.tolist() == [0.0]


@pytest.mark.slow
def test_an_npz_with_other_names_is_refused_by_name(shared_data):
    path = shared_data / "spycon_sim1917Cell1Block1_tiny.npz"
    with pytest.raises(InputError, match=r"'times', 'ids', .* not 'spike_times', 'spike_units'"):
        load(path)
    with pytest.raises(InputError, match="no 'weights'"):
        load_truth(path)


class Trap:
    def __reduce__(self):
        return (pytest.fail, ("a pickle in a data file was opened",))


def test_python_objects_in_a_file_are_never_opened(tmp_path):
    trap = np.empty(2, dtype=object)
    trap[:] = [Trap(), Trap()]
    np.savez(tmp_path / "trap.npz", spike_times=trap, spike_units=np.arange(2))
    with pytest.raises(InputError, match="not 'spike_times'"):
        load(tmp_path / "trap.npz")
    (tmp_path / "pickle.npz").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(InputError, match=r"is not an \.npz"):
        load(tmp_path / "pickle.npz")


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("text.nwb", b"no recording", "is not an NWB file"),
        ("text.npz", b"no recording", "is not an .npz file"),
        ("empty.nwb", b"", "is not an NWB file"),
        ("cut.nwb", b"\x89HDF\r\n\x1a\n" + bytes(100), "cannot be read"),
        ("cut.npz", b"PK\x03\x04" + bytes(100), "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_refused(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / name)


def test_an_hdf5_file_that_is_no_nwb_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["spike_times"] = np.arange(3.0)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "other.nwb")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path / "none.nwb")
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path)
    with pytest.raises(InputError, match="there is no file"):
        load_truth(tmp_path / "none.npz")


@given(place=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_npz_is_refused_or_read_whole(tmp_path, place, byte, cut):
    recording, truth = simulated()
    path = tmp_path / "ring.npz"
    save_simulation(path, recording, truth, force=True)
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] = byte
    path.write_bytes(content[: int(place * len(content)) + 1] if cut else content)
    try:
        loaded = load(path)
    except InputError:
        return
    assert np.array_equal(loaded.recording.spike_times_s, recording.spike_times_s)


# ---- pynapple


def test_a_recording_survives_the_way_through_pynapple():
    recording, _ = simulated()
    spikes, covariates = to_pynapple(recording)
    assert spikes.time_support.values.tolist() == recording.epochs_s.tolist()
    found = from_pynapple(spikes, covariates=covariates)
    assert np.allclose(found.spike_times_s, recording.spike_times_s, atol=1e-9)
    assert np.array_equal(found.spike_neurons, recording.spike_neurons)
    assert found.neuron_ids == recording.neuron_ids
    assert np.allclose(found.preferred_angle_rad, recording.preferred_angle_rad)
    assert found.covariates["drive"].values.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_tsgroup_keeps_its_last_spike_and_its_indices():
    nap = pytest.importorskip("pynapple")
    spikes = nap.TsGroup({7: nap.Ts(np.array([1.0, 5.0])), 3: nap.Ts(np.array([2.0, 6.0]))})
    recording = from_pynapple(spikes)
    assert recording.neuron_ids == ("3", "7")
    assert recording.n_spikes.tolist() == [2, 2]
    chosen = from_pynapple(spikes, nap.IntervalSet([0.0, 4.0], [3.0, 9.0]))
    assert chosen.epochs_s.tolist() == [[0.0, 3.0], [4.0, 9.0]]


def test_pynapple_counts_the_same_spikes_in_the_same_bins():
    nap = pytest.importorskip("pynapple")
    recording, _ = simulated()
    spikes, _ = to_pynapple(recording)
    # Half a tick off the grid, so that no spike lies on the border of two bins.
    epochs = np.array([[0.00005, 3.90005], [5.00005, 9.90005]])
    theirs = spikes.count(0.1, nap.IntervalSet(epochs)).values
    np.testing.assert_array_equal(recording.restrict(epochs).counts(0.1).counts, theirs)


def test_epochs_of_pynapple_can_be_shorter_than_the_time_support():
    nap = pytest.importorskip("pynapple")
    recording, _ = simulated()
    spikes, _ = to_pynapple(recording)
    wake = nap.IntervalSet([1.0, 6.0], [2.0, 7.5])
    chosen = from_pynapple(spikes, wake)
    expected = recording.restrict(wake.values)
    assert np.array_equal(chosen.n_spikes, expected.n_spikes)
    assert chosen.duration_s == pytest.approx(2.5)
    assert chosen.neuron_ids == recording.neuron_ids


def test_a_saved_tsgroup_is_read_without_its_pickled_metadata(tmp_path):
    nap = pytest.importorskip("pynapple")
    support = nap.IntervalSet([0.0, 4.0], [3.0, 9.0])
    trains = {7: np.array([1.0, 5.0]), 3: np.array([2.0]), 9: np.array([])}
    spikes = nap.TsGroup(
        {key: nap.Ts(train, time_support=support) for key, train in trains.items()},
        time_support=support,
        metadata={"location": np.array(["ADn", "ADn", "PoS"])},
    )
    spikes.save(str(tmp_path / "saved.npz"))
    recording = load(tmp_path / "saved.npz").recording
    assert recording.neuron_ids == ("3", "7", "9")
    assert recording.n_spikes.tolist() == [1, 2, 0]
    assert recording.epochs_s.tolist() == [[0.0, 3.0], [4.0, 9.0]]


def test_the_network_of_a_simulation_is_kept_as_json(tmp_path):
    recording, truth = simulated()
    save_simulation(tmp_path / "ring.npz", recording, truth)
    with np.load(tmp_path / "ring.npz", allow_pickle=False) as arrays:
        assert json.loads(str(arrays["network"])) == truth.metadata
        assert {
            "spike_times",
            "spike_units",
            "n_units",
            "weights",
            "angle_rad",
            "time_resolution_s",
        } <= {*arrays.files}


# ---- Neo


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
    recording = from_neo(trains)
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
