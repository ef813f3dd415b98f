"""By what the recording of a result is known again: a digest of its content."""

import hashlib
from pathlib import Path

from spikeweft.data.readers.folders import files_of
from spikeweft.errors import InputError


def recording_digest(path: Path) -> str:
    """SHA-256, in hexadecimal, of a file, or of names and contents of what is read of a folder.

    Raises
    ------
    InputError
        Where a file cannot be read.
    """
    if not path.is_dir():
        return _digest_of_file(path)
    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(f"{file.relative_to(path).as_posix()} {_digest_of_file(file)}\n".encode())
    return digest.hexdigest()


def _digest_of_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror or error}); check its permissions"
        ) from error
