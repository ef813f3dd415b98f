"""HDF5 files that may crash the library which reads them, or that need one of its plug-ins."""

from pathlib import Path

import h5py

from spikeweft.data.readers.damaged_files import check_no_crash, unreadable

_READ = """
import signal
import sys
import h5py

def allow_time(n_values):  # damage may lead the library round in circles
    work_s = 2.0 + 2e-5 * n_values
    if hasattr(signal, "setitimer"):  # which ends the process after so much work
        signal.setitimer(signal.ITIMER_PROF, min(work_s, 3600.0))

def read(_, thing):
    allow_time(getattr(thing, "size", 0) or 0)
    for value in thing.attrs.values():
        pass
    if isinstance(thing, h5py.Dataset) and thing.dtype.kind == "O":
        thing[()]

allow_time(0)
with h5py.File(sys.argv[1], "r") as file:
    read("", file)
    file.visititems(read)
"""


def check_survivable(path: Path) -> None:
    """Read what describes an HDF5 file in another process, and see whether that survives.

    Attributes, texts and references are read, numbers are not. That takes a third of a second.

    Raises
    ------
    InputError
        Where the library crashed, or did not come to an end.
    """
    check_no_crash(_READ, path, "the HDF5 library")


def is_nwb(path: Path) -> bool:
    """Whether an HDF5 file says which version of NWB it has.

    Raises
    ------
    InputError
        Where the file is damaged.
    """
    with unreadable(path), h5py.File(path, "r") as file:
        return "nwb_version" in file.attrs
