"""What `infer` and `sweep` endure: python benchmarks/endurance.py.

Six trials, a row each, and of the last two for each command and each kind of recording. *Killed
inferences*: kill -9 at a random moment, then --resume; how many reach the bits of the result that
nobody interrupted. *Killed sweeps*: one sweep, its whole run killed again and again at random
moments; how many finished fits were made again, how many fits were under way at most, and how many
have the bits of a sweep that nobody interrupted. *Soak*: fits one after the other in one process,
whose memory should not grow. *Fuzz*: recordings and checkpoints that are truncated, with flipped
bits, or made to mislead; each should be refused by one sentence or give a whole result, not a
traceback, a hang, or a result that is not whole. *Beside a channel*: the peak memory of a command
on an NWB file, and on the same with an analog channel of n samples, which nobody asked for. *Fuzz
of readers*: damaged and malicious recordings of every kind; each should be refused by one sentence
or read whole and valid, in a process with little time and memory, with nothing written and nothing
of it run. What was neither refused nor at fault was read; kinds whose library is not installed are
skipped.
"""

import functools
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tables
from analog_channel import COMMANDS, beside_channel
from damage.copies import damaged_copy
from damaged_inputs import (
    CIRCUIT,
    Originals,
    damaged_checkpoint,
    flipped,
    misleading_npz,
    misleading_nwb,
    small_recording,
    truncated,
)
from reader_process import ReaderProcess
from small_recordings import KINDS, installed_kinds, written

from spikeweft.errors import InputError
from spikeweft.inference.cluster import local_cluster
from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.grid import Grid, planned
from spikeweft.inference.sweep.run import fits_folder, sweep
from spikeweft.results.result import read_result
from spikeweft.results.unfinished_folder import CHECKPOINT, partial_of
from spikeweft.runtime.parallel import on_one_thread

SEED = 100
SEEDS_OF_READERS = (SEED, 101)
N_WORKERS = 2
OF_READERS, BESIDE = "fuzz of readers: ", "beside a channel: "
N_SAMPLES = 36_000_000
HANG_S, HANG_OF_SWEEP_S = 300.0, 3600.0
MEMORY_MIB = 8192
SAME = (CIRCUIT, "glm.nc", "model.safetensors", "model.json", "sample.npz")
"""Files of a result that do not tell when or how fast it was made."""

fresh = multiprocessing.get_context("forkserver")
fresh.set_forkserver_preload(
    ["__main__", "h5py", "pynwb", "pynapple", "distributed", "spikeweft.inference.run"]
)


# ---- processes -----------------------------------------------------------------------------------


class Outcome(NamedTuple):
    """How a call ended: "fine", "refused", "traceback", "hang" or "killed", and what it said."""

    end: str
    said: str = ""


def outcome(
    call: Callable[..., object],
    *arguments: object,
    killed_after_s: float = 0.0,
    hang_s: float = HANG_S,
) -> Outcome:
    """Make a call in a process of its own; kill that after a time, where one is given."""
    receiver, sender = fresh.Pipe(duplex=False)
    process = fresh.Process(target=_answer, args=(sender, call, arguments))
    process.start()
    sender.close()
    limit_s = killed_after_s or hang_s
    with receiver:
        try:
            answer = receiver.recv() if receiver.poll(limit_s) else None
        except EOFError:
            answer = Outcome("traceback", "the process died")
    if answer is None:
        process.kill()
        answer = Outcome("killed" if killed_after_s else "hang")
    process.join()
    return answer


def _answer(sender: Connection, call: Callable[..., object], arguments: tuple) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB * 2**20, MEMORY_MIB * 2**20))
    warnings.simplefilter("ignore")
    try:
        with on_one_thread():
            call(*arguments)
        sender.send(Outcome("fine"))
    except InputError as error:
        sender.send(Outcome("refused", str(error)))
    except BaseException as error:
        sender.send(Outcome("traceback", f"{type(error).__name__}: {error}"))


# ---- killed --------------------------------------------------------------------------------------


def killed_inferences(n: int, place: Path) -> tables.Row:
    """Kill -9 at random moments; each inference is then resumed to its end."""
    rng = np.random.default_rng(SEED)
    whole = Inference(recording=small_recording(place / "r.npz", rng), folder=place / "whole")
    outcome(infer, replace(whole, folder=place / "warm"))
    start = time.perf_counter()
    outcome(infer, whole)
    seconds = time.perf_counter() - start
    count: Counter[str] = Counter()
    while count["killed"] < n:
        asked = replace(whole, folder=place / f"killed{sum(count.values())}")
        end = outcome(infer, asked, killed_after_s=rng.uniform(0.0, seconds)).end
        count[end] += 1
        if end == "killed":
            count["in training"] += (partial_of(asked.folder) / CHECKPOINT).exists()
            count["same"] += _resumed_to_the_same(asked, whole.folder)
    return {
        "n_killed": count["killed"],
        "n_same_bits": count["same"],
        "n_killed_with_checkpoint": count["in training"],
        "seconds_uninterrupted": round(seconds, 2),
    }


def _resumed_to_the_same(asked: Inference, whole: Path) -> bool:
    if not asked.folder.exists():  # else it was killed after it was done
        outcome(infer, replace(asked, resume=True))
    return (
        not partial_of(asked.folder).exists()
        and asked.folder.exists()
        and _same_bits(asked.folder, whole)
    )


def _same_bits(folder: Path, other: Path) -> bool:
    return all((folder / name).read_bytes() == (other / name).read_bytes() for name in SAME)


def killed_sweeps(n: int, place: Path) -> tables.Row:
    """Kill -9 the whole run of one sweep at random moments, and start it again, to its end."""
    rng = np.random.default_rng(SEED)
    recording, folder = small_recording(place / "r.npz", rng), place / "out"
    start = time.perf_counter()
    outcome(run_sweep, recording, place / "warm", 2, hang_s=HANG_OF_SWEEP_S)
    seconds = time.perf_counter() - start
    made: dict[str, int] = {}
    repeated = most_under_way = n_killed = 0
    while n_killed < n:
        end = outcome(run_sweep, recording, folder, 2 * n, killed_after_s=rng.uniform(0.0, seconds))
        n_killed += end.end == "killed"
        now, under_way = _made(folder), len(list(folder.glob("fits/*.partial")))
        repeated += sum(now.get(name) != then for name, then in made.items())
        made, most_under_way = now, max(most_under_way, under_way)
        if end.end != "killed":
            break
    n_before_last_run = len(made)
    last = outcome(run_sweep, recording, folder, 2 * n, hang_s=HANG_OF_SWEEP_S)
    now = _made(folder)
    repeated += sum(now.get(name) != then for name, then in made.items())
    outcome(run_sweep, recording, place / "whole", 2 * n, hang_s=HANG_OF_SWEEP_S)
    return {
        "n_killed": n_killed,
        "last_run": last.end,
        "n_fits": len(now),
        "n_fits_missing": 2 * n - len(now),
        "n_fits_of_same_bits": sum(
            _same_bits(fits_folder(folder) / name, fits_folder(place / "whole") / name)
            for name in now
        ),
        "n_finished_under_kills": n_before_last_run,
        "n_finished_fits_repeated": repeated,
        "n_under_way_at_most": most_under_way,
    }


def run_sweep(recording: Path, folder: Path, n_fits: int) -> None:
    """A sweep over seeds on local workers."""
    grid = Grid(recordings=(recording,), seeds=tuple(range(n_fits)))
    sweep(planned(grid, fits_folder(folder)), folder, local_cluster(N_WORKERS))


def _made(folder: Path) -> dict[str, int]:
    """When each whole fit was made; one that is not whole raises."""
    fits = [path for path in folder.glob("fits/*") if path.suffix != ".partial"]
    return {path.name: _when(path) for path in fits}


def _when(folder: Path) -> int:
    read_result(folder)
    return (folder / "connectivity.nc").stat().st_mtime_ns


# ---- soak ----------------------------------------------------------------------------------------


def soak(n: int, place: Path) -> tables.Row:
    """Fits one after the other in this process, each with another seed."""
    recording = small_recording(place / "r.npz", np.random.default_rng(SEED))
    used_mib = []
    for seed in range(n):
        folder = place / "result"
        infer(Inference(recording=recording, folder=folder, seed=seed))
        shutil.rmtree(folder)
        used_mib.append(tables.memory_mib("VmRSS"))
    half = n // 2
    growth = np.polyfit(np.arange(half, n), used_mib[half:], 1)[0] if n - half > 1 else np.nan
    return {
        "n_fits": n,
        "mib_after_first": round(used_mib[0]),
        "mib_after_half": round(used_mib[half]),
        "mib_after_all": round(used_mib[-1]),
        "mib_per_fit_in_second_half": round(float(growth), 4),
    }


# ---- fuzz ----------------------------------------------------------------------------------------


def fuzz(n: int, place: Path) -> tables.Row:
    """Each kind of input in turn, each damaged at random; every fault is printed."""
    rng = np.random.default_rng(SEED)
    originals = Originals.made(place / "originals", rng)
    kinds = (truncated, flipped, misleading_npz, misleading_nwb, damaged_checkpoint)
    count: Counter[str] = Counter()
    first_fault = ""
    for number in range(n):
        kind = kinds[number % len(kinds)]
        inference = kind(originals, place / f"input{number}", rng)
        end = outcome(infer, inference)
        fault = _fault(inference, end, originals, may_resume=kind is damaged_checkpoint)
        count["fault" if fault else end.end] += 1
        if fault:
            fault = f"input {number}, {kind.__name__}: {fault}"
            print(fault, flush=True)
            first_fault = first_fault or fault
        shutil.rmtree(place / f"input{number}")
    return {
        "n_inputs": n,
        "n_refused": count["refused"],
        "n_fitted": count["fine"],
        "n_faults": count["fault"],
        "first_fault": first_fault[:300],
    }


def _fault(inference: Inference, end: Outcome, originals: Originals, *, may_resume: bool) -> str:
    """What is wrong with how it ended; nothing where it was refused, or gave a whole result."""
    there, partial = inference.folder.exists(), partial_of(inference.folder).exists()
    if end.end not in ("fine", "refused"):
        return f"{end.end}: {end.said}"
    if "\n" in end.said or len(end.said) > 600:
        return f"not one sentence: {end.said}"
    if end.end == "refused":
        left = [name for name, is_there in (("result", there), ("partial", partial)) if is_there]
        return "" if left in ([], ["partial"] if may_resume else []) else f"left a {left}"
    if partial or not there:
        return "no result, or not a whole one"
    read_result(inference.folder)
    same = (inference.folder / CIRCUIT).read_bytes() == originals.connectivity
    return "resumed to another result" if may_resume and not same else ""


def fuzz_of_readers(kind: str, n: int, place: Path, seed: int = SEED) -> tables.Row:
    """Damaged recordings of one kind; every fault is printed."""
    number_of_kind = list(KINDS).index(kind)
    originals = written(kind, place / "originals", np.random.default_rng(seed))
    readers = [ReaderProcess(original) for original in originals]
    count: Counter[str] = Counter()
    first_fault = ""
    for number in range(n):
        rng = np.random.default_rng([seed, number_of_kind, number])
        reader = readers[number % len(readers)]
        path = damaged_copy(reader.original, place / f"input{number}", rng)
        ended = reader.load(path)
        is_fault = ended.end not in ("read", "refused")
        count["fault" if is_fault else ended.end] += 1
        if is_fault:
            fault = f"input {number}, {ended.end}: {ended.said}".replace(f"{place}/", "")
            print(fault, flush=True)
            first_fault = first_fault or fault
        shutil.rmtree(path.parent)
    for reader in readers:
        reader.stop()
    return {
        "n_inputs": n,
        "n_refused": count["refused"],
        "n_faults": count["fault"],
        "first_fault": first_fault[:300],
    }


# ---- the table -----------------------------------------------------------------------------------

TRIALS: Mapping[str, Callable[[int, Path], tables.Row]] = {
    "killed inferences": killed_inferences,
    "killed sweeps": killed_sweeps,
    "soak": soak,
    "fuzz": fuzz,
    **{
        f"{BESIDE}{command}": functools.partial(beside_channel, command, seed=SEED)
        for command in COMMANDS
    },
    **{f"{OF_READERS}{kind}": functools.partial(fuzz_of_readers, kind) for kind in KINDS},
}


def measure(trial: str, n: int, seed: int = SEED) -> tables.Row:
    """One trial, in a folder that goes when it is over."""
    call = functools.partial(TRIALS[trial], **({} if seed == SEED else {"seed": seed}))
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        row = call(n, Path(place))
        return {**row, "seconds": round(time.perf_counter() - start, 1), "seed": seed}


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    tables.fill(
        __file__,
        __doc__,
        [
            {"trial": "killed inferences", "n": 20},
            {"trial": "killed sweeps", "n": 20},
            {"trial": "soak", "n": 200},
            {"trial": "fuzz", "n": 500},
            *({"trial": f"{BESIDE}{command}", "n": N_SAMPLES} for command in COMMANDS),
            *(
                {"trial": f"{OF_READERS}{kind}", "n": 200, "seed": seed}
                for seed in SEEDS_OF_READERS
                for kind in installed_kinds()
            ),
        ],
        measure,
        ("numpy", "torch", "numba", "distributed", "pynwb"),
    )
