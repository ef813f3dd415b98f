"""Small recordings and checkpoints, and what may be wrong with them."""

import datetime
import io
import json
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import pynwb

from spikeweft.inference.run import infer
from spikeweft.inference.settings import Inference
from spikeweft.results.unfinished_folder import CHECKPOINT, partial_of

N_NEURONS = 4

CIRCUIT = "connectivity.nc"
"""The file of a result that holds its circuit."""


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
    """The same in NWB, with a column of units, epochs, trials with an event, and a covariate."""
    arrays = small_arrays(rng)
    nwb = pynwb.NWBFile(
        session_description="made by a benchmark",
        identifier="endurance",
        session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
    )
    nwb.add_unit_column("region", "where it was recorded")
    for unit in range(int(arrays["n_units"])):
        train = np.sort(arrays["spike_times"][arrays["spike_units"] == unit])
        region = "ADn" if unit > 1 else "PoS"
        nwb.add_unit(spike_times=train, obs_intervals=[[0.0, 6.0]], region=region)
    nwb.add_epoch(0.0, 3.0, ["first"])
    nwb.add_epoch(3.0, 6.0, ["second"])
    nwb.add_trial_column("cue_time", "when the cue came, in seconds")
    for start_s in np.arange(6.0):
        nwb.add_trial(start_time=start_s, stop_time=start_s + 0.9, cue_time=start_s + 0.3)
    times = np.arange(0.0, 6.0, 0.1)
    series = pynwb.TimeSeries(name="heading", data=times, timestamps=times, unit="radians")
    nwb.add_acquisition(series)
    with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
        warnings.simplefilter("ignore")
        file.write(nwb)
    return path


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
        answer = (asked.folder / CIRCUIT).read_bytes()
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
        array[start : start + rng.integers(1, max(2, 1 + len(array) // 4))] = rng.integers(0, 256)
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
                spoil(file, str(name), odd, rng)
    return Inference(recording=path, folder=place / "result")


def spoil(file: Any, name: str, odd: Iterator[np.ndarray], rng: np.random.Generator) -> None:
    """Take a thing out of an HDF5 file, or spoil its values, its attributes or its kind."""
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
