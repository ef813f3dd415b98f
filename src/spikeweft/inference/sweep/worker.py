"""One fit of a sweep, as a worker makes it."""

import threading
from dataclasses import replace

from threadpoolctl import threadpool_limits

from spikeweft.errors import CannotResumeError, InputError
from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.table import Row, failed_row, row_of
from spikeweft.runtime.parallel import on_one_thread

_one_at_a_time = threading.Lock()


def fit(inference: Inference) -> Row:
    """Make the fit, unless it is there, from where it was interrupted, and give its row.

    It keeps to one thread, and a process makes one fit at a time, so that as many workers as there
    are processors do not wait for each other.
    """
    with _one_at_a_time, on_one_thread(), threadpool_limits(1):
        try:
            if not inference.folder.exists():
                _made(inference)
            return row_of(inference.folder)
        except Exception as error:  # whatever it is, the other fits go on
            return failed_row(inference, sentence(error))


def sentence(error: BaseException) -> str:
    """What went wrong, in one line."""
    words = " ".join(str(error).split())
    return words if isinstance(error, InputError) else f"{type(error).__name__}: {words}"


def _made(inference: Inference) -> None:
    try:
        infer(replace(inference, resume=True))
    except CannotResumeError:  # damaged, or begun by another version: nobody is there to ask
        infer(replace(inference, force=True))
