"""Connections in NWB files; `pynwb.validate` and the reader of recordings judge them."""

import resource
import warnings

import h5py
import numpy as np
import pynwb
import pytest
from tests.results.export.conftest import add_curated, three_units

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError
from spikeweft.results.export import nwb
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.nwb import write_nwb


def connections_of(path, module="connectivity"):
    """The table in a file, and what its columns and itself are said to be."""
    with pynwb.NWBHDF5IO(path=path, mode="r") as file:
        table = file.read().processing[module]["connections"]
        about = {column.name: column.description for column in table.columns}
        return table.to_dataframe(), about, table.description


def faults(path):
    return [str(fault) for fault in pynwb.validate(path=path)]


def assert_same_recording(path, other):
    (found, _, warned), (wanted, _, warned_before) = load(path), load(other)
    for name in ("spike_times_s", "spike_neurons", "epochs_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
    assert found.neuron_ids == wanted.neuron_ids
    assert warned == warned_before
    assert found.covariates.keys() == wanted.covariates.keys() == {"speed"}
    np.testing.assert_array_equal(
        found.covariates["speed"].values, wanted.covariates["speed"].values
    )


def test_connections_are_read_back_as_they_were(circuit, nwb_file, tmp_path):
    assert write_nwb(tmp_path / "out.nwb", circuit, Choice(), nwb_file, force=False) == 2
    found, about, said = connections_of(tmp_path / "out.nwb")
    wanted = circuit.to_pandas()
    assert set(found) == set(wanted)
    for name in wanted:
        values = wanted[name].astype(int) if name in ("pre", "post") else wanted[name]
        np.testing.assert_array_equal(found[name].to_numpy(), values.to_numpy())
    assert set(zip(found["pre"], found["post"], strict=True)) == {(7, 8), (9, 7)}
    assert "seconds" in about["latency_s"]
    assert about["weight"].endswith("unit: log rate")
    assert '"method": "by hand"' in said


def test_the_copy_is_valid_and_the_same_recording(circuit, nwb_file, tmp_path):
    before = nwb_file.read_bytes()
    write_nwb(tmp_path / "out.nwb", circuit, Choice(), nwb_file, force=False)
    assert faults(tmp_path / "out.nwb") == faults(nwb_file) == []
    assert_same_recording(tmp_path / "out.nwb", nwb_file)
    assert nwb_file.read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"out.nwb", "recording.nwb"}


def test_what_is_not_known_has_no_column(nwb_file, tmp_path):
    bare = type(three_units())(weights=three_units().weights, neuron_ids=("7", "8", "9"))
    write_nwb(tmp_path / "out.nwb", bare, Choice(), nwb_file, force=False)
    found, _, _ = connections_of(tmp_path / "out.nwb")
    assert set(found) == {"pre", "post", "weight"}


def test_no_connections_are_an_empty_table(circuit, nwb_file, tmp_path):
    choice = Choice(threshold=100.0)
    assert write_nwb(tmp_path / "out.nwb", circuit, choice, nwb_file, force=False) == 0
    assert len(connections_of(tmp_path / "out.nwb")[0]) == 0
    assert faults(tmp_path / "out.nwb") == []
    assert_same_recording(tmp_path / "out.nwb", nwb_file)


def test_a_table_that_is_there_is_replaced_only_by_force(circuit, nwb_file, tmp_path):
    once, twice = tmp_path / "once.nwb", tmp_path / "twice.nwb"
    write_nwb(once, circuit, Choice(), nwb_file, force=False)
    with pytest.raises(InputError, match=r"has a table 'connections'.*--force"):
        write_nwb(twice, circuit, Choice(), once, force=False)
    assert not twice.exists()
    assert write_nwb(twice, circuit, Choice(min_probability=0.9), once, force=True) == 1
    assert len(connections_of(twice)[0]) == 1
    assert len(connections_of(once)[0]) == 2
    assert faults(twice) == []


def test_connections_can_be_written_into_the_file_itself(circuit, nwb_file):
    write_nwb(nwb_file, circuit, Choice(), nwb_file, force=True)
    assert len(connections_of(nwb_file)[0]) == 2
    assert faults(nwb_file) == []
    assert load(nwb_file).recording.n_neurons == 3


def test_what_else_the_file_processed_is_kept(circuit, write_nwb_file, tmp_path):
    def add(file):
        module = file.create_processing_module("connectivity", "by another laboratory")
        module.add(pynwb.TimeSeries(name="strength", data=np.ones(3), rate=1.0, unit="1"))

    source = write_nwb_file(tmp_path / "recording.nwb", add=add)
    write_nwb(tmp_path / "out.nwb", circuit, Choice(), source, force=False)
    with pynwb.NWBHDF5IO(path=tmp_path / "out.nwb", mode="r") as file:
        module = file.read().processing["connectivity"]
        assert module.description == "by another laboratory"
        assert set(module.data_interfaces) == {"strength", "connections"}
    assert faults(tmp_path / "out.nwb") == []


def test_a_file_of_other_units_is_refused(circuit, write_nwb_file, tmp_path):
    other = write_nwb_file(tmp_path / "other.nwb", unit_ids=(7, 8))
    with pytest.raises(InputError, match="has no units '9' in the table 'units', which"):
        write_nwb(tmp_path / "out.nwb", circuit, Choice(), other, force=False)
    none = write_nwb_file(tmp_path / "none.nwb", unit_ids=())
    with pytest.raises(InputError, match="has no units to connect"):
        write_nwb(tmp_path / "out.nwb", circuit, Choice(), none, force=False)
    assert not (tmp_path / "out.nwb").exists()


def test_ids_are_those_of_the_table_that_the_circuit_came_from(circuit, write_nwb_file, tmp_path):
    source, out = write_nwb_file(tmp_path / "recording.nwb", add=add_curated), tmp_path / "out.nwb"
    for wanted, named in ((None, "units"), ("curated", "curated")):
        write_nwb(out, circuit, Choice(), source, units_table=wanted, force=True)
        about = connections_of(out)[1]
        for column in ("pre", "post"):
            assert about[column].endswith(f"in the table of units {named!r}")
    with pytest.raises(InputError, match="has no table of units 'mine'; give the recording's own"):
        write_nwb(out, circuit, Choice(), source, units_table="mine", force=True)


def test_another_table_of_units_does_not_stand_in_for_the_files_own(write_nwb_file, tmp_path):
    source = write_nwb_file(tmp_path / "recording.nwb", add=add_curated)
    curated = three_units(neuron_ids=("7", "8", "10"))
    with pytest.raises(InputError, match="no units '10' in the table 'units'"):
        write_nwb(tmp_path / "out.nwb", curated, Choice(), source, force=False)
    write_nwb(tmp_path / "out.nwb", curated, Choice(), source, units_table="curated", force=False)


def test_a_file_named_like_an_unfinished_one_is_not_taken_for_it(circuit, nwb_file, tmp_path):
    source = nwb_file.rename(tmp_path / "out.nwb.tmp")
    with pytest.raises(InputError, match="rename it"):
        write_nwb(tmp_path / "out.nwb", circuit, Choice(), source, force=True)
    assert list(tmp_path.iterdir()) == [source]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 an archive", b"\x89HDF\r\n\x1a\n cut"])
def test_what_is_no_nwb_file_is_refused(circuit, tmp_path, content):
    (tmp_path / "no.nwb").write_bytes(content)
    with pytest.raises(InputError, match=r"no\.nwb (is not an NWB file|cannot be read)"):
        write_nwb(tmp_path / "out.nwb", circuit, Choice(), tmp_path / "no.nwb", force=False)
    with pytest.raises(InputError, match="there is no file"):
        write_nwb(tmp_path / "out.nwb", circuit, Choice(), tmp_path / "gone.nwb", force=False)
    assert [path.name for path in tmp_path.iterdir()] == ["no.nwb"]


def test_a_copy_elsewhere_would_lose_the_files_beside_it(circuit, write_nwb_file, tmp_path):
    def add(file):
        file.add_acquisition(
            pynwb.image.ImageSeries(
                name="video",
                external_file=["video.avi"],
                format="external",
                timestamps=[0.0, 0.04],
                unit="1",
            )
        )

    source = write_nwb_file(tmp_path / "recording.nwb", add=add)
    with h5py.File(source, "r+") as file:
        file["acquisition/speed/more"] = h5py.ExternalLink("raw.h5", "/data")
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(InputError, match=r"'raw\.h5', 'video\.avi'|'video\.avi', 'raw\.h5'"):
        write_nwb(tmp_path / "elsewhere/out.nwb", circuit, Choice(), source, force=False)
    with h5py.File(source, "r+") as file:
        del file["acquisition/speed/more"]
    write_nwb(tmp_path / "out.nwb", circuit, Choice(), source, force=False)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_of_an_older_schema_is_extended_without_a_word(circuit, nwb_file, tmp_path):
    with h5py.File(nwb_file, "r+") as file:
        file.attrs["nwb_version"] = "2.2.5"
        for name, version in (("core", "2.2.5"), ("hdmf-common", "1.1.3")):
            specifications = file[f"specifications/{name}"]
            specifications.move(next(iter(specifications)), version)
    write_nwb(tmp_path / "out.nwb", circuit, Choice(), nwb_file, force=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert len(connections_of(tmp_path / "out.nwb")[0]) == 2
    assert_same_recording(tmp_path / "out.nwb", nwb_file)


def test_an_error_on_the_way_leaves_nothing_behind(circuit, nwb_file, tmp_path, monkeypatch):
    before = nwb_file.read_bytes()

    def add(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(nwb, "_add", add)
    with pytest.raises(InputError, match=r"cannot be written into.*No space left"):
        write_nwb(nwb_file, circuit, Choice(), nwb_file, force=True)
    assert nwb_file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [nwb_file]


@pytest.mark.parametrize("room_bytes", [-1000, 1000])
def test_where_there_is_no_room_nothing_is_left_behind(circuit, nwb_file, tmp_path, room_bytes):
    """Whether for the copy or for the table: the HDF5 library would crash there."""
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (nwb_file.stat().st_size + room_bytes, usual[1]))
    try:
        with pytest.raises(InputError, match=r"cannot be written into .*out\.nwb.*too large"):
            write_nwb(tmp_path / "out.nwb", circuit, Choice(), nwb_file, force=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert list(tmp_path.iterdir()) == [nwb_file]
