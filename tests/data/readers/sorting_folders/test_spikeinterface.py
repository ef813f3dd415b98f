"""Sortings and analyzers of SpikeInterface, in folders and in memory."""

import json
import pickle
import sys
import warnings

import numpy as np
import pytest

from spikeweft.data.readers.load import load
from spikeweft.data.readers.sorting_folders.spikeinterface_objects import from_spikeinterface
from spikeweft.errors import InputError

SAMPLES = [np.array([100, 500, 900, 12_000]), np.array([50, 700]), np.array([], dtype=int)]


@pytest.fixture(scope="module")
def core():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("spikeinterface.core", reason="pip install spikeinterface")


@pytest.fixture
def sorting(core):
    trains = dict(zip(("a", "b", "c"), SAMPLES, strict=True))
    made = core.NumpySorting.from_unit_dict(trains, sampling_frequency=10_000.0)
    made.set_property("quality", np.array(["good", "good", "mua"]))
    made.set_property("position", np.zeros((3, 2)))
    return made


@pytest.fixture
def analyzer(core, sorting):
    recording = core.generate_recording(
        num_channels=2, durations=[2.0], sampling_frequency=10_000.0, set_probe=True
    )
    made = core.create_sorting_analyzer(sorting, recording, sparse=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.compute("quality_metrics", metric_names=["num_spikes"])
    return made


@pytest.fixture
def folder(sorting, tmp_path):
    return saved(sorting, tmp_path / "sorting")


def saved(thing, folder, **options):
    """Save with SpikeInterface's own writer, whose warnings are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        save = thing.save_as if hasattr(thing, "save_as") else thing.save
        save(folder=folder, **options)
    return folder


def test_a_saved_sorting_gives_its_spikes_and_silent_units(folder):
    recording = load(folder).recording
    assert recording.neuron_ids == ("a", "b", "c")
    assert recording.n_spikes.tolist() == [4, 2, 0]
    expected = np.sort(np.concatenate(SAMPLES)) / 10_000
    assert recording.spike_times_s == pytest.approx(expected)
    assert load(folder, units="quality == 'good'").recording.neuron_ids == ("a", "b")


@pytest.mark.parametrize("kind", ["binary_folder", "zarr"])
def test_a_saved_analyzer_knows_how_long_the_recording_is_and_its_metrics(analyzer, tmp_path, kind):
    folder = saved(analyzer, tmp_path / "analyzer.zarr", format=kind)
    recording = load(folder).recording
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert recording.epochs_s.tolist() == [[0.0, 2.0]]
    assert load(folder, units="num_spikes > 3").recording.neuron_ids == ("a",)
    assert load(folder, units="quality == 'mua' or num_spikes == 2", min_rate_hz=0.1).recording


def test_a_sorting_saved_in_zarr_gives_its_spikes(sorting, tmp_path):
    folder = saved(sorting, tmp_path / "sorting.zarr", format="zarr")
    recording = load(folder).recording
    assert recording.neuron_ids == ("a", "b", "c")
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert load(folder, units="quality == 'good'").recording.neuron_ids == ("a", "b")
    (folder / "unit_ids" / "0").write_bytes(b"\xff" * 12)
    with pytest.raises(InputError, match="a text in it has letters that there are not"):
        load(folder)
    (folder / "unit_ids" / ".zarray").unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load(folder)


def test_objects_in_memory_give_the_same_as_when_they_are_saved(sorting, analyzer, folder):
    found, expected = from_spikeinterface(sorting), load(folder).recording
    assert found.neuron_ids == expected.neuron_ids
    assert found.spike_times_s == pytest.approx(expected.spike_times_s)
    assert found.spike_neurons.tolist() == expected.spike_neurons.tolist()
    assert from_spikeinterface(analyzer).epochs_s.tolist() == [[0.0, 2.0]]
    with pytest.warns(UserWarning, match="1 of 3 units are used"):
        assert from_spikeinterface(analyzer, units="num_spikes > 3").neuron_ids == ("a",)
    with pytest.warns(UserWarning, match="2 of 3 units are used"):
        assert from_spikeinterface(sorting, units="quality == 'good'").n_neurons == 2


def test_times_are_those_of_the_recording_that_a_sorting_is_registered_with(core, sorting):
    recording = core.generate_recording(
        num_channels=2, durations=[2.0], sampling_frequency=10_000.0
    )
    recording.shift_times(5.0)
    sorting.register_recording(recording)
    found = from_spikeinterface(sorting)
    assert found.epochs_s == pytest.approx(np.array([[5.0, 7.0]]))
    assert found.spike_times_s[0] == pytest.approx(5.005)


def test_segments_that_each_start_at_zero_are_not_laid_over_each_other(core, sorting, tmp_path):
    both = core.append_sortings([sorting, sorting])
    with pytest.raises(InputError, match=r"has 2 segments, .*sorting\.select_segments"):
        from_spikeinterface(both)
    with pytest.raises(InputError, match=r"has 2 segments, .*sorting\.select_segments"):
        load(saved(both, tmp_path / "both"))


class RunsWhenOpened:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was opened')",))


def test_a_folder_that_only_pickles_or_names_a_sorting_is_not_opened(tmp_path):
    (tmp_path / "provenance.pkl").write_bytes(pickle.dumps(RunsWhenOpened()))
    with pytest.raises(InputError, match="or pickles it, which is not run; save it with"):
        load(tmp_path)
    (tmp_path / "provenance.pkl").unlink()
    (tmp_path / "si_folder.json").write_text(json.dumps({"class": "os.abort", "kwargs": {}}))
    with pytest.raises(InputError, match=r"only says how SpikeInterface makes a sorting"):
        load(tmp_path)


def test_a_property_that_is_pickled_is_left_out_and_said(folder):
    np.save(folder / "properties" / "label.npy", np.array([RunsWhenOpened()] * 3))
    assert load(folder).warnings == (
        "the property 'label' holds pickled Python objects, which are never opened, and is left "
        "out",
    )


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"sampling_frequency": None}, "sampling frequency in .* is None; give samples per second"),
        ({"sampling_frequency": -1}, "sampling frequency in .* is -1; give samples per second"),
        ({"unit_ids": ["a"]}, "6 spikes in .* are not all of its 1 units"),
        ({"unit_ids": None}, "lists no unit_ids"),
        ({"unit_ids": ["a", "a", "b"]}, "several units with the id 'a'"),
        ({"num_segments": None}, "has None segments"),
    ],
)
def test_a_folder_whose_description_does_not_fit_is_one_sentence(folder, info, sentence):
    path = folder / "numpysorting_info.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **info}))
    with pytest.raises(InputError, match=sentence):
        load(folder)


def test_a_recording_whose_length_is_no_number_is_refused(folder):
    (folder / "recording_info").mkdir()
    attributes = folder / "recording_info" / "recording_attributes.json"
    attributes.write_text(json.dumps({"num_samples": ["many"]}))
    with pytest.raises(InputError, match=r"not one number of samples; save the analyzer"):
        load(folder)


def test_a_folder_whose_spikes_are_damaged_is_one_sentence(folder):
    spikes = np.load(folder / "spikes.npy")
    spikes["sample_index"][0] = -3
    for content, sentence in (
        (spikes, "1 spike before sample 0, the first at -3"),
        (spikes[:, None], "has 6 samples and 6 units|shape"),
        (spikes.astype([(name, float) for name in spikes.dtype.names]), "not whole numbers"),
        (np.arange(3), "holds int64, not samples and units of spikes"),
        (np.array([RunsWhenOpened()]), "pickled Python objects, which are never opened"),
    ):
        np.save(folder / "spikes.npy", content)
        with pytest.raises(InputError, match=sentence):
            load(folder)
    (folder / "numpysorting_info.json").write_text("[1]")
    with pytest.raises(InputError, match="holds no names and values"):
        load(folder)
    (folder / "numpysorting_info.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load(folder)


def test_what_is_no_sorting_is_refused(core):
    with pytest.raises(InputError, match="a ndarray is no sorting; give a sorting"):
        from_spikeinterface(np.arange(3.0))


def test_without_spikeinterface_the_user_is_told_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "spikeinterface", None)
    monkeypatch.setitem(sys.modules, "spikeinterface.core", None)
    with pytest.raises(InputError, match=r"not installed; .*'spikeweft\[spikeinterface\]'"):
        from_spikeinterface(None)


@pytest.mark.parametrize("n_samples", [{"a": 1}, [[1]], ["x"], [None], [-1], [1e300], [1, 2], True])
def test_a_number_of_samples_that_is_none_is_refused(folder, n_samples):
    (folder / "recording_info").mkdir()
    about = json.dumps({"num_samples": n_samples})
    (folder / "recording_info" / "recording_attributes.json").write_text(about)
    with pytest.raises(InputError, match=r"num_samples .*, not one number of samples; save"):
        load(folder)


@pytest.mark.parametrize("dtype", ["f8", "U3", "?", "(2,)i8"])
def test_spikes_of_another_dtype_are_refused(folder, dtype):
    spikes = np.zeros(3, dtype=[("sample_index", "i8"), ("unit_index", dtype)])
    np.save(folder / "spikes.npy", spikes)
    with pytest.raises(InputError, match=r"save the sorting again"):
        load(folder)
