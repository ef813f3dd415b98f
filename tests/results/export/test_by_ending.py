import os
import sys

import numpy as np
import pytest
from tests.results.export.conftest import add_curated, three_units
from tests.results.export.test_nwb import connections_of
from tests.results.test_result import small_result

from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError
from spikeweft.results.export.by_ending import Exported, export_circuit
from spikeweft.results.result import write_result

ENDINGS = (".csv", ".graphml", ".nc", ".npz", ".nwb")


@pytest.fixture
def result(nwb_file, tmp_path):
    """The folder of a result that the NWB file's units were inferred for."""
    return write_folder(tmp_path / "result", nwb_file)


def write_folder(folder, recording, *, units_table=None, **changes):
    folder.mkdir()
    provenance = {
        "recording_path": str(recording),
        "sha256": recording_digest(recording),
        "units_table": units_table,
    }
    made = small_result(
        np.random.default_rng(0), connectivity=three_units(**changes), provenance=provenance
    )
    write_result(folder, made)
    return folder


@pytest.fixture
def refuses(result, nwb_file, tmp_path):
    """Check that nothing is written where a sentence says why not."""

    def check(sentence, *words, **options):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        with pytest.raises(InputError, match=sentence):
            export_circuit(*words, **options)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before

    return check


@pytest.mark.parametrize("ending", [*ENDINGS, ".CSV"])
def test_the_ending_decides_and_what_is_left_out_is_counted(result, tmp_path, ending):
    exported = export_circuit(result, tmp_path / f"out{ending}")
    assert exported == Exported(6 if ending == ".nc" else 2, 6)
    assert (tmp_path / f"out{ending}").stat().st_size > 0


@pytest.mark.parametrize("ending", [".csv", ".graphml", ".npz", ".nwb"])
def test_every_format_leaves_out_the_same(result, tmp_path, ending):
    strong = export_circuit(result, tmp_path / f"strong{ending}", threshold=0.5)
    probable = export_circuit(result, tmp_path / f"probable{ending}", min_probability=0.9)
    assert strong.n_written == probable.n_written == 1


@pytest.mark.parametrize("name", ["out.xlsx", "out", "out.nwb.gz"])
def test_an_unknown_ending_is_told_those_there_are(result, refuses, tmp_path, name):
    refuses(", ".join(ENDINGS).replace(".", r"\."), result, tmp_path / name)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_that_exists_is_replaced_only_by_force(result, refuses, tmp_path, ending):
    out = tmp_path / f"out{ending}"
    out.write_text("mine")
    refuses("exists already.*--force", result, out)
    export_circuit(result, out, force=True)
    assert not out.read_bytes().startswith(b"mine")


def test_a_recording_is_written_into_only_by_its_name_and_force(result, refuses, nwb_file):
    recorded = nwb_file.stat().st_size
    refuses("exists already", result, nwb_file)
    refuses("exists already", result, nwb_file, into=nwb_file)
    refuses("is the recording itself", result, nwb_file, force=True)
    export_circuit(result, nwb_file, into=nwb_file, force=True)
    assert nwb_file.stat().st_size > recorded


def test_no_other_way_leads_over_the_recording(result, refuses, nwb_file, write_nwb_file, tmp_path):
    other = write_nwb_file(tmp_path / "other.nwb")
    refuses("is the recording itself", result, nwb_file, into=other, force=True)
    os.link(nwb_file, tmp_path / "twin.csv")
    refuses("is the recording itself", result, tmp_path / "twin.csv", force=True)
    arrays = tmp_path / "recording.npz"
    np.savez(arrays, spike_times=np.arange(3.0))
    made = write_folder(tmp_path / "of_arrays", arrays)
    refuses("is the recording itself", made, arrays, force=True)


def test_nwb_connects_the_units_that_the_result_was_inferred_from(write_nwb_file, tmp_path):
    recording = write_nwb_file(tmp_path / "two.nwb", add=add_curated)
    made = write_folder(tmp_path / "of_curated", recording, units_table="curated")
    export_circuit(made, tmp_path / "out.nwb")
    assert connections_of(tmp_path / "out.nwb")[1]["pre"].endswith("'curated'")


def test_a_recording_that_is_no_nwb_file_is_not_copied(refuses, nwb_file, tmp_path):
    np.savez(tmp_path / "recording.npz", spike_times=np.arange(3.0))
    made = write_folder(tmp_path / "of_arrays", tmp_path / "recording.npz")
    refuses("is not an NWB file.*--into", made, tmp_path / "out.nwb")
    export_circuit(made, tmp_path / "out.nwb", into=nwb_file)


def test_a_recording_that_was_moved_or_changed_is_asked_for(result, refuses, nwb_file, tmp_path):
    moved, out = nwb_file.rename(tmp_path / "moved.nwb"), tmp_path / "out.nwb"
    refuses(r"no longer at .*recording\.nwb; give its NWB file by --into", result, out)
    export_circuit(result, out, into=moved)
    out.rename(nwb_file)
    refuses("has changed since", result, tmp_path / "again.nwb")


def test_only_nwb_goes_into_another_file(result, refuses, nwb_file, tmp_path):
    refuses("is for files in NWB", result, tmp_path / "out.csv", into=nwb_file)


def test_what_cannot_be_asked_of_a_circuit_is_one_sentence(refuses, nwb_file, tmp_path):
    made = write_folder(tmp_path / "without", nwb_file, probability=None)
    for ending in (".csv", ".graphml", ".npz", ".nwb"):
        out = tmp_path / f"out{ending}"
        refuses("has no probabilities", made, out, min_probability=0.5)
        refuses("threshold is -1", made, out, threshold=-1.0)
        refuses("probability is 1.5", made, out, min_probability=1.5)


def test_what_is_no_result_is_refused(refuses, tmp_path):
    refuses("no result folder", tmp_path / "none", tmp_path / "out.csv")
    refuses("in a folder that exists", tmp_path / "result", tmp_path / "none" / "out.csv")


def test_without_networkx_the_user_is_told_what_to_install(result, refuses, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "networkx", None)
    refuses(r"pip install 'spikeweft\[networkx\]'", result, tmp_path / "out.graphml")
