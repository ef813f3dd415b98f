"""Errors of the libraries that read files, as one sentence."""

import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from spikeweft.errors import InputError

_REFUSED = 1  # what Python returns after an exception; a crash returns something else

_FILTERS = ("filter", "plugin", "hdf5plugin", "codec")


@contextmanager
def within_memory(path: Path) -> Iterator[None]:
    """Turn the end of memory into one sentence."""
    try:
        yield
    except MemoryError as error:
        reason = " ".join(str(error).split())[:200] or "all of it is in use"
        raise InputError(
            f"{path} needs more memory than there is ({reason}); check that it is whole, or read "
            "it where there is more"
        ) from error


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn a library's errors about a damaged file into one sentence."""
    try:
        # pynwb and pynapple warn about many harmless things in files that are not ours.
        with within_memory(path), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # the libraries raise nearly every type there is
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        is_text = isinstance(error, UnicodeError)  # which speaks of codecs too
        if not is_text and any(word in reason.lower() for word in _FILTERS):
            raise InputError(
                f"{path} is compressed in a way that needs a plug-in ({reason}); install "
                "hdf5plugin, and read it again"
            ) from error
        raise InputError(f"{path} cannot be read ({reason}); check that it is whole") from error


def with_whole_texts(array: np.ndarray) -> np.ndarray:
    """The array, whose texts hold no letters that there are not: with such, Python may crash.

    Raises
    ------
    ValueError
        Where one does.
    """
    if array.dtype.kind == "U" and array.nbytes:
        code = np.dtype(np.uint32).newbyteorder(array.dtype.byteorder)
        if np.frombuffer(array.tobytes(), code).max() > sys.maxunicode:
            raise ValueError("a text in it has letters that there are not")
    return array


def check_no_crash(reading: str, path: Path, library: str) -> None:
    """Read a file in another process, by a library that damage may crash, to see whether it does.

    What raises an exception there will raise it here too, and is left to those who read the file.

    Parameters
    ----------
    reading
        What is run there, in Python; its argument is the path.
    path
        The file.
    library
        What is said to crash.

    Raises
    ------
    InputError
        Where the library crashed, or did not come to an end.
    """
    asked = [sys.executable, "-I", "-c", reading, str(path)]
    code = subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    if code not in (0, _REFUSED):
        raise InputError(
            f"{path} is damaged, so that {library} crashes on it or never ends; take a copy that "
            "is whole"
        )
