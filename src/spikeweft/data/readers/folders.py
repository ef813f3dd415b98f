"""Recordings that are folders: which reader a folder needs."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.files import refuse_units_table
from spikeweft.data.readers.matlab_files.session_folders import is_session, session_contents
from spikeweft.data.readers.neo_files import neo_file_contents
from spikeweft.data.readers.nwb_files.file import nwb_contents
from spikeweft.data.readers.nwb_files.zarr import check_plain, is_nwb_in_zarr
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
from spikeweft.errors import InputError


class FolderKind(NamedTuple):
    """A kind of folder: how it is known and read, and the names of the files that are read."""

    fits: Callable[[Path], bool]
    read: Callable[[Path], FileContents]
    files: tuple[str, ...]


_KINDS = (
    FolderKind(
        is_phy, phy_contents, ("spike_*s.npy", "params.py", "cluster_*.tsv", "cluster_*.csv")
    ),
    FolderKind(is_alf, alf_contents, ("spikes.times*", "spikes.clusters*", "clusters.*")),
    FolderKind(is_session, session_contents, ("*.spikes.cellinfo.mat",)),
    FolderKind(
        is_spikeinterface,
        spikeinterface_contents,
        ("**/*.json", "**/spikes.npy", "**/properties/*.npy", "**/metrics.csv"),
    ),
    FolderKind(is_spikeinterface_zarr, spikeinterface_zarr_contents, ("**/*",)),
)

_CAN_BE_READ = "a folder of Phy, Kilosort, ALF, CellExplorer or SpikeInterface, or of NWB in Zarr"


def contents_of_folder(folder: Path, units_table: str | None) -> FileContents:
    """What a folder holds.

    Raises
    ------
    InputError
        Where it is of no kind that can be read, or what it holds does not fit together.
    """
    _check_files(folder)
    if is_nwb_in_zarr(folder):
        check_plain(folder)
        return nwb_contents(folder, units_table)
    refuse_units_table(folder, units_table)
    kind = _kind_of(folder)
    if kind is not None:
        return kind.read(folder)
    by_neo = neo_file_contents(folder)
    if by_neo is not None:
        return by_neo
    with unreadable(folder):
        entries = sorted(folder.iterdir())
    inside = [path.name for path in entries if path.is_dir() and _kind_of(path)]
    if inside:
        raise InputError(
            f"{folder} is no recording, but there are such in it; give one of {listed(inside)}"
        )
    raise InputError(
        f"{folder} is a folder with {listed(path.name for path in entries)} in it, which is no "
        f"recording; give {_CAN_BE_READ}, or a file"
    )


def files_of(folder: Path) -> list[Path]:
    """The files that decide what is read of a folder: raw traces beside them do not."""
    return [path for path in _entries(folder) if path.is_file()]


def _entries(folder: Path) -> list[Path]:
    """What lies in a folder under the names of files that are read."""
    kind = _kind_of(folder)
    of_others = ("**/*",) if is_nwb_in_zarr(folder) else ("*",)
    patterns = of_others if kind is None else kind.files
    with unreadable(folder):
        return sorted({path for name in patterns for path in folder.glob(name)})


def _check_files(folder: Path) -> None:
    """Refuse pipes and devices, from which one may read without end."""
    for path in _entries(folder):
        if path.exists() and not path.is_file() and not path.is_dir():
            raise InputError(
                f"{path} is a pipe or a device and not a file; put a file in its place, or take it "
                "out of the folder"
            )


def _kind_of(folder: Path) -> FolderKind | None:
    return next((kind for kind in _KINDS if kind.fits(folder)), None)
