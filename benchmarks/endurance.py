"""What `infer` and `sweep` endure: python benchmarks/endurance.py.

Four trials, a row each. *Killed inferences*: kill -9 at a random moment, then --resume; how many
reach the bits of the result that nobody interrupted. *Killed sweeps*: one sweep, its whole run
killed again and again at random moments; how many finished fits were made again, how many fits
were under way at most, and how many have the bits of a sweep that nobody interrupted. *Soak*: fits
one after the other in one process, whose memory should not grow. *Fuzz*: recordings and checkpoints
that are truncated, with flipped bits, or made to mislead; each should be refused by one sentence or
give a whole result, not a traceback, a hang, or a result that is not whole.
"""

import datetime
import io
import json
import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pynwb
import tables

from spikeweft.errors import InputError
from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.cluster import local_cluster
from spikeweft.inference.sweep.grid import Grid, planned
from spikeweft.inference.sweep.run import fits_folder, sweep
from spikeweft.results.result import read_result
from spikeweft.results.unfinished_folder import CHECKPOINT, partial_of
from spikeweft.runtime.parallel import on_one_thread

SEED = 100
N_NEURONS = 4
N_WORKERS = 2
HANG_S, HANG_OF_SWEEP_S = 300.0, 3600.0
MEMORY_MIB = 8192
SAME = ("connectivity.nc", "glm.nc", "model.safetensors", "model.json", "sample.npz")
"""Files of a result that do not tell when or how fast it was made."""

fresh = multiprocessing.get_context("forkserver")
fresh.set_forkserver_preload(
    ["__main__", "h5py", "pynwb", "pynapple", "distributed", "spikeweft.inference.run"]
)


# ---- data ----------------------------------------------------------------------------------------


def small_arrays(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Six seconds of independent neurons of 50 Hz, and one that follows another."""
    n_spikes = 300
    ticks = [rng.integers(0, 59_900, n_spikes) for _ in range(N_NEURONS)]
    ticks[1] = ticks[0] + 30
    return {
        "spike_times": np.concatenate(ticks) * 1e-4,
        "spike_units": np.repeat(np.arange(N_NEURONS), n_spikes),
        "n_units": np.array(N_NEURONS),
        "start": np.array(0.0),
        "stop": np.array(6.0),
        "time_resolution_s": np.array(1e-4),
    }


def small_recording(path: Path, rng: np.random.Generator) -> Path:
    """The same as a file."""
    np.savez(path, **small_arrays(rng))
    return path


def small_nwb(path: Path, rng: np.random.Generator) -> Path:
    """The same in NWB, with epochs and a covariate."""
    arrays = small_arrays(rng)
    nwb = pynwb.NWBFile(
        session_description="made by a benchmark",
        identifier="endurance",
        session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
    )
    for unit in range(int(arrays["n_units"])):
        train = np.sort(arrays["spike_times"][arrays["spike_units"] == unit])
        nwb.add_unit(spike_times=train, obs_intervals=[[0.0, 6.0]])
    nwb.add_epoch(0.0, 3.0, ["first"])
    nwb.add_epoch(3.0, 6.0, ["second"])
    times = np.arange(0.0, 6.0, 0.1)
    series = pynwb.TimeSeries(name="heading", data=times, timestamps=times, unit="radians")
    nwb.add_acquisition(series)
    with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
        warnings.simplefilter("ignore")
        file.write(nwb)
    return path


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


def _fault(inference: Inference, end: Outcome, originals: "Originals", *, may_resume: bool) -> str:
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
    same = (inference.folder / SAME[0]).read_bytes() == originals.connectivity
    return "resumed to another result" if may_resume and not same else ""


class Originals(NamedTuple):
    """Whole inputs, and the checkpoints and answer of an inference from the first of them."""

    npz: Path
    nwb: Path
    partial: Path
    connectivity: bytes

    @classmethod
    def made(cls, place: Path, rng: np.random.Generator) -> "Originals":
        """Make them in a folder."""
        place.mkdir()
        npz, nwb = small_recording(place / "r.npz", rng), small_nwb(place / "r.nwb", rng)
        asked = Inference(recording=npz, folder=place / "result")
        infer(asked)
        stopped = replace(asked, folder=place / "stopped")
        with suppress(KeyboardInterrupt):
            infer(stopped, _stop)
        answer = (asked.folder / SAME[0]).read_bytes()
        return cls(npz, nwb, partial_of(stopped.folder), answer)


def _stop(progress: Any) -> None:
    if progress.step == 20:
        raise KeyboardInterrupt


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """Some bits flipped, or a stretch overwritten."""
    array = np.frombuffer(content, np.uint8).copy()
    if rng.random() < 0.7:
        places = rng.integers(0, len(array), rng.integers(1, 65))
        np.bitwise_xor.at(
            array, places, np.left_shift(1, rng.integers(0, 8, len(places))).astype(np.uint8)
        )
    else:
        start = rng.integers(0, len(array))
        array[start : start + rng.integers(1, 1 + len(array) // 4)] = rng.integers(0, 256)
    return array.tobytes()


def _either(originals: Originals, place: Path, rng: np.random.Generator) -> tuple[Path, bytes]:
    original = originals.npz if rng.random() < 0.5 else originals.nwb
    place.mkdir()
    return place / original.name, original.read_bytes()


def truncated(originals: Originals, place: Path, rng: np.random.Generator) -> Inference:
    """A recording that ends too early."""
    path, content = _either(originals, place, rng)
    path.write_bytes(content[: rng.integers(0, len(content))])
    return Inference(recording=path, folder=place / "result")


def flipped(originals: Originals, place: Path, rng: np.random.Generator) -> Inference:
    """A recording with some wrong bits."""
    path, content = _either(originals, place, rng)
    path.write_bytes(damaged(content, rng))
    return Inference(recording=path, folder=place / "result")


def damaged_checkpoint(originals: Originals, place: Path, rng: np.random.Generator) -> Inference:
    """An interrupted inference of which a file is damaged, cut off, or missing."""
    place.mkdir()
    asked = Inference(recording=originals.npz, folder=place / "result", resume=True)
    shutil.copytree(originals.partial, partial_of(asked.folder))
    file = partial_of(asked.folder) / (CHECKPOINT if rng.random() < 0.8 else "run.json")
    content = file.read_bytes()
    file.write_bytes(damaged(content, rng))
    if rng.random() < 0.3:
        file.write_bytes(content[: rng.integers(0, len(content))])
    if rng.random() < 0.05:
        file.unlink()
    return asked


NUMBERS = (0.0, -1.0, 1e-300, 1e18, 1e300, -1e300, np.nan, np.inf, -np.inf, 2**62, -(2**63), 0.5)


def odd_values(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Without end: arrays that hardly belong into any place."""
    makers: tuple[Callable[[], np.ndarray], ...] = (
        lambda: np.array(rng.choice(NUMBERS)),
        lambda: np.full(rng.integers(0, 5), rng.choice(NUMBERS)),
        lambda: rng.choice(NUMBERS, size=1200),
        lambda: rng.normal(size=(3, 3)),
        lambda: np.zeros((2, 0)),
        lambda: np.array("words"),
        lambda: np.array(["a", "b\n"] * 2),
        lambda: np.array(b"\xff"),
        lambda: np.array([True, False]),
        lambda: np.array([1j]),
        lambda: np.array(["2020-01-01"], dtype="datetime64[s]"),
        lambda: np.arange(1200)[::-1].astype(np.uint64),
        lambda: np.array(json.dumps({"network": "RingNetwork", "n_neurons": "x"})),
        lambda: np.array("[" * 5000),
    )
    while True:
        yield makers[rng.integers(len(makers))]()


def misleading_npz(originals: Originals, place: Path, rng: np.random.Generator) -> Inference:
    """A readable `.npz` in which one to three arrays are not what they should be."""
    place.mkdir()
    with np.load(originals.npz) as file:
        arrays = {**file, "weights": np.eye(N_NEURONS)[::-1].copy()}
    arrays |= {"covariates": np.array(["heading"])}
    arrays |= {"covariate_0_times_s": np.arange(6.0), "covariate_0_values": np.arange(6.0) / 2}
    arrays |= {"covariate_0_is_angle": np.array(True), "angle_rad": np.arange(float(N_NEURONS))}
    further = ("network", "neuron_ids", "epoch_names", "epoch_start", "epoch_stop")
    odd = odd_values(rng)
    for name in rng.choice([*arrays, *further], size=rng.integers(1, 4), replace=False):
        if rng.random() < 0.2:
            arrays.pop(str(name), None)
        else:
            arrays[str(name)] = next(odd)
    path = place / "odd.npz"
    np.savez(path, **arrays)
    if rng.random() < 0.1:
        _add_member_that_claims_too_much(path)
    return Inference(recording=path, folder=place / "result", minutes=None)


def _add_member_that_claims_too_much(path: Path) -> None:
    header = io.BytesIO()
    claims = {"descr": "<f8", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(header, claims)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.npy", header.getvalue())


def misleading_nwb(originals: Originals, place: Path, rng: np.random.Generator) -> Inference:
    """A readable HDF5 file in which one to three things are not what NWB says."""
    place.mkdir()
    path = place / "odd.nwb"
    shutil.copy(originals.nwb, path)
    odd = odd_values(rng)
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        own = [name for name in names if not name.startswith("specifications")]
        for name in rng.choice(own, size=rng.integers(1, 4), replace=False):
            if name in file:
                _spoil(file, str(name), odd, rng)
    return Inference(recording=path, folder=place / "result")


def _spoil(file: Any, name: str, odd: Iterator[np.ndarray], rng: np.random.Generator) -> None:
    thing = file[name]
    if rng.random() < 0.3 and thing.attrs:
        del thing.attrs[rng.choice(list(thing.attrs))]
    elif rng.random() < 0.2 or isinstance(thing, h5py.Group):
        del file[name]
    elif thing.dtype.kind in "iuf" and thing.size and rng.random() < 0.6:
        values = np.asarray(thing[()], dtype=float).ravel()
        values[rng.integers(0, len(values), 1 + len(values) // 10)] = rng.choice(NUMBERS)
        with np.errstate(invalid="ignore"):
            thing[...] = values.reshape(thing.shape).astype(thing.dtype)
    else:
        value = next(odd)
        attributes = dict(thing.attrs)
        del file[name]
        file[name] = str(value) if value.dtype.kind in "UM" else value
        file[name].attrs.update(attributes)


# ---- the table -----------------------------------------------------------------------------------

TRIALS: Mapping[str, Callable[[int, Path], tables.Row]] = {
    "killed inferences": killed_inferences,
    "killed sweeps": killed_sweeps,
    "soak": soak,
    "fuzz": fuzz,
}


def measure(trial: str, n: int) -> tables.Row:
    """One trial, in a folder that goes when it is over."""
    with tempfile.TemporaryDirectory() as place:
        start = time.perf_counter()
        row = TRIALS[trial](n, Path(place))
        return {**row, "seconds": round(time.perf_counter() - start, 1), "seed": SEED}


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
        ],
        measure,
        ("numpy", "torch", "numba", "distributed", "pynwb"),
    )
