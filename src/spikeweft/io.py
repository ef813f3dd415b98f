"""Files and other libraries' objects to recordings and back: NWB, pynapple, Neo, NumPy's `.npz`.

A recording in an `.npz` holds `spike_times` (seconds) and `spike_units` (whole numbers from 0), and
may hold

- `n_units`, where the last units are silent;
- `start` and `stop` in seconds, or `epoch_start` and `epoch_stop` where there are gaps, with
  `epoch_names`;
- `neuron_ids`, `angle_rad` (preferred direction of each neuron) and `tick_s`;
- `covariates`, a list of names, with `covariate_0_times_s`, `covariate_0_values` and
  `covariate_0_is_angle` for the first of them, and so on;
- `weights[post, pre]`, the true circuit, and `network`, the settings of the network that was
  simulated, in JSON.
"""

import itertools
import json
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError, needs_extra
from spikeweft.hdf5 import check_survivable
from spikeweft.recording import Covariate, Recording

if TYPE_CHECKING:
    import neo
    import pynapple
    import pynwb

_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_ZIP_MAGIC = b"PK"
_ANGLE_WORDS = ("angle", "direction", "heading", "azimuth", "orientation", "phase")
_RADIANS = ("rad", "radian", "radians")
_SHOWN = 12
_LONGEST_SHOWN = 60
_MOST_UNITS = 100_000
_TICKS_S = (1e-7, 1.0)


class LoadedRecording(NamedTuple):
    """What a file holds: the spikes, the true circuit where it is known, and what was left out."""

    recording: Recording
    truth: Connectivity | None
    warnings: tuple[str, ...]


class _Epoch(NamedTuple):
    start_s: float
    stop_s: float
    labels: frozenset[str]


class _NWBContent(NamedTuple):
    """What is used of an NWB file, read in full so that the file can be closed."""

    trains: list[np.ndarray]
    unit_ids: tuple[str, ...]
    observed_s: list[np.ndarray]
    tables: dict[str, list[_Epoch]]
    epoch_table: str | None
    covariates: dict[str, Covariate]


def load(path: str | Path, *, epochs: str | None = None) -> LoadedRecording:
    """Read a recording from an NWB file, a saved pynapple `TsGroup`, or arrays in an `.npz`.

    Parameters
    ----------
    path
        The file; its content, not its name, decides how it is read.
    epochs
        Name of the epochs to keep, such as "wake": a tag, another label in a table of intervals,
        or a table's name. Without it, all epochs of the file are kept: its table of epochs, else
        the intervals in which its units were observed, else the span of its spikes.

    Raises
    ------
    InputError
        Where the file is missing, is of another kind, holds no usable spikes, or knows no such
        epochs.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path to the recording")
    with _unreadable(path), path.open("rb") as file:
        start = file.read(8)
    if start.startswith(_ZIP_MAGIC):
        return _load_npz(path, epochs)
    if start == _HDF5_MAGIC:
        return _load_nwb(path, epochs)
    kind = "an .npz" if path.suffix == ".npz" else "an NWB"
    raise InputError(f"{path} is not {kind} file; give a recording in NWB or in an .npz")


def load_truth(path: str | Path) -> Connectivity:
    """The true circuit in the `weights[post, pre]` of an `.npz`, with or without spikes.

    Raises
    ------
    InputError
        Where the file is missing or holds no weights.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; check the path to the true circuit")
    arrays = _read_arrays(path)
    if "weights" not in arrays:
        raise InputError(
            f"{path} holds {_list(arrays)} but no 'weights'; give the true circuit as "
            "weights[post, pre]"
        )
    return _truth(arrays, path)


def save_simulation(
    path: str | Path, recording: Recording, truth: Connectivity, *, force: bool = False
) -> None:
    """Write spikes and true circuit into one `.npz` that `load` reads, whole or not at all.

    Raises
    ------
    InputError
        Where the file exists and `force` is not set, or cannot be written.
    """
    path = check_new_npz(path, force=force)
    unfinished = path.with_name(path.name + ".partial")
    arrays = {
        **_recording_arrays(recording),
        "weights": truth.weights,
        "network": np.array(json.dumps(dict(truth.metadata))),
    }
    try:
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        os.replace(unfinished, path)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(f"{path} cannot be written ({error.strerror}); choose another") from error


def check_new_npz(path: str | Path, *, force: bool = False) -> Path:
    """The path, where a new `.npz` may be written there.

    Raises
    ------
    InputError
        Where it has another ending, exists and `force` is not set, or lies in no folder.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"the recording is written as .npz, but {path} ends otherwise; rename it")
    if path.is_dir() or (path.exists() and not force):
        raise InputError(f"{path} exists already; choose another name or use --force")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into; create it")
    return path


def from_pynapple(
    spikes: "pynapple.TsGroup",
    epochs: "pynapple.IntervalSet | None" = None,
    covariates: "Mapping[str, pynapple.Tsd] | None" = None,
) -> Recording:
    """Recording from a pynapple `TsGroup`, its epochs (else its time support) and covariates.

    Neurons are named by the metadata column `neuron_id` where there is one, else by their index,
    and a column `angle_rad` is their preferred direction. A covariate is an angle where its name
    says so and its values are radians.

    Raises
    ------
    InputError
        Where there are no spikes, or none inside the epochs.
    """
    support = spikes.time_support if epochs is None else epochs
    sampled = {
        name: _covariate(name, "", tsd.index.values, tsd.values)
        for name, tsd in (covariates or {}).items()
    }
    known = spikes.metadata_columns
    return _from_trains(
        [np.asarray(spikes[key].index.values, dtype=float) for key in spikes.index],
        tuple(
            str(name) for name in (spikes["neuron_id"] if "neuron_id" in known else spikes.index)
        ),
        np.column_stack([support.start, support.end]),
        sampled,
        np.asarray(spikes["angle_rad"], dtype=float) if "angle_rad" in known else None,
    )


def to_pynapple(recording: Recording) -> "tuple[pynapple.TsGroup, dict[str, pynapple.Tsd]]":
    """The recording's spikes, with its epochs as their time support, and its covariates."""
    import pynapple as nap

    support = nap.IntervalSet(recording.epochs_s[:, 0], recording.epochs_s[:, 1])
    metadata: dict[str, Any] = {"neuron_id": np.array(recording.neuron_ids)}
    if recording.preferred_angle_rad is not None:
        metadata["angle_rad"] = recording.preferred_angle_rad
    trains = {
        neuron: nap.Ts(
            recording.spike_times_s[recording.spike_neurons == neuron], time_support=support
        )
        for neuron in range(recording.n_neurons)
    }
    spikes = nap.TsGroup(trains, time_support=support, metadata=metadata)
    return spikes, {
        name: nap.Tsd(covariate.times_s, covariate.values)
        for name, covariate in recording.covariates.items()
    }


def _from_trains(
    trains: list[np.ndarray],
    neuron_ids: tuple[str, ...],
    spans_s: Float[np.ndarray, "epoch 2"],
    covariates: Mapping[str, Covariate],
    preferred_angle_rad: Float[np.ndarray, " neuron"] | None = None,
) -> Recording:
    times = np.concatenate([*trains, np.zeros(0)])
    return Recording.from_arrays(
        times,
        np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        n_neurons=len(trains),
        epochs_s=_closed(_union(spans_s), times),
        neuron_ids=neuron_ids,
        covariates=covariates,
        preferred_angle_rad=preferred_angle_rad,
    )


def _left_out(n_spikes: int, recording: Recording) -> tuple[str, ...]:
    """The warning about spikes outside the epochs, where there are any."""
    n_left_out = n_spikes - len(recording.spike_times_s)
    if n_left_out == 0:
        return ()
    return (f"{n_left_out} of {n_spikes} spikes lie outside the epochs and are left out",)


def _covariate(name: str, unit: str, times_s: np.ndarray, values: np.ndarray) -> Covariate:
    """A covariate without its missing samples; an angle where name or unit and values say so."""
    values = np.asarray(values, dtype=float)
    present = np.isfinite(values)
    times_s, values = np.asarray(times_s, dtype=float)[present], values[present]
    called_angle = unit.lower() in _RADIANS or any(word in name.lower() for word in _ANGLE_WORDS)
    in_radians = len(values) > 0 and -np.pi <= values.min() and values.max() <= 2 * np.pi + 1e-6
    return Covariate(times_s=times_s, values=values, is_angle=bool(called_angle and in_radians))


def _union(spans_s: Float[np.ndarray, "span 2"]) -> Float[np.ndarray, "epoch 2"]:
    """Disjoint epochs that cover the same time; spans that touch become one."""
    epochs: list[list[float]] = []
    for start, stop in sorted(spans_s.tolist()):
        if epochs and start <= epochs[-1][1]:
            epochs[-1][1] = max(epochs[-1][1], stop)
        else:
            epochs.append([start, stop])
    return np.array(epochs, dtype=float).reshape(-1, 2)


def _closed(
    epochs_s: Float[np.ndarray, "epoch 2"], times_s: Float[np.ndarray, " spike"]
) -> Float[np.ndarray, "epoch 2"]:
    """Epochs whose stop includes a spike at exactly that time.

    Files and pynapple mean intervals with both ends; in a `Recording` the stop is excluded.
    """
    stop = epochs_s[:, 1]
    return np.column_stack(
        [epochs_s[:, 0], np.where(np.isin(stop, times_s), np.nextafter(stop, np.inf), stop)]
    )


def _choose(tables: Mapping[str, list[_Epoch]], label: str, path: Path) -> list[_Epoch]:
    """The epochs with this label, or all of the table with this name."""
    chosen = [
        epoch
        for name, epochs in tables.items()
        for epoch in epochs
        if label == name or label in epoch.labels
    ]
    if chosen:
        return chosen
    known = sorted(
        {*tables, *(label for rows in tables.values() for row in rows for label in row.labels)}
        - {""}
    )
    if not known:
        raise InputError(f"{path} names no epochs, so '{label}' cannot be chosen; leave it out")
    raise InputError(f"{path} has no epochs '{label}'; choose from {_list(known)}")


def _spans(epochs: Iterable[_Epoch]) -> Float[np.ndarray, "epoch 2"]:
    return np.array([[epoch.start_s, epoch.stop_s] for epoch in epochs], dtype=float).reshape(-1, 2)


def _shown(array: np.ndarray) -> str:
    """The array on one line, as far as it fits into a sentence."""
    words = " ".join(str(array).split())
    return words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]}…"


def _list(names: Iterable[str]) -> str:
    quoted = [repr(str(name)) for name in names]
    shown = ", ".join(quoted[:_SHOWN]) or "nothing"
    return shown + (f" and {len(quoted) - _SHOWN} more" if len(quoted) > _SHOWN else "")


# ---- .npz -----------------------------------------------------------------------------------


def _load_npz(path: Path, label: str | None) -> LoadedRecording:
    arrays = _read_arrays(path)
    if {"t", "index", "start", "end"} <= arrays.keys():
        with _unreadable(path):
            arrays = _from_saved_tsgroup(arrays)
    missing = [key for key in ("spike_times", "spike_units") if key not in arrays]
    if missing:
        raise InputError(
            f"{path} holds {_list(arrays)} but not {_list(missing)}; give spike_times in seconds "
            "and spike_units as whole numbers"
        )
    times, units = _numbers(arrays, "spike_times", path), _numbers(arrays, "spike_units", path)
    if times.size == 0:
        raise InputError(f"{path} holds no spikes; choose a recording with spikes")
    if units.size and not units.max() < _MOST_UNITS:
        raise InputError(
            f"the spike_units in {path} run up to {units.max()}; number the units from 0 on"
        )
    recording = Recording.from_arrays(
        times,
        units,
        n_neurons=_whole(arrays, "n_units", path),
        epochs_s=_npz_epochs(arrays, times, label, path),
        tick_s=_tick(arrays, path),
        neuron_ids=tuple(_texts(arrays, "neuron_ids")),
        covariates=_npz_covariates(arrays, path),
        preferred_angle_rad=_angles(arrays, path),
    )
    _check_one_each(recording.preferred_angle_rad, recording.n_neurons, path)
    truth = _truth(arrays, path) if "weights" in arrays else None
    if truth is not None and truth.n_neurons != recording.n_neurons:
        raise InputError(
            f"the truth in {path} has {truth.n_neurons} neurons but the recording has "
            f"{recording.n_neurons}; give the weights of the neurons recorded, or n_units"
        )
    return LoadedRecording(recording, truth, _left_out(len(times), recording))


@contextmanager
def _unreadable(path: Path) -> Iterator[None]:
    """Turn whatever a library says about a damaged file into one sentence."""
    try:
        # pynwb and pynapple warn about many harmless things in files that are not ours.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError:
        raise
    except Exception as error:  # the libraries raise nearly every type there is
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(f"{path} cannot be read ({reason}); check that it is whole") from error


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` but those that are pickled Python objects, which are never opened."""
    with (
        _unreadable(path),
        path.open("rb") as opened,  # NumPy leaves a file open that it fails to read
        np.load(opened, allow_pickle=False) as file,
    ):
        arrays = {}
        for key in file.files:
            try:
                arrays[key] = file[key]
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
    return {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}


def _from_saved_tsgroup(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The arrays that `TsGroup.save` wrote, under our names; its pickled metadata stay closed."""
    keys = np.unique(arrays.get("keys", arrays["index"]))
    return {
        "spike_times": arrays["t"],
        "spike_units": np.searchsorted(keys, arrays["index"]),
        "n_units": np.array(len(keys)),
        "epoch_start": arrays["start"],
        "epoch_stop": arrays["end"],
        "neuron_ids": keys.astype(np.str_),
    }


def _numbers(arrays: Mapping[str, np.ndarray], key: str, path: Path) -> np.ndarray:
    array = arrays[key]
    if array.dtype.kind not in "iuf":
        raise InputError(f"'{key}' in {path} holds no numbers but {array.dtype}; store numbers")
    return array if key == "spike_units" else array.astype(float)


def _texts(arrays: Mapping[str, np.ndarray], key: str) -> list[str]:
    """Names, as text also where they are bytes; none where there is no such array."""
    names = np.ravel(arrays.get(key, ()))
    return [
        name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in names
    ]


def _whole(arrays: Mapping[str, np.ndarray], key: str, path: Path) -> int | None:
    if key not in arrays:
        return None
    number = _numbers(arrays, key, path)
    if number.size != 1 or not float(number.item()).is_integer():
        raise InputError(f"'{key}' in {path} is {_shown(number)}, not one whole number; correct it")
    if number.item() > _MOST_UNITS:
        raise InputError(f"'{key}' in {path} is {number.item():g}, which is too many; correct it")
    return int(number.item())


def _tick(arrays: Mapping[str, np.ndarray], path: Path) -> float:
    """The stated grid of the spike times; 0 where it is to be found from them."""
    if "tick_s" not in arrays:
        return 0.0
    tick = _numbers(arrays, "tick_s", path)
    shortest, longest = _TICKS_S
    if tick.size != 1 or not shortest <= tick.item() <= longest:
        raise InputError(
            f"the tick_s in {path} is {_shown(tick)}, not one number from {shortest:g} to "
            f"{longest:g} s; leave it out"
        )
    return float(tick.item())


def _angles(arrays: Mapping[str, np.ndarray], path: Path) -> Float[np.ndarray, " neuron"] | None:
    """Preferred directions; NaN where a neuron has none."""
    if "angle_rad" not in arrays:
        return None
    angle = _numbers(arrays, "angle_rad", path).ravel()
    if np.any(np.isinf(angle)):
        raise InputError(f"the angle_rad in {path} is infinite for some; give radians, or NaN")
    return angle


def _check_one_each(
    angle_rad: Float[np.ndarray, " neuron"] | None, n_neurons: int, path: Path
) -> None:
    if angle_rad is not None and len(angle_rad) != n_neurons:
        raise InputError(
            f"{path} has {len(angle_rad)} preferred directions for {n_neurons} neurons; give one "
            "for each"
        )


def _npz_epochs(
    arrays: Mapping[str, np.ndarray], times_s: np.ndarray, label: str | None, path: Path
) -> np.ndarray | None:
    """Epochs that an `.npz` states; None where it states none."""
    start, stop = ("epoch_start", "epoch_stop") if "epoch_start" in arrays else ("start", "stop")
    names = _texts(arrays, "epoch_names")
    if start not in arrays and stop not in arrays:
        if label is not None:
            raise InputError(f"{path} names no epochs, so '{label}' cannot be chosen; leave it out")
        return None
    first = (
        _numbers(arrays, start, path).ravel() if start in arrays else np.array([np.min(times_s)])
    )
    last = _numbers(arrays, stop, path).ravel() if stop in arrays else np.array([np.max(times_s)])
    if len(first) != len(last) or (len(names) and len(names) != len(first)):
        raise InputError(
            f"{path} has {len(first)} epoch starts, {len(last)} stops and {len(names)} names; "
            "give one of each per epoch"
        )
    labels = [frozenset({name}) for name in names] or [frozenset[str]()] * len(first)
    rows = [_Epoch(*row) for row in zip(first, last, labels, strict=True)]
    chosen = rows if label is None else _choose({"": rows}, label, path)
    return _closed(_union(_spans(chosen)), times_s)


def _npz_covariates(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, Covariate]:
    covariates = {}
    for number, name in enumerate(np.ravel(arrays.get("covariates", ()))):
        key = f"covariate_{number}"
        wanted = [f"{key}_times_s", f"{key}_values"]
        if not set(wanted) <= arrays.keys():
            raise InputError(
                f"{path} lists a covariate {str(name)!r} but lacks {_list(wanted)}; add them"
            )
        times, values = (_numbers(arrays, part, path).ravel() for part in wanted)
        known = np.isfinite(values) if len(values) == len(times) else slice(None)
        if np.any(np.diff(times[known]) < 0):
            raise InputError(
                f"the times of the covariate {str(name)!r} in {path} descend; sort them"
            )
        is_angle = arrays.get(f"{key}_is_angle", np.array(False))
        if is_angle.dtype.kind not in "biu":
            raise InputError(
                f"'{key}_is_angle' in {path} is {_shown(is_angle)}; give true or false"
            )
        covariates[str(name)] = Covariate(
            times_s=times[known], values=values[known], is_angle=bool(np.all(is_angle))
        )
    return covariates


def _truth(arrays: Mapping[str, np.ndarray], path: Path) -> Connectivity:
    weights = _numbers(arrays, "weights", path)
    angle = _angles(arrays, path)
    _check_one_each(angle, len(np.atleast_1d(weights)), path)
    return Connectivity(
        weights=weights,
        neuron_ids=tuple(_texts(arrays, "neuron_ids")),
        angle_rad=angle,
        metadata=_network(arrays, path),
    )


def _network(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, str | int | float]:
    """The settings of the network that was simulated; none where they are not there."""
    if "network" not in arrays:
        return {}
    try:
        settings = json.loads(str(arrays["network"]))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'network' in {path} is not JSON ({error}); leave it out") from error
    if not isinstance(settings, dict) or not all(
        isinstance(value, str | int | float) for value in settings.values()
    ):
        raise InputError(f"'network' in {path} holds no plain settings; leave it out")
    return settings


def _recording_arrays(recording: Recording) -> dict[str, np.ndarray]:
    arrays = {
        "spike_times": recording.spike_times_s,
        "spike_units": recording.spike_neurons,
        "n_units": np.array(recording.n_neurons),
        "epoch_start": recording.epochs_s[:, 0],
        "epoch_stop": recording.epochs_s[:, 1],
        "tick_s": np.array(recording.tick_s),
        "neuron_ids": np.array(recording.neuron_ids),
        "covariates": np.array(list(recording.covariates), dtype=np.str_),
    }
    if recording.preferred_angle_rad is not None:
        arrays["angle_rad"] = recording.preferred_angle_rad
    for number, covariate in enumerate(recording.covariates.values()):
        arrays[f"covariate_{number}_times_s"] = covariate.times_s
        arrays[f"covariate_{number}_values"] = covariate.values
        arrays[f"covariate_{number}_is_angle"] = np.array(covariate.is_angle)
    return arrays


# ---- NWB ------------------------------------------------------------------------------------


def _load_nwb(path: Path, label: str | None) -> LoadedRecording:
    content = _read_nwb(path)
    chosen = content.epoch_table if label is None else label
    if chosen is not None:
        spans = _spans(_choose(content.tables, chosen, path))
    elif content.observed_s:
        spans = content.observed_s[0]
    else:
        spikes = np.concatenate(content.trains)
        spans = np.array([[spikes.min(), spikes.max()]])
    recording = _from_trains(content.trains, content.unit_ids, spans, content.covariates)
    for observed_s in content.observed_s:
        recording = recording.restrict(_closed(_union(observed_s), recording.spike_times_s))
    n_spikes = sum(len(train) for train in content.trains)
    return LoadedRecording(recording, None, _left_out(n_spikes, recording))


def _read_nwb(path: Path) -> _NWBContent:
    check_survivable(path)
    with _unreadable(path):
        import pynapple as nap
        import pynwb

        # Opened here, because pynapple leaves a file open that it fails to read.
        with pynwb.NWBHDF5IO(path=path, mode="r") as opened:
            nwb: Any = opened.read()
            file = nap.NWBFile(nwb)
            kinds = {key: file.data[key]["type"] for key in file.keys()}  # noqa: SIM118
            objects = {key: nwb.objects[file.key_to_id[key]] for key in kinds}
            units = objects[_units_key(nwb, objects, kinds, path)]
            return _NWBContent(
                trains=_trains(units, path),
                unit_ids=tuple(str(name) for name in units.id[:]),
                observed_s=_observed(units),
                tables={
                    key: _labelled(objects[key])
                    for key, kind in kinds.items()
                    if kind == "IntervalSet"
                },
                epoch_table=_key_of(nwb.epochs, objects),
                covariates={
                    key: _nwb_covariate(key, file[key], objects[key])
                    for key, kind in kinds.items()
                    if kind == "Tsd" and _is_covariate(objects[key])
                },
            )


def _units_key(
    nwb: "pynwb.NWBFile", objects: Mapping[str, Any], kinds: Mapping[str, str], path: Path
) -> str:
    """The file's own table of units, else its only group of spike trains."""
    groups = [key for key, kind in kinds.items() if kind == "TsGroup"]
    own = _key_of(nwb.units, objects)
    if own in groups:
        return own
    if len(groups) == 1:
        return groups[0]
    if groups:
        raise InputError(
            f"{path} has several tables of spike trains, {_list(groups)}, and none is its units; "
            "give the one wanted as arrays in an .npz"
        )
    raise InputError(
        f"{path} has no units, so there are no spikes to read; choose a file with sorted units"
    )


def _key_of(wanted: Any, objects: Mapping[str, Any]) -> str | None:
    return next((key for key, value in objects.items() if value is wanted), None)


def _trains(units: Any, path: Path) -> list[np.ndarray]:
    """Spike times of each unit; taken from the table, since pynapple drops what it cannot use."""
    trains = [np.asarray(units["spike_times"][unit], dtype=float) for unit in range(len(units))]
    times = np.concatenate([*trains, np.zeros(0)])
    if len(times) == 0:
        raise InputError(f"the units of {path} hold no spikes; choose a recording with spikes")
    n_bad = int(np.sum(~np.isfinite(times)))
    if n_bad:
        raise InputError(f"{n_bad} spike times in {path} are not finite; remove them from the file")
    return trains


def _observed(units: Any) -> list[np.ndarray]:
    """The different lists of intervals in which units were observed."""
    if "obs_intervals" not in units.colnames:
        return []
    lists = [
        np.asarray(units["obs_intervals"][unit], dtype=float).reshape(-1, 2)
        for unit in range(len(units))
    ]
    return list({intervals.tobytes(): intervals for intervals in lists if len(intervals)}.values())


def _labelled(table: Any) -> list[_Epoch]:
    """Rows of a table of intervals; every string in a row is a label of it."""
    start, stop = table["start_time"][:], table["stop_time"][:]
    columns = [
        table[name]
        for name in table.colnames
        if name not in ("start_time", "stop_time", "timeseries")
    ]
    return [
        _Epoch(
            float(start[row]),
            float(stop[row]),
            frozenset(label for column in columns for label in _strings(column[row])),
        )
        for row in range(len(start))
    ]


def _strings(cell: Any) -> list[str]:
    return [str(part) for part in np.ravel(np.asarray(cell, dtype=object)) if isinstance(part, str)]


def _is_covariate(series: Any) -> bool:
    """Whether a series is a variable of its own, and not a voltage trace or text."""
    kind = np.dtype(getattr(series.data, "dtype", type(None))).kind
    return kind in "iuf" and len(series.data) > 0 and series.neurodata_type != "ElectricalSeries"


def _nwb_covariate(name: str, tsd: Any, series: Any) -> Covariate:
    values = np.asarray(tsd.values, dtype=float) * series.conversion + series.offset
    return _covariate(name, series.unit or "", tsd.index.values, values)


# ---- Neo ------------------------------------------------------------------------------------

_NEURON_NAMES = ("neuron_id", "unit_id", "cluster_id", "channel_id")


def from_neo(spikes: "neo.Block | neo.Segment | Sequence[neo.SpikeTrain]") -> Recording:
    """Recording from a Neo block, a segment, or a list of spike trains, one per neuron.

    Times of any unit become seconds. A segment is an epoch: the time in which all its neurons were
    observed, from the latest `t_start` of its trains to the earliest `t_stop`; spikes outside it
    are left out. Segments of a block are of the same neurons, and lie apart in time.

    Neurons are named by the first annotation that tells all of them apart, of `neuron_id`,
    `unit_id`, `cluster_id` and `channel_id`, else by the trains' `name`, else by their index. An
    annotation `angle_rad` of every train is its preferred direction, of any unit, radians where it
    has none. An array annotation, which has one value per spike, counts as one of the neuron where
    all its spikes agree.

    Raises
    ------
    InputError
        Where Neo is not installed, the object is another or holds no spikes, the neurons of a
        segment were never observed together, or segments overlap or are of other neurons.
    """
    segments = _neo_segments(spikes)
    names = [_neo_names(trains) for trains in segments]
    for number, others in enumerate(names):
        if sorted(others) != sorted(names[0]):
            raise InputError(
                f"segment {number} has the neurons {_list(others)}, but the first one has "
                f"{_list(names[0])}; give segments of the same neurons"
            )
    spans_s = _neo_spans(segments)
    by_name = [dict(zip(*pair, strict=True)) for pair in zip(names, segments, strict=True)]
    return _from_trains(
        [np.concatenate([_seconds(trains[name].times) for trains in by_name]) for name in names[0]],
        tuple(names[0]),
        spans_s,
        {},
        _neo_angles(segments[0]),
    )


def _neo_segments(spikes: Any) -> "list[list[neo.SpikeTrain]]":
    """The trains of each segment; a list of trains is one segment."""
    with needs_extra("neo"):
        import neo
    if isinstance(spikes, neo.Block):
        segments = [list(segment.spiketrains) for segment in spikes.segments]
    elif isinstance(spikes, neo.Segment):
        segments = [list(spikes.spiketrains)]
    else:
        segments = [list(spikes) if isinstance(spikes, Iterable) else [spikes]]
    for item in (item for trains in segments for item in trains):
        if not isinstance(item, neo.SpikeTrain):
            raise InputError(
                f"a {type(item).__name__} is no spike train; give a neo.Block, a neo.Segment or a "
                "list of neo.SpikeTrain, loaded"
            )
    if not segments or not all(segments):
        raise InputError("there are no spike trains in it; give one per neuron in every segment")
    return segments


def _neo_names(trains: "list[neo.SpikeTrain]") -> list[str]:
    annotated = [[_annotation(train, key) for train in trains] for key in _NEURON_NAMES]
    for found in (*annotated, [train.name or None for train in trains]):
        names = [str(name) for name in found if name is not None]
        if len(set(names)) == len(trains):
            return names
    return [str(number) for number in range(len(trains))]


def _annotation(train: "neo.SpikeTrain", key: str) -> Any:
    """What a train, or all of its spikes alike, say of the neuron; None where they do not."""
    if key in train.annotations:
        return train.annotations[key]
    of_spikes = np.unique(np.asarray(train.array_annotations.get(key, ())))
    return of_spikes[0] if len(of_spikes) == 1 else None


def _neo_angles(trains: "list[neo.SpikeTrain]") -> Float[np.ndarray, " neuron"] | None:
    angles = [_annotation(train, "angle_rad") for train in trains]
    if any(angle is None for angle in angles):
        return None
    in_rad = [angle.rescale("rad") if hasattr(angle, "rescale") else angle for angle in angles]
    return np.array([float(angle) for angle in in_rad])


def _neo_spans(segments: "list[list[neo.SpikeTrain]]") -> Float[np.ndarray, "epoch 2"]:
    spans = np.array(
        [
            [
                max(float(_seconds(train.t_start)) for train in trains),
                min(float(_seconds(train.t_stop)) for train in trains),
            ]
            for trains in segments
        ]
    )
    for number in np.flatnonzero(spans[:, 1] <= spans[:, 0]):
        raise InputError(
            f"the neurons of segment {number} were never observed together: one starts at "
            f"{spans[number, 0]:g} s and another stops at {spans[number, 1]:g} s; leave one out"
        )
    order = np.argsort(spans[:, 0], kind="stable")
    for first, second in itertools.pairwise(order):
        if spans[second, 0] < spans[first, 1]:
            raise InputError(
                f"segments {first} and {second} overlap: they start at {spans[first, 0]:g} and "
                f"{spans[second, 0]:g} s; shift them apart with SpikeTrain.time_shift"
            )
    return spans


def _seconds(times: Any) -> np.ndarray:
    return np.asarray(times.rescale("s").magnitude, dtype=float)
