"""NWB files, and files that crash the library which reads them."""

import h5py
import numpy as np
import pytest

from spikeweft.data.directions import preferred_directions
from spikeweft.data.readers.load import load
from spikeweft.data.readers.nwb_files import hdf5
from spikeweft.errors import InputError

CRASH = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.fixture
def path(tmp_path):
    with h5py.File(tmp_path / "r.nwb", "w") as file:
        file.attrs["nwb_version"] = "2.0"
        file["names"] = np.array(["a", "b"], dtype=h5py.string_dtype())
        file["names"].attrs["unit"] = "none"
    return tmp_path / "r.nwb"


def test_a_whole_file_is_read_to_its_end(path, monkeypatch):
    """The last thing read is a text, so an exception placed there shows that it was reached."""
    hdf5.check_survivable(path)
    monkeypatch.setattr(hdf5, "_READ", hdf5._READ.replace("thing[()]", "thing[()]; " + CRASH))
    with pytest.raises(InputError, match="crashes on it"):
        hdf5.check_survivable(path)


def test_a_file_in_which_the_hdf5_library_goes_round_in_circles_is_refused(path, monkeypatch):
    endless = hdf5._READ.replace("thing.attrs.values()", "iter(int, 1)")
    monkeypatch.setattr(hdf5, "_READ", endless.replace("work_s = 2.0", "work_s = 0.2"))
    with pytest.raises(InputError, match="never ends; take a copy that is whole"):
        load(path)


def test_a_file_that_crashes_the_library_is_one_sentence(path, monkeypatch):
    monkeypatch.setattr(hdf5, "_READ", CRASH)
    with pytest.raises(InputError, match=r"r\.nwb is damaged, so that the HDF5 library crashes"):
        load(path)


def test_what_raises_is_left_to_those_who_read(path):
    path.write_bytes(path.read_bytes()[:100])
    hdf5.check_survivable(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(path)


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
    trains = (np.array([0.0, 0.1, 0.2]), np.array([0.05]))
    add = lambda nwb: add_series(nwb, "speed", values, "m/s", conversion=0.01)  # noqa: E731
    path = write_nwb(trains, add)
    covariate = load(path).recording.covariates["speed"]
    assert covariate.times_s == pytest.approx([0.0, 0.2])
    assert covariate.values == pytest.approx([0.01, 0.03])


@pytest.mark.parametrize(
    ("trains", "sentence"),
    [
        ((), "has no units"),
        ((np.array([]), np.array([])), "hold no spikes"),
        ((np.array([0.5, np.nan]), np.array([1.0])), "1 spike time in .* are not finite"),
        ((np.array([0.5, np.inf]), np.array([1.0])), "1 spike time in .* are not finite"),
    ],
)
def test_an_nwb_file_without_usable_spikes_is_refused(write_nwb, trains, sentence):
    with pytest.raises(InputError, match=sentence):
        load(write_nwb(trains))


def test_an_nwb_file_whose_epochs_hold_no_spike_is_refused(write_nwb):
    path = write_nwb(add=lambda nwb: nwb.add_epoch(100.0, 200.0, ["late"]))
    with pytest.raises(InputError, match="no spike lies inside the epochs"):
        load(path)


def test_an_hdf5_file_that_is_no_nwb_is_refused(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["spike_times"] = np.arange(3.0)
    with pytest.raises(InputError, match="is not an NWB file"):
        load(tmp_path / "other.nwb")


def test_invalid_times_are_left_out_and_are_no_choice_of_epochs(write_nwb):
    def add(nwb):
        nwb.add_invalid_time_interval(start_time=1.0, stop_time=2.0, tags=["unplugged"])

    path = write_nwb(add=add)
    loaded = load(path)
    assert loaded.recording.epochs_s.tolist()[0] == [0.5, 1.0]
    assert loaded.warnings[0] == "1 s that the file calls invalid are left out"
    with pytest.raises(InputError, match="names no epochs"):
        load(path, epochs="unplugged")


def test_invalid_time_without_an_end_is_left_out_to_there_and_that_is_said(write_nwb):
    def add(nwb):
        nwb.add_invalid_time_interval(start_time=np.nan, stop_time=1.0)
        nwb.add_invalid_time_interval(start_time=8.0, stop_time=np.nan)
        nwb.add_invalid_time_interval(start_time=4.2, stop_time=4.2)

    loaded = load(write_nwb(add=add))
    assert loaded.recording.epochs_s.tolist() == [[1.0, 8.0]]
    assert "row 0 of the invalid times has no start; all time to 1 s" in loaded.warnings[0]
    assert "row 1 of the invalid times has no stop; all time from 8 s" in loaded.warnings[1]


def test_invalid_time_that_runs_backwards_is_refused(write_nwb):
    def add(nwb):
        nwb.add_invalid_time_interval(start_time=4.0, stop_time=3.0)

    with pytest.raises(InputError, match=r"row 0 of the .*made\.nwb stops at 3 s before .* 4 s"):
        load(write_nwb(add=add))


@pytest.mark.parametrize("missing", ["timestamps", "rate"])
def test_a_series_without_times_costs_nothing_else(write_nwb, missing):
    def add(nwb):
        import pynwb

        add_series(nwb, "speed", np.arange(90.0), "m/s")
        times = {"rate": 1.0} if missing == "rate" else {"timestamps": np.arange(90.0)}
        nwb.add_acquisition(pynwb.TimeSeries(name="pupil", data=np.ones(90), unit="mm", **times))

    path = write_nwb(add=add)
    with h5py.File(path, "r+") as file:  # pynwb would not write that
        pupil = file["acquisition/pupil"]
        if missing == "rate":
            pupil["starting_time"].attrs["rate"] = 0.0
        else:
            attributes = dict(pupil["timestamps"].attrs)
            del pupil["timestamps"]
            pupil.create_dataset("timestamps", data=np.zeros(0)).attrs.update(attributes)
    loaded = load(path)
    assert list(loaded.recording.covariates) == ["speed"]
    assert loaded.warnings == (
        "the covariate 'pupil' is left out: its values have no times; write timestamps or a rate "
        "into the file",
    )


def test_columns_of_units_choose_them(write_nwb):
    def add(nwb):
        nwb.add_unit_column("quality", "by hand", data=["good", "mua", "good"])
        nwb.add_unit_column("depth", "in µm", data=[10.0, 20.0, 30.0])

    path = write_nwb(add=add)
    assert load(path, units="quality == 'good'").recording.neuron_ids == ("0", "2")
    assert load(path, units="depth < 25").recording.neuron_ids == ("0", "1")


def test_one_of_several_tables_of_units_is_chosen_by_name(write_nwb):
    def add(nwb):
        import pynwb

        module = nwb.create_processing_module("ecephys", "sorted again")
        other = pynwb.misc.Units(name="curated", description="by another sorter")
        other.add_unit(spike_times=np.array([1.0, 2.0, 3.0]), id=5)
        module.add(other)

    path = write_nwb(add=add)
    assert load(path).recording.neuron_ids == ("0", "1", "2")
    assert load(path, units_table="curated").recording.neuron_ids == ("5",)
    with pytest.raises(
        InputError, match="no table of units 'mine'; choose from 'units', 'curated'"
    ):
        load(path, units_table="mine")


def test_columns_of_position_are_variables_of_their_own(write_nwb):
    from pynwb.behavior import Position, SpatialSeries

    def add(nwb):
        place = np.column_stack([np.arange(100.0), -np.arange(100.0)])
        times = np.arange(100) * 0.1
        series = SpatialSeries(name="place", data=place, timestamps=times, reference_frame="maze")
        behavior = nwb.create_processing_module("behavior", "behavior")
        behavior.add(Position(spatial_series=series))
        add_series(nwb, "speed", np.arange(100.0)[:, None], "m/s")
        add_series(nwb, "licks", np.ones((100, 2)), "1")
        add_series(nwb, "video", np.ones((100, 4, 4)), "1")

    covariates = load(write_nwb(add=add)).recording.covariates
    assert sorted(covariates) == ["licks_0", "licks_1", "place_x", "place_y", "speed"]
    np.testing.assert_array_equal(covariates["place_y"].values, -np.arange(100.0))


def test_two_series_of_one_name_are_told_apart_by_where_they_lie(write_nwb):
    def add(nwb):
        import pynwb

        add_series(nwb, "speed", np.arange(100.0), "m/s")
        behavior = nwb.create_processing_module("behavior", "behavior")
        times = np.arange(100) * 0.1
        twin = pynwb.TimeSeries(name="speed", data=np.ones(100), timestamps=times, unit="m/s")
        behavior.add(twin)

    covariates = load(write_nwb(add=add)).recording.covariates
    assert sorted(covariates) == ["behavior/speed", "speed"]


def test_a_channel_is_not_read_for_a_look(write_nwb):
    def add(nwb):
        import pynwb

        nwb.add_acquisition(
            pynwb.TimeSeries(
                name="sync", data=np.zeros(3_000_001, np.int8), rate=300_000.0, unit="V"
            )
        )

    path = write_nwb(add=add)
    loaded = load(path)
    assert not loaded.recording.covariates
    assert "3,000,001 samples and is not read" in loaded.warnings[0]
    assert len(load(path, covariates=["sync"]).recording.covariates["sync"].values) == 3_000_001
