"""Files that crash the library which reads them."""

import h5py
import numpy as np
import pytest

from spikeweft.data.readers import nwb as hdf5
from spikeweft.data.readers.load import load
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


def test_a_file_that_crashes_the_library_is_one_sentence(path, monkeypatch):
    monkeypatch.setattr(hdf5, "_READ", CRASH)
    with pytest.raises(InputError, match=r"r\.nwb is damaged, so that the HDF5 library crashes"):
        load(path)


def test_what_raises_is_left_to_those_who_read(path):
    path.write_bytes(path.read_bytes()[:100])
    hdf5.check_survivable(path)
    with pytest.raises(InputError, match="cannot be read"):
        load(path)
