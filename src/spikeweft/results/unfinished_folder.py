"""A result folder while it is written, under another name and by one process at a time."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikeweft.data.file_contents.sentences import listed
from spikeweft.errors import CannotResumeError, InputError
from spikeweft.results.result import FILES
from spikeweft.runtime.files import only_writer, write_whole, written_to

CHECKPOINT = "checkpoint.safetensors"
"""What an inference resumes from, in the unfinished folder."""

_BEGUN_WITH, _LOCK = "run.json", "lock"

_OF_MAKING = (CHECKPOINT, f"{CHECKPOINT}.tmp", _BEGUN_WITH, f"{_BEGUN_WITH}.tmp", _LOCK)

_OF_A_RESULT = {*FILES, "report.html", *_OF_MAKING}


def partial_of(folder: str | Path) -> Path:
    """The name of the folder until it is complete."""
    folder = Path(folder)
    return folder.with_name(folder.name + ".partial")


def check_place(asked: str | Path, *, resume: bool, force: bool) -> Path:
    """The result folder's path, if it can be created there.

    Raises
    ------
    InputError
        Where something is.
    """
    folder = Path(os.path.abspath(asked))
    if folder.exists() and not force:
        raise InputError(f"the folder {asked} exists already; choose another or use --force")
    if folder.exists() and not _is_result(folder):
        raise InputError(
            f"{asked} is not a result of spikeweft, so it is not replaced; choose another folder"
        )
    if folder.exists():
        _check_can_be_replaced(folder)
    if partial_of(folder).exists() and not (resume or force):
        raise InputError(
            f"an inference into {asked} was interrupted; go on with --resume or start over with "
            "--force"
        )
    if not folder.parent.is_dir():
        raise InputError(f"there is no folder {folder.parent} to write into; create it first")
    if not os.access(folder.parent, os.W_OK):
        raise InputError(f"the folder {folder.parent} cannot be written to; choose another")
    return folder


@contextmanager
def made_whole(
    folder: Path, begun_with: Mapping[str, Any], *, force: bool, resume: bool = False
) -> Iterator[Path]:
    """A working folder that becomes the result folder if all goes well.

    After an interruption it stays, to be resumed; after an error before the first step of training
    was saved, it goes.

    Parameters
    ----------
    folder
        What it is called once it is whole.
    begun_with
        What decides the result: what was interrupted goes on only with the same.
    force
        Start over, unless `resume` is given too, and replace a result that exists.
    resume
        Go on with what was interrupted.

    Raises
    ------
    InputError
        Where another process is at work on it, or the file system refuses.
    CannotResumeError
        Where what was interrupted was begun with something else, or is damaged.
    """
    partial = partial_of(folder)
    is_new = _made(partial)
    busy = f"another process is at work on {folder}; let it end, or choose another folder"
    with only_writer(partial / _LOCK, busy):
        try:
            with written_to(partial):
                _begin(partial, begun_with, start_over=force and not resume)
            yield partial
            with written_to(partial):
                _put_in_place(partial, folder, force=force)
        except Exception:
            if is_new and not (partial / CHECKPOINT).exists():
                shutil.rmtree(partial, ignore_errors=True)
            raise


def _made(partial: Path) -> bool:
    """Whether the folder is new."""
    with written_to(partial):
        try:
            partial.mkdir()
        except FileExistsError:
            return False
    return True


def _begin(partial: Path, begun_with: Mapping[str, Any], *, start_over: bool) -> None:
    _check_is_ours(partial)
    if start_over:
        _empty(partial)
    if (partial / _BEGUN_WITH).exists():
        _check_same(partial, begun_with)
    else:  # new, or interrupted before this was written, and so before any training
        write_whole(partial / _BEGUN_WITH, json.dumps(dict(begun_with), indent=2).encode())


def _check_is_ours(partial: Path) -> None:
    """Refuse a folder that somebody else filled."""
    names = {path.name for path in partial.iterdir()}
    if _BEGUN_WITH not in names and not names <= set(_OF_MAKING):
        raise InputError(
            f"{partial} is not an interrupted inference, so nothing is written into it; move it "
            "away, or choose another folder"
        )


def _empty(partial: Path) -> None:
    """Remove all files but the lock, which is held."""
    for path in partial.iterdir():
        if path.name != _LOCK:
            path.unlink()


def _check_same(partial: Path, begun_with: Mapping[str, Any]) -> None:
    try:
        before = dict(json.loads((partial / _BEGUN_WITH).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CannotResumeError(
            f"{partial / _BEGUN_WITH} is damaged ({error}); start over with --force"
        ) from error
    differ = [k for k in {**before, **begun_with} if before.get(k) != begun_with.get(k)]
    if differ:
        raise CannotResumeError(
            f"the interrupted inference in {partial} was begun with another {', '.join(differ)}; "
            "resume with the same, or start over with --force"
        )


def _is_result(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    names = {path.name for path in folder.iterdir()}
    return not names or {"connectivity.nc", "metrics.json"} <= names


def _aside(folder: Path) -> Path:
    """Where an old result is until the new one is in its place."""
    return folder.with_name(folder.name + ".replaced")


def _others(folder: Path) -> list[str]:
    """Names in a result folder of what is not part of the result."""
    return sorted({path.name for path in folder.iterdir()} - _OF_A_RESULT)


def _check_can_be_replaced(folder: Path) -> None:
    if names := _others(folder):
        raise InputError(
            f"{folder} holds {listed(names)}, which would be deleted with the result that is "
            "replaced; move that away, or choose another folder"
        )
    aside = _aside(folder)
    if os.path.lexists(aside) and (not _is_result(aside) or _others(aside)):
        raise InputError(
            f"{aside} is in the way of replacing {folder.name}, and is not a result of spikeweft "
            "alone; move it away, or choose another folder"
        )


def _put_in_place(partial: Path, folder: Path, *, force: bool) -> None:
    """Rename the finished folder; an old result goes only once the new one is in its place.

    The checkpoint goes last: until the folder has its name, an interruption can be resumed.
    """
    replaced = _aside(folder)
    if folder.exists():
        if not force:
            raise InputError(f"the folder {folder} was made by another process in the meantime")
        _check_can_be_replaced(folder)
        if replaced.exists():
            shutil.rmtree(replaced)
        folder.rename(replaced)
    partial.rename(folder)
    if _is_result(replaced) and not _others(replaced):
        shutil.rmtree(replaced)
    for name in _OF_MAKING:
        (folder / name).unlink(missing_ok=True)
