"""A call in its own process, so that its memory can be measured and a crash does no harm.

`ProcessPoolExecutor` would not do: before Python 3.14 it cannot end a call that is running, so an
interrupted benchmark would wait for its fit, and a killed one would leave it running.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, TypeVar

from spikeweft.errors import InputError

Result = TypeVar("Result")


class CallError(Exception):
    """One sentence on what went wrong in the other process."""


class _Outcome(NamedTuple):
    result: Any
    failed: str


def alone(function: Callable[..., Result], *arguments: object) -> Result:
    """Result of a call in a fresh process, which ends with the call or with this process.

    Raises
    ------
    CallError
        Where the call fails, or its process is killed.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(sender, function, arguments))
    with receiver:
        process.start()
        sender.close()
        try:
            outcome = receiver.recv()
        except EOFError:
            process.join()
            outcome = _Outcome(None, _end_in_words(process.exitcode))
        except BaseException:
            process.terminate()
            raise
        finally:
            process.join()
            process.close()
    if outcome.failed:
        raise CallError(outcome.failed)
    return outcome.result


def _call(sender: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        outcome = _Outcome(function(*arguments), "")
    except Exception as error:
        outcome = _Outcome(None, _sentence(error))
    with sender:
        try:
            sender.send(outcome)
        except Exception as error:
            sender.send(_Outcome(None, f"its result cannot be handed back: {_sentence(error)}"))


def _end_with_parent() -> None:
    """Do not outlive the parent: nobody would wait for the result."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _end_in_words(exit_code: int | None) -> str:
    """How a process ended that said nothing; a negative code is a signal's."""
    if exit_code == -signal.SIGKILL:
        return "its process was killed, probably for lack of memory"
    if exit_code is not None and exit_code < 0:
        return f"its process was killed: {signal.strsignal(-exit_code)}"
    return f"its process ended by itself, with exit status {exit_code}"


def _sentence(error: Exception) -> str:
    words = " ".join(str(error).split())
    return words if isinstance(error, InputError) else f"{type(error).__name__}: {words}"
