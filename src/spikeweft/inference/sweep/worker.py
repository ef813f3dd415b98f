"""One fit of a sweep, as a worker makes it."""

import threading
from collections.abc import Callable
from dataclasses import replace

from threadpoolctl import threadpool_limits

from spikeweft.errors import CannotResumeError, InputError
from spikeweft.inference.run import circuit_gnn, infer
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.table import Row, failed_row, row_of
from spikeweft.results.result import Result
from spikeweft.runtime.parallel import on_one_thread

_one_at_a_time = threading.Lock()


def infer_by_circuit_gnn(inference: Inference) -> Result:
    """Infer with one model, so that the fits of a sweep differ in their settings alone."""
    return infer(inference, model=circuit_gnn(inference))


def fit(inference: Inference, make: Callable[[Inference], object] = infer_by_circuit_gnn) -> Row:
    """Make the fit unless it exists, resuming an interrupted one, and return its row.

    A fit uses one thread, and a process makes one fit at a time, so that as many workers as there
    are processors do not wait for each other.
    """
    with _one_at_a_time, on_one_thread(), threadpool_limits(1):
        try:
            if not inference.folder.exists():
                _make(inference, make)
            return _row(inference)
        except Exception as error:  # whatever it is, the other fits go on
            return failed_row(inference, sentence(error))


def _row(inference: Inference) -> Row:
    try:
        return row_of(inference.folder)
    except InputError as error:
        raise InputError(
            f"{sentence(error)}; it is not replaced: remove {inference.folder} to make it again"
        ) from error


def sentence(error: BaseException) -> str:
    """What went wrong, in one line."""
    words = " ".join(str(error).split())
    return words if isinstance(error, InputError) else f"{type(error).__name__}: {words}"


def _make(inference: Inference, make: Callable[[Inference], object]) -> None:
    try:
        make(replace(inference, resume=True))
    except CannotResumeError:  # damaged, or of another version, and no user is there to ask
        make(replace(inference, force=True))
