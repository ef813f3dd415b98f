import pytest

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
