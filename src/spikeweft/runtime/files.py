"""Files that are whole or not there, and folders that one process at a time writes to."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from spikeweft.errors import InputError

try:
    import fcntl
except ModuleNotFoundError:  # Windows locks files in a way that would keep folders from renaming
    fcntl = None


@contextmanager
def written_to(place: Path) -> Iterator[None]:
    """Turn what the file system refuses, at this place or below, into one sentence.

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


@contextmanager
def writing_whole(path: Path) -> Iterator[BinaryIO]:
    """Write beside, then rename: readers find the old file or the new one, never a part.

    Raises
    ------
    InputError
        Where the file system refuses; the unfinished file is removed, which frees a full disk.
    """
    unfinished = path.with_name(path.name + ".tmp")
    with written_to(path):
        try:
            with unfinished.open("wb") as file:
                yield file
            os.replace(unfinished, path)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


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
    """Hold a lock file; it is free again as soon as this process ends, however it ends.

    Where the system has no such locks, nothing is guarded. The file may be renamed or removed by
    who holds it, but not by others; in the end it is removed.

    Parameters
    ----------
    lock
        The file; it is made where it is not there.
    busy
        What to say where another process holds it.

    Raises
    ------
    InputError
        Where another process holds it, or it cannot be made.
    """
    if fcntl is None:
        yield
        return
    with written_to(lock):
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(busy) from error
        except OSError:  # some network file systems have no locks, and so nothing to guard with
            pass
        if not _is_still_there(lock, descriptor):  # who held it was done, and took it away
            raise InputError(busy)
        try:
            yield
        finally:
            if _is_still_there(lock, descriptor):
                lock.unlink()
    finally:
        os.close(descriptor)


def _is_still_there(lock: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(lock), os.fstat(descriptor))
    except OSError:
        return False


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, in hexadecimal.

    Raises
    ------
    InputError
        Where the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); check its permissions"
        ) from error
