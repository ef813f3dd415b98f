"""MATLAB files of both kinds: CellExplorer's spikes, and cell arrays of trains."""

import h5py
import numpy as np
import pytest
import scipy.io
from tests.data.readers.conftest import TRAINS

from spikeweft.data.readers.load import load
from spikeweft.data.readers.matlab_files import version_5
from spikeweft.errors import InputError


def cell_array(values):
    """A cell array for SciPy, which makes a matrix of lists of equal length."""
    cells = np.empty((1, len(values)), dtype=object)
    cells[0, :] = [np.empty((0, 0)) if np.size(value) == 0 else value for value in values]
    return cells


def write_version_5(path, **variables):
    def for_scipy(value):
        if isinstance(value, dict):
            return {name: for_scipy(part) for name, part in value.items()}
        return cell_array(value) if isinstance(value, list | tuple) else value

    scipy.io.savemat(path, {name: for_scipy(value) for name, value in variables.items()})
    return path


def write_version_7_3(path, **variables):
    """As MATLAB lays variables out, with its header of 512 bytes."""
    with h5py.File(path, "w", userblock_size=512) as file:
        for name, value in variables.items():
            put(file, file, name, value)
    with path.open("r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
    return path


def put(file, group, name, value):
    if isinstance(value, np.ndarray) and value.dtype == object:
        put(file, group, name, value.ravel(order="F").tolist())
        cells, attributes = group[name][:], dict(group[name].attrs)
        del group[name]
        matrix = group.create_dataset(name, data=cells.reshape(value.shape[::-1]))
        matrix.attrs.update(attributes)
        return
    if isinstance(value, dict):
        struct = group.create_group(name)
        struct.attrs["MATLAB_class"] = np.bytes_(b"struct")
        for field, part in value.items():
            put(file, struct, field, part)
    elif isinstance(value, list | tuple):
        cells = group.create_dataset(name, (len(value), 1), dtype=h5py.ref_dtype)
        cells.attrs["MATLAB_class"] = np.bytes_(b"cell")
        refs = file.require_group("#refs#")
        for number, part in enumerate(value):
            put(file, refs, key := f"r{len(refs)}", part)
            cells[number, 0] = refs[key].ref
    elif isinstance(value, str):
        text = group.create_dataset(name, data=np.frombuffer(value.encode("utf-16-le"), "<u2"))
        text.attrs["MATLAB_class"] = np.bytes_(b"char")
    elif np.size(value) == 0:
        empty = group.create_dataset(name, data=np.array([0, 0], dtype=np.uint64))
        empty.attrs["MATLAB_class"], empty.attrs["MATLAB_empty"] = np.bytes_(b"double"), 1
    else:
        numbers = group.create_dataset(name, data=np.atleast_2d(value).T)
        numbers.attrs["MATLAB_class"] = np.bytes_(b"double")


@pytest.fixture(params=[write_version_5, write_version_7_3], ids=["v5", "v7.3"])
def write(request, tmp_path):
    return lambda **variables: request.param(tmp_path / "day1.spikes.cellinfo.mat", **variables)


def a_struct(**more):
    return {
        "times": list(TRAINS),
        "UID": np.array([11.0, 12.0, 15.0]),
        "shankID": np.array([1.0, 1.0, 2.0]),
        "region": ["CA1", "CA1", "CA3"],
        "sessionName": "day1",
        "rawWaveform": [np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((2, 3))],
        **more,
    }


def test_spikes_of_cellexplorer_are_units_with_their_uid_and_columns(write):
    path = write(spikes=a_struct())
    recording = load(path).recording
    assert recording.neuron_ids == ("11", "12", "15")
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert recording.spike_times_s == pytest.approx(np.sort(np.concatenate(TRAINS)))
    chosen = load(path, units="region == 'CA1' and shankID == 1", exclude=["12"]).recording
    assert chosen.neuron_ids == ("11",)
    assert load(path.parent).recording.n_spikes.tolist() == [4, 2, 0]


def test_a_cell_array_of_trains_is_found_by_its_name_or_as_the_only_one(write):
    named = write(spikeTimes=list(TRAINS), other=[np.arange(3.0)], note="x", rate=np.array([3.0]))
    assert load(named).recording.neuron_ids == ("1", "2", "3")
    assert load(named).recording.n_spikes.tolist() == [4, 2, 0]
    alone = write(of_today=[train[:, None] for train in TRAINS], names=["a", "b", "c"])
    assert load(alone).recording.n_spikes.tolist() == [4, 2, 0]


def test_a_variable_of_references_that_h5py_wrote_is_a_cell_array(tmp_path):
    path = tmp_path / "plain.mat"
    with h5py.File(path, "w") as file:
        cells = file.create_dataset("spike_times", (3,), dtype=h5py.ref_dtype)
        for number, train in enumerate(TRAINS):
            cells[number] = file.create_dataset(f"#refs#/{number}", data=train).ref
    assert load(path).recording.n_spikes.tolist() == [4, 2, 0]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"x": np.arange(3.0)}, "holds 'x' and no such; give one cell array 'spike_times'"),
        ({"x": list(TRAINS), "y": list(TRAINS)}, "several cell arrays of vectors, 'x', 'y'; give"),
        ({"spikes": {"ts": list(TRAINS)}}, "has the fields 'ts' but no cell array 'times'"),
        ({"spikes": {"times": np.arange(3.0)}}, "no cell array 'times'"),
        ({"spikes": a_struct(UID=np.arange(2.0))}, "3 cells of times, but not one number in 'UID'"),
        ({"spikes": a_struct(UID=np.array([1.0, 1.0, 2.0]))}, "several units with the id '1'"),
        ({"spikes": [np.zeros((2, 3))]}, r"cell 1 of 'spikes' in .* shape \(2, 3\), not a vector"),
        ({"spikes": [TRAINS[0], "text"]}, "cell 2 of 'spikes' in .* is no array"),
        ({"spikes": [np.array([1.0, np.nan])]}, "1 spike time in .* are not finite"),
        ({"spikes": [np.arange(100.0) * 1e3]}, "all whole numbers, .* samples or milliseconds"),
        ({"spikes": [TRAINS[2], TRAINS[2]]}, "hold no spikes"),
    ],
)
def test_a_file_without_trains_is_one_sentence(write, variables, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write(**variables))


def test_units_by_trials_are_no_units(write):
    trials = np.empty((3, 4), dtype=object)
    for place in np.ndindex(3, 4):
        trials[place] = np.array([0.1, 0.2, 0.7])
    sentence = " in .* is a 3 by 4 cell array; give one cell per unit, on one clock"
    with pytest.raises(InputError, match="'spike_times'" + sentence):
        load(write(spike_times=trials))
    with pytest.raises(InputError, match=r"'spikes\.times'" + sentence):
        load(write(spikes={"times": trials}))


@pytest.mark.parametrize("length", [100, 600, -40])
def test_a_damaged_file_is_one_sentence(write, length):
    path = write(spikes=a_struct())
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match="cannot be read"):
        load(path)


def test_a_reference_that_leads_in_a_circle_ends(tmp_path):
    with h5py.File(tmp_path / "circle.mat", "w") as file:
        cells = file.create_dataset("spikes", (1,), dtype=h5py.ref_dtype)
        cells[0] = cells.ref
    with pytest.raises(InputError, match=r"cell 1 of 'spikes' in .* is no array"):
        load(tmp_path / "circle.mat")


def test_several_sessions_in_a_folder_are_not_mixed(write):
    path = write(spikes=a_struct())
    path.with_name("day2.spikes.cellinfo.mat").write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"several files of spikes: 'day1\..*', 'day2\..*'; give"):
        load(path.parent)


def test_a_file_that_crashes_scipy_is_one_sentence(tmp_path, monkeypatch):
    path = write_version_5(tmp_path / "crash.mat", spikes=list(TRAINS))
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr(version_5, "_READ", version_5._READ + crash)
    with pytest.raises(InputError, match=r"crash\.mat is damaged, so that SciPy crashes on it"):
        load(path)
