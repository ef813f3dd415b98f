"""Files of the many formats that Neo reads."""

from pathlib import Path
from typing import Any

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.neo_objects import neo_contents
from spikeweft.errors import InputError

_REFUSED = ("PickleIO", "ElphyIO", "ExampleIO", "AsciiSpikeTrainIO", "AsciiSignalIO", "NWBIO")
"""Two run what a file holds, one makes spikes up, one rounds times to 24 bits and ends each train
at its last spike, one takes any numbers for signals, and NWB has a reader here."""


class SeveralBlocksError(InputError):
    """A file with several of Neo's blocks, each of which is a recording."""


def neo_file_contents(path: Path) -> FileContents | None:
    """What a file or a folder of a format that Neo knows holds; None where it knows none.

    Of the readers that Neo has for a name, the first counts that finds spike trains; a folder in
    which none does counts as unknown. Signals are not loaded where Neo can leave them on disk.

    Raises
    ------
    InputError
        Where none of Neo's readers can read it or finds spike trains, or there are several blocks.
    """
    try:
        import neo  # noqa: F401 - without it, nothing is known
    except ModuleNotFoundError:
        return None
    readers = _readers(path)
    failures = []
    for reader in readers:
        try:
            block = _block(reader, path)
        except SeveralBlocksError:
            raise
        except InputError as error:
            failures.append(error)
            continue
        if any(len(segment.spiketrains) for segment in block.segments):
            return neo_contents(block, path)
    if path.is_file() and readers:
        raise _nothing_found(path, readers, failures)
    return None  # also for a folder, whose files may have such endings by chance


def _nothing_found(path: Path, readers: list[Any], failures: list[InputError]) -> InputError:
    if len(failures) == len(readers):
        return failures[0]
    return InputError(
        f"Neo finds no spike trains in {path}, which it reads with "
        f"{listed(reader.__name__ for reader in readers)}; give a file with sorted spikes"
    )


def _readers(path: Path) -> list[Any]:
    """Neo's readers for the ending of a file, or for those of the files in a folder."""
    import neo.io

    with unreadable(path):
        files = [path] if path.is_file() else sorted(path.iterdir())
    endings = {file.suffix[1:].lower(): None for file in files if file.suffix}
    known = [reader for ending in endings for reader in neo.io.io_by_extension.get(ending, ())]
    return [
        reader
        for reader in dict.fromkeys(known)
        if reader.is_readable
        and reader.__name__ not in _REFUSED
        and path.is_dir() == (reader.mode == "dir")
    ]


def _block(reader: Any, path: Path) -> Any:
    """The only block, with its spike trains loaded.

    Raises
    ------
    InputError
        Where the file cannot be read so, or there are several.
    """
    import neo

    with unreadable(path):
        opened = reader(str(path))
        blocks = opened.read(lazy=opened.support_lazy)
        # What reads raw formats gives the first of several blocks.
        n_blocks = opened.block_count() if hasattr(opened, "block_count") else len(blocks)
        if n_blocks != 1:
            raise SeveralBlocksError(
                f"{path} holds {n_blocks} blocks of Neo; read it with Neo, and give one of them to "
                "from_neo"
            )
        loaded = neo.Block()
        for segment in blocks[0].segments:
            loaded.segments.append(_loaded(segment))
    return loaded


def _loaded(segment: Any) -> Any:
    """A segment with its spike trains alone, none of which is left on disk."""
    import neo

    trains = [train.load() if hasattr(train, "load") else train for train in segment.spiketrains]
    loaded = neo.Segment()
    loaded.spiketrains.extend(trains)
    return loaded
