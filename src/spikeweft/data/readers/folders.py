"""Recordings that are folders: which reader a folder needs."""

from collections.abc import Callable
from pathlib import Path

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.files import refuse_units_table
from spikeweft.data.readers.matlab_files.session_folders import is_session, session_contents
from spikeweft.data.readers.neo_files import neo_file_contents
from spikeweft.data.readers.nwb_files.file import nwb_contents
from spikeweft.data.readers.sorting_folders.alf import alf_contents, is_alf
from spikeweft.data.readers.sorting_folders.phy import is_phy, phy_contents
from spikeweft.data.readers.sorting_folders.spikeinterface_folders import (
    is_spikeinterface,
    spikeinterface_contents,
)
from spikeweft.data.readers.sorting_folders.spikeinterface_zarr import (
    is_spikeinterface_zarr,
    spikeinterface_zarr_contents,
)
from spikeweft.data.readers.zarr_folders import check_plain, is_zarr, zarr_attributes
from spikeweft.errors import InputError

_READERS: tuple[tuple[Callable[[Path], bool], Callable[[Path], FileContents]], ...] = (
    (is_phy, phy_contents),
    (is_alf, alf_contents),
    (is_session, session_contents),
    (is_spikeinterface, spikeinterface_contents),
    (is_spikeinterface_zarr, spikeinterface_zarr_contents),
)

_CAN_BE_READ = "a folder of Phy, Kilosort, ALF, CellExplorer or SpikeInterface, or of NWB in Zarr"


def contents_of_folder(folder: Path, units_table: str | None) -> FileContents:
    """What a folder holds.

    Raises
    ------
    InputError
        Where it is of no kind that can be read, or what it holds does not fit together.
    """
    if is_zarr(folder) and "nwb_version" in zarr_attributes(folder):
        check_plain(folder)
        return nwb_contents(folder, units_table)
    refuse_units_table(folder, units_table)
    reader = _reader_of(folder)
    if reader is not None:
        return reader(folder)
    by_neo = neo_file_contents(folder)
    if by_neo is not None:
        return by_neo
    with unreadable(folder):
        entries = sorted(folder.iterdir())
    inside = [path.name for path in entries if path.is_dir() and _reader_of(path)]
    if inside:
        raise InputError(
            f"{folder} is no recording, but there are such in it; give one of {listed(inside)}"
        )
    raise InputError(
        f"{folder} is a folder with {listed(path.name for path in entries)} in it, which is no "
        f"recording; give {_CAN_BE_READ}, or a file"
    )


def _reader_of(folder: Path) -> Callable[[Path], FileContents] | None:
    return next((reader for fits, reader in _READERS if fits(folder)), None)
