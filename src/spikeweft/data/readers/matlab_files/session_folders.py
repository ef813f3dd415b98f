"""Folders of sessions that CellExplorer was run on."""

from pathlib import Path

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.files import contents_of_file
from spikeweft.errors import InputError

_SPIKES = "*.spikes.cellinfo.mat"


def is_session(folder: Path) -> bool:
    """Whether a folder holds spikes of CellExplorer."""
    return any(folder.glob(_SPIKES))


def session_contents(folder: Path) -> FileContents:
    """What the one file of spikes in a folder holds.

    Raises
    ------
    InputError
        Where there are several, or the file holds no spikes.
    """
    paths = sorted(folder.glob(_SPIKES))
    if len(paths) > 1:
        raise InputError(
            f"{folder} has several files of spikes: {listed(path.name for path in paths)}; give one"
        )
    return contents_of_file(paths[0], None)
