import h5py
import numpy as np
import pytest

from spikeweft.data.readers import load as load_module
from spikeweft.data.readers.load import load, load_truth
from spikeweft.errors import InputError


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


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        load(tmp_path / "none.nwb")
    with pytest.raises(InputError, match="there is no file"):
        load_truth(tmp_path / "none.npz")


def test_a_folder_that_is_no_recording_is_told_which_folders_are(tmp_path):
    (tmp_path / "notes.txt").write_text("no recording")
    with pytest.raises(InputError, match=r"a folder with 'notes\.txt' in it, .* of Phy, Kilosort"):
        load(tmp_path)
    with pytest.raises(InputError, match="is no NWB file and has no tables of units"):
        load(tmp_path, units_table="units")


NO_MEMORY = "needs more memory than there is .* check that it is whole"


def test_a_file_that_claims_more_than_fits_into_memory_is_one_sentence(tmp_path):
    with h5py.File(tmp_path / "spikes.mat", "w") as file:
        cells = file.create_dataset("spike_times", (1, 1), dtype=h5py.ref_dtype)
        claimed = file.create_dataset("claimed", (2**50,), "f8", chunks=True)
        cells[0, 0] = claimed.ref
    with pytest.raises(InputError, match=NO_MEMORY):
        load(tmp_path / "spikes.mat")


def test_a_recording_for_which_memory_does_not_suffice_is_one_sentence(tmp_path, monkeypatch):
    np.savez(tmp_path / "r.npz", spike_times=np.array([0.1, 0.5]), spike_units=np.array([0, 1]))
    monkeypatch.setattr(load_module, "chosen_recording", lambda *_: np.zeros(2**50))
    with pytest.raises(InputError, match=NO_MEMORY):
        load(tmp_path / "r.npz")
