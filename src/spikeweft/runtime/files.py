"""Files that are written completely or not at all, and locks for folders."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from spikeweft.errors import InputError

_WITHOUT_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems without locks answer, as some in networks do."""


@contextmanager
def written_to(place: Path) -> Iterator[None]:
    """Turn errors of the file system, at this place or below, into one sentence.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    try:
        yield
    except OSError as error:
        raise InputError(
            f"{error.filename or place} cannot be written to ({error.strerror or error}); check "
            "its permissions and the free space"
        ) from error


def check_new_file(path: Path, *, force: bool) -> None:
    """Refuse to write where something is that is not to be replaced, or where there is no folder.

    Raises
    ------
    InputError
        Where the path is a folder's or in none, or the file exists and `force` is not set.
    """
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise InputError(f"{path} cannot be written to; give a file in a folder that exists")
    if path.exists() and not force:
        raise InputError(f"{path} exists already; choose another name or use --force")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path beside to write to, which becomes the file at the end: readers never find a part.

    Raises
    ------
    InputError
        Where the file system refuses. After this or any other error what was written is removed,
        which frees a full disk, and an older file stays as it was.
    """
    unfinished = path.with_name(path.name + ".tmp")
    with written_to(path):
        try:
            yield unfinished
            os.replace(unfinished, path)
        except BaseException:
            unfinished.unlink(missing_ok=True)
            raise


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """As `replacing`, for those who write to an open file.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        yield file


def write_whole(path: Path, content: bytes) -> None:
    """Replace a file's content as a whole.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    with writing_whole(path) as file:
        file.write(content)


@contextmanager
def only_writer(lock: Path, busy: str) -> Iterator[None]:
    """Hold a lock file, which is free again as soon as this process ends, however it ends.

    The holder may rename or remove the file, or the folder it lies in; it is removed at the end.
    Where the file system has no locks, nothing is guarded.

    Parameters
    ----------
    lock
        The file; it is created where it does not exist.
    busy
        What to say where another process holds it.

    Raises
    ------
    InputError
        Where another process holds it, or it cannot be created.
    """
    held = FileLock(lock, timeout=0, mode=0o666, is_singleton=False, fallback_to_soft=False)
    with written_to(lock):
        try:
            held.acquire()
        except Timeout as error:
            raise InputError(busy) from error
        except OSError as error:
            if error.errno not in _WITHOUT_LOCKS:
                raise
    try:
        mine = _identity(lock)
        if mine is None:  # the holder has finished and renamed the folder
            raise InputError(busy)
        try:
            yield
        finally:
            if _identity(lock) == mine:
                lock.unlink()
    finally:
        held.release()


def _identity(path: Path) -> tuple[int, int] | None:
    """Device and inode of a file; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
