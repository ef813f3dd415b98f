"""NWB in a folder of Zarr."""

import datetime
import json
import sys
import warnings

import numpy as np
import pytest
from tests.data.readers.conftest import TRAINS

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError


@pytest.fixture(scope="module")
def hdmf_zarr():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("hdmf_zarr", reason="pip install hdmf-zarr")


def write(io, path):
    """The same file, whatever it is written with."""
    import pynwb

    nwb = pynwb.NWBFile(
        session_description="made by a test",
        identifier="test",
        session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
    )
    nwb.add_unit_column("quality", "as judged")
    for train, quality in zip(TRAINS, ("good", "mua", "good"), strict=True):
        nwb.add_unit(spike_times=train, quality=quality, obs_intervals=[[0.0, 10.0]])
    nwb.add_epoch(0.0, 1.0, ["wake", "maze"])
    nwb.add_epoch(4.0, 10.0, ["wake"])
    times = np.arange(100) * 0.1
    series = pynwb.TimeSeries(name="speed", data=2 * times, timestamps=times, unit="cm/s")
    nwb.add_acquisition(series)
    place = np.stack([times, -times], axis=1)
    nwb.add_acquisition(pynwb.TimeSeries(name="place", data=place, rate=10.0, unit="cm"))
    with warnings.catch_warnings(), io(path=str(path), mode="w") as file:
        warnings.simplefilter("ignore")
        file.write(nwb)
    return path


@pytest.fixture
def folder(hdmf_zarr, tmp_path):
    return write(hdmf_zarr.NWBZarrIO, tmp_path / "session.nwb.zarr")


@pytest.mark.parametrize("options", [{}, {"epochs": "maze"}, {"units": "quality == 'good'"}])
def test_nwb_in_zarr_gives_what_nwb_in_hdf5_gives(folder, tmp_path, options):
    import pynwb

    in_hdf5 = load(write(pynwb.NWBHDF5IO, tmp_path / "session.nwb"), **options)
    in_zarr = load(folder, **options)
    assert in_zarr.recording.neuron_ids == in_hdf5.recording.neuron_ids
    assert in_zarr.recording.spike_times_s.tolist() == in_hdf5.recording.spike_times_s.tolist()
    assert in_zarr.recording.spike_neurons.tolist() == in_hdf5.recording.spike_neurons.tolist()
    assert in_zarr.recording.epochs_s.tolist() == in_hdf5.recording.epochs_s.tolist()
    assert in_zarr.recording.covariates.keys() == {"speed", "place_0", "place_1"}
    for name, covariate in in_hdf5.recording.covariates.items():
        again = in_zarr.recording.covariates[name]
        assert again.times_s.tolist() == covariate.times_s.tolist()
        assert again.values.tolist() == covariate.values.tolist()


def test_a_table_of_units_can_be_named(folder):
    assert load(folder, units_table="units").recording.n_neurons == 3
    with pytest.raises(InputError, match="no table of units 'other'; choose from 'units'"):
        load(folder, units_table="other")


def test_pickles_and_addresses_are_refused_before_anything_is_read(folder):
    path = folder / "units" / "quality" / ".zarray"
    whole = path.read_text()
    array = json.loads(whole)
    array["filters"] = [{"id": "pickle", "protocol": 5}]
    path.write_text(json.dumps(array))
    with pytest.raises(InputError, match=r"units/quality holds pickled Python objects"):
        load(folder)
    path.write_text(whole)
    link = {"zarr_link": [{"name": "x", "source": "https://nowhere.invalid/a", "path": "/x"}]}
    (folder / "acquisition" / ".zattrs").write_text(json.dumps(link))
    with pytest.raises(InputError, match=r"a link to https://nowhere.*, and nothing is fetched"):
        load(folder)


def test_a_damaged_folder_is_one_sentence(folder):
    (folder / "units" / "spike_times" / ".zarray").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load(folder)


def test_zarr_that_is_no_recording_is_refused(tmp_path):
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(InputError, match="which is no recording; give a folder of Phy"):
        load(tmp_path)


def test_without_hdmf_zarr_the_user_is_told_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "hdmf_zarr", None)
    with pytest.raises(InputError, match=r"hdmf_zarr is not installed; .*'spikeweft\[zarr\]'"):
        load(folder)
