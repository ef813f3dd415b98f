"""`load` in a process of its own, with little memory and time, and what it leaves behind."""

import multiprocessing
import os
import resource
import stat
import warnings
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables

from spikeweft.cli.printing import printable
from spikeweft.data.file_contents.chosen_recording import LoadedRecording
from spikeweft.data.readers.load import load
from spikeweft.errors import InputError

LIMIT_S = 20.0

MORE_MIB = 1024
"""Memory that a reader may have beside that of its process."""

N_LOADED = 50
"""By one process: what one leaks should not count against the next for long."""

LONGEST_SENTENCE = 1000

fresh = multiprocessing.get_context("forkserver")


class Ended(NamedTuple):
    """How a load ended, and what it said: "read", "refused", or a kind of fault."""

    end: str
    said: str = ""


class ReaderProcess:
    """Loads one recording after the other in a process, which is replaced where it dies.

    Parameters
    ----------
    original
        A whole recording; the process loads it first, so that libraries are there before memory is
        limited.
    """

    def __init__(self, original: Path) -> None:
        self.original = original
        self.n_left = 0

    def load(self, path: Path) -> Ended:
        """Load a recording, which lies in a folder of its own; see what that folder becomes."""
        if self.n_left == 0:
            self._start()
        self.n_left -= 1
        before = listing(path.parent)
        self.connection.send(path)
        answer = self._answer()
        changed = before ^ listing(path.parent)
        return Ended("something written", f"{sorted(changed)}") if changed else answer

    def _start(self) -> None:
        self.stop()
        self.connection, theirs = fresh.Pipe()
        self.process = fresh.Process(target=_serve, args=(theirs, self.original), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()
        self.n_left = N_LOADED

    def _answer(self) -> Ended:
        try:
            if self.connection.poll(LIMIT_S):
                return self.connection.recv()
            ended = Ended("too long", f"more than {LIMIT_S:g} s")
        except (EOFError, ConnectionError):
            self.process.join()
            ended = Ended("crash", f"exit code {self.process.exitcode}")
        self.stop()
        self.n_left = 0
        return ended

    def stop(self) -> None:
        """End the process."""
        process = getattr(self, "process", None)
        if process is not None:
            process.kill()
            process.join()
            self.connection.close()


def listing(folder: Path) -> set[tuple]:
    """Everything in a folder: its name, kind, size and time of change; links are not followed."""
    found = set()
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            about = os.lstat(os.path.join(place, name))
            size = 0 if stat.S_ISDIR(about.st_mode) else about.st_size
            found.add((os.path.join(place, name), about.st_mode, size, about.st_mtime_ns))
    return found


def _serve(connection: Connection, original: Path) -> None:
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    load(original)
    most = int((tables.memory_mib("VmSize") + MORE_MIB) * tables.MIB)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    connection.send("ready")
    while True:
        path = connection.recv()
        os.chdir(path.parent)
        connection.send(_loaded(path))


def _loaded(path: Path) -> Ended:
    try:
        loaded = load(path)
    except InputError as error:
        said = str(error)
        is_sentence = "\n" not in said and len(said) <= LONGEST_SENTENCE + len(str(path))
        return Ended("refused" if is_sentence else "not one sentence", said)
    except MemoryError as error:
        return Ended("too much memory", str(error))
    except BaseException as error:  # pytest's and the interpreter's too
        return Ended("traceback", _where(error))
    fault = invalid(loaded)
    return Ended("not valid", fault) if fault else Ended("read")


def _where(error: BaseException) -> str:
    """The error, and the last line of the package that it passed."""
    trace, places = error.__traceback__, []
    while trace is not None:
        name = Path(trace.tb_frame.f_code.co_filename)
        if "spikeweft" in name.parts:
            places.append(f"{name.name}:{trace.tb_lineno}")
        trace = trace.tb_next
    return f"{type(error).__name__}: {error} at {places[-1] if places else 'the benchmark'}"


def invalid(loaded: LoadedRecording) -> str:
    """What is wrong with a recording that was read; nothing where it is valid."""
    recording = loaded.recording
    times, epochs = recording.spike_times_s, recording.epochs_s
    starts, stops = epochs.T
    epoch = np.searchsorted(starts, times, side="right") - 1
    checks = {
        "no spikes": len(times) > 0,
        "times that are not finite": bool(np.isfinite(times).all()),
        "epochs that are not finite": bool(np.isfinite(epochs).all()),
        "times in no epoch": bool(np.all((epoch >= 0) & (times <= stops[epoch]))),
        "spikes of no neuron": bool(
            np.all((recording.spike_neurons >= 0) & (recording.spike_neurons < recording.n_neurons))
        ),
        "neurons without an id": len(set(recording.neuron_ids)) == recording.n_neurons,
        "an id that cannot be printed": all(
            printable(name).isprintable() and printable(name).encode()
            for name in recording.neuron_ids
            if name
        ),
        "a resolution that is no time": 0 < recording.time_resolution_s < np.inf,
        "a covariate of NaN times": all(
            np.isfinite(covariate.times_s).all() for covariate in recording.covariates.values()
        ),
        "a warning of several lines": not any("\n" in said for said in loaded.warnings),
    }
    return ", ".join(what for what, holds in checks.items() if not holds)
