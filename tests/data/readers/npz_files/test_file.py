import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.readers.conftest import simulated

from spikeweft.data.readers.load import load, load_truth
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.simulation.storage import save_simulation


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
    with pytest.raises(InputError, match="choose from 'epochs', 'rem', 'wake'"):
        load(path, epochs="sws")


def test_where_an_epoch_ends_can_be_stated_alone(tmp_path):
    for name in ("stop", "epoch_stop"):
        np.savez(tmp_path / "part.npz", **plain, **{name: 1.0})
        assert load(tmp_path / "part.npz").recording.epochs_s[0] == pytest.approx([0.1, 1.0])
    np.savez(tmp_path / "part.npz", **plain, epoch_stop=[1.0, 3.0])
    with pytest.raises(InputError, match="1 epoch starts, 2 stops"):
        load(tmp_path / "part.npz")


def test_names_that_are_bytes_are_text(tmp_path):
    path = tmp_path / "bytes.npz"
    names = {"epoch_names": [b"wake", b"r\xffm"], "neuron_ids": [b"a", b"b"]}
    np.savez(path, **plain, epoch_start=[0, 1.5], epoch_stop=[1, 3], **names)
    assert load(path).recording.neuron_ids == ("a", "b")
    with pytest.raises(InputError, match="choose from 'epochs', 'r\ufffdm', 'wake'"):
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
        ({"spike_units": np.array([0, 1, -1])}, "1 spike in .* no unit but -1"),
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
        ({"spike_units": np.array([0, 1, 2**62]), "n_units": 3}, "up to 4611686018427387904"),
        ({"spike_units": np.array([0.0, 1.0, np.inf])}, "hold inf"),
        (
            {"spike_units": np.array([0, 1, 2**64 - 1], dtype=np.uint64)},
            "hold 18446744073709551615",
        ),
        ({"spike_times": np.zeros((0, 2**60), dtype="f4")}, "cannot be read"),
        ({"weights": np.zeros(4)}, "square"),
        ({"weights": np.array(1.0)}, "square"),
        ({"covariates": ["a\nb"]}, r"covariate 'a\\nb'"),
        ({"n_units": np.arange(500)}, "^[^\n]{0,300}$"),
        ({"angle_rad": np.zeros(3)}, "3 preferred directions for 2 neurons"),
        ({"angle_rad": np.array([0.0, np.inf])}, "infinite"),
        ({**one_covariate, "covariate_0_is_angle": "yes"}, "give true or false"),
    ],
)
def test_an_npz_that_makes_no_sense_is_refused(tmp_path, changes, sentence):
    np.savez(tmp_path / "bad.npz", **{**plain, **changes})
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / "bad.npz")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"covariate_0_times_s": [1.0, 0.0]}, "'drive' descend"),
        ({"covariate_0_values": [np.nan, np.nan]}, "'drive' holds no numbers"),
    ],
)
def test_what_is_no_covariate_is_refused_where_it_is_asked_for(tmp_path, changes, sentence):
    np.savez(tmp_path / "bad.npz", **{**plain, **one_covariate, **changes})
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / "bad.npz", covariates=["drive"])
    assert any(sentence in said for said in load(tmp_path / "bad.npz").warnings)


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
