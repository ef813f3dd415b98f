"""Recordings that are single files: which reader a file needs, by its first bytes."""

from pathlib import Path

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.matlab_files.trains import matlab_contents
from spikeweft.data.readers.matlab_files.version_5 import version_5
from spikeweft.data.readers.matlab_files.version_7_3 import is_matlab, version_7_3
from spikeweft.data.readers.neo_files import neo_file_contents
from spikeweft.data.readers.npz_files.file import npz_contents
from spikeweft.data.readers.nwb_files.file import nwb_contents
from spikeweft.data.readers.nwb_files.hdf5 import check_survivable, is_nwb
from spikeweft.data.readers.tables.parquet import read_parquet
from spikeweft.data.readers.tables.spike_rows import spike_rows_contents
from spikeweft.data.readers.tables.text import is_text_table, read_text_table
from spikeweft.errors import InputError

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"

_ZIP_MAGIC = b"PK"

_NUMPY_MAGIC = b"\x93NUMPY"

_PARQUET_MAGIC = b"PAR1"

_MATLAB = b"MATLAB "

_MATLAB_HEADER = 512
"""Bytes that MATLAB puts before its HDF5."""


def contents_of_file(path: Path, units_table: str | None) -> FileContents:
    """What a file holds.

    Raises
    ------
    InputError
        Where it is of no kind that can be read, or what it holds does not fit together.
    """
    with unreadable(path), path.open("rb") as file:
        start = file.read(_MATLAB_HEADER + len(_HDF5_MAGIC))
    if _HDF5_MAGIC in (start[: len(_HDF5_MAGIC)], start[_MATLAB_HEADER:]):
        return _contents_of_hdf5(path, units_table)
    refuse_units_table(path, units_table)
    if start.startswith(_ZIP_MAGIC):
        return npz_contents(path)
    if start.startswith(_MATLAB) or path.suffix == ".mat":
        return matlab_contents(version_5(path))
    if start.startswith(_PARQUET_MAGIC):
        return spike_rows_contents(read_parquet(path), path)
    if is_text_table(path):
        return spike_rows_contents(read_text_table(path), path)
    if start.startswith(_NUMPY_MAGIC):
        raise InputError(
            f"{path} is one array of what may be a sorting; give the folder that it lies in"
        )
    return _contents_by_neo(path)


def refuse_units_table(path: Path, units_table: str | None) -> None:
    """Only NWB has tables of units.

    Raises
    ------
    InputError
        Where one is named.
    """
    if units_table is not None:
        raise InputError(f"{path} is no NWB file and has no tables of units; leave out units_table")


def _contents_of_hdf5(path: Path, units_table: str | None) -> FileContents:
    check_survivable(path)
    if is_matlab(path):
        refuse_units_table(path, units_table)
        return matlab_contents(version_7_3(path))
    if is_nwb(path):
        return nwb_contents(path, units_table)
    refuse_units_table(path, units_table)
    return _contents_by_neo(path)


def _contents_by_neo(path: Path) -> FileContents:
    """The last resort, for Neo goes by names."""
    contents = neo_file_contents(path)
    if contents is not None:
        return contents
    kind = {".npz": "an .npz", ".nwb": "an NWB"}.get(path.suffix, "a known")
    raise InputError(
        f"{path} is not {kind} file; give a recording in NWB, .npz, .mat, CSV or Parquet, or "
        "install what reads many other formats: pip install 'spikeweft[neo]'"
    )
