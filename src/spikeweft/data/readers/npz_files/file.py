"""Recordings in NumPy's `.npz`."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Int

from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch, SampledSeries
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.npz_files.arrays import (
    angles,
    check_one_each,
    numbers,
    read_arrays,
    shown,
    texts,
    whole_number,
)
from spikeweft.data.readers.npz_files.truth import read_truth
from spikeweft.data.readers.unit_labels import check_sorted
from spikeweft.errors import InputError

_EPOCHS = "epochs"

_TIME_RESOLUTIONS_S = (1e-7, 1.0)


def npz_contents(path: Path) -> FileContents:
    """A recording, a saved simulation or a saved pynapple `TsGroup`.

    Raises
    ------
    InputError
        Where arrays are missing, of another kind, or do not fit each other.
    """
    arrays = read_arrays(path)
    warnings: tuple[str, ...] = ()
    if {"t", "index", "start", "end"} <= arrays.keys():
        with unreadable(path):
            arrays, warnings = _from_saved_tsgroup(arrays)
    missing = [key for key in ("spike_times", "spike_units") if key not in arrays]
    if missing:
        raise InputError(
            f"{path} holds {listed(arrays)} but not {listed(missing)}; give spike_times in seconds "
            "and spike_units as whole numbers"
        )
    times = numbers(arrays, "spike_times", path).ravel()
    labels = _labels(arrays, len(times), path)
    truth = read_truth(arrays, path) if "weights" in arrays else None
    angle = angles(arrays, path)
    units, unit_ids = _units(labels, arrays, path)
    check_one_each(angle, len(unit_ids), path)
    if truth is not None and truth.n_neurons != len(unit_ids):
        raise InputError(
            f"the truth in {path} has {truth.n_neurons} neurons but the recording has "
            f"{len(unit_ids)}; give the weights of the neurons recorded, or n_units"
        )
    epochs = _npz_epochs(arrays, times, path)
    return FileContents(
        path=path,
        spike_times_s=times,
        spike_units=units,
        unit_ids=unit_ids,
        epochs={} if epochs is None else {_EPOCHS: epochs},
        usual_epochs=None if epochs is None else _EPOCHS,
        series=_npz_series(arrays, path),
        preferred_angle_rad=angle,
        truth=truth,
        time_resolution_s=_time_resolution(arrays, path),
        warnings=warnings,
    )


def _labels(arrays: Mapping[str, np.ndarray], n_spikes: int, path: Path) -> Int[np.ndarray, " n"]:
    """What stands for the unit of each spike."""
    labels = numbers(arrays, "spike_units", path).ravel()
    if len(labels) != n_spikes:
        raise InputError(
            f"{path} has {n_spikes} spike times but {len(labels)} spike units; give one unit per "
            "spike"
        )
    if len(labels) == 0:
        raise InputError(f"{path} holds no spikes; choose a recording with spikes")
    whole = (labels == np.rint(labels)) & (np.abs(labels.astype(float)) < 2**63)
    if not whole.all():
        raise InputError(
            f"the spike_units in {path} hold {labels[~whole][0]}; give whole numbers, the label of "
            "each spike's unit"
        )
    check_sorted(labels, path)
    return labels.astype(np.int64)


def _units(
    labels: Int[np.ndarray, " spike"], arrays: Mapping[str, np.ndarray], path: Path
) -> tuple[Int[np.ndarray, " spike"], tuple[str, ...]]:
    """Unit of each spike, and names: by number where the file counts them, else by label."""
    names = tuple(texts(arrays, "neuron_ids"))
    found, of_spike = np.unique(labels, return_inverse=True)
    n_units = whole_number(arrays, "n_units", path)
    if n_units is None and len(names) in (0, len(found)):
        return of_spike, names or tuple(str(label) for label in found)
    n_units = len(names) if n_units is None else n_units
    if found[-1] >= n_units:
        raise InputError(
            f"the spike_units in {path} run up to {found[-1]}, but there are {n_units} units; "
            f"number them from 0 to {n_units - 1}"
        )
    if names and len(names) != n_units:
        raise InputError(
            f"{path} has {len(names)} neuron_ids for {n_units} units; give one for each"
        )
    return labels, names or tuple(str(unit) for unit in range(n_units))


def _from_saved_tsgroup(
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """The arrays that `TsGroup.save` wrote, under our names, and what stays closed.

    pynapple pickles what is known of each neuron, and pickles are not opened.
    """
    keys = np.unique(arrays.get("keys", arrays["index"]))
    renamed = {
        "spike_times": arrays["t"],
        "spike_units": np.searchsorted(keys, arrays["index"]),
        "n_units": np.array(len(keys)),
        "epoch_start": arrays["start"],
        "epoch_stop": arrays["end"],
        "neuron_ids": keys.astype(np.str_),
    }
    return renamed, (
        "what a saved TsGroup says of its neurons beside their keys is pickled and was not read; "
        "load it with pynapple and give the TsGroup itself where names or directions matter",
    )


def _time_resolution(arrays: Mapping[str, np.ndarray], path: Path) -> float:
    """The stated time resolution; 0 where it must be found from the spike times."""
    key = next((name for name in ("time_resolution_s", "tick_s") if name in arrays), None)
    if key is None:
        return 0.0
    resolution = numbers(arrays, key, path)
    finest, coarsest = _TIME_RESOLUTIONS_S
    if resolution.size != 1 or not finest <= resolution.item() <= coarsest:
        raise InputError(
            f"the {key} in {path} is {shown(resolution)}, not one number from {finest:g} to "
            f"{coarsest:g} s; leave it out"
        )
    return float(resolution.item())


def _npz_epochs(
    arrays: Mapping[str, np.ndarray], times_s: np.ndarray, path: Path
) -> list[LabelledEpoch] | None:
    """Epochs that an `.npz` states; None where it states none."""
    start, stop = (f"epoch_{end}" if f"epoch_{end}" in arrays else end for end in ("start", "stop"))
    names = texts(arrays, "epoch_names")
    if start not in arrays and stop not in arrays:
        return None
    first = numbers(arrays, start, path).ravel() if start in arrays else np.array([np.min(times_s)])
    last = numbers(arrays, stop, path).ravel() if stop in arrays else np.array([np.max(times_s)])
    if len(first) != len(last) or (len(names) and len(names) != len(first)):
        raise InputError(
            f"{path} has {len(first)} epoch starts, {len(last)} stops and {len(names)} names; "
            "give one of each per epoch"
        )
    labels = [frozenset({name}) for name in names] or [frozenset[str]()] * len(first)
    return [LabelledEpoch(*row) for row in zip(first, last, labels, strict=True)]


def _npz_series(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, SampledSeries]:
    return {
        str(name): _listed_series(str(name), f"covariate_{number}", arrays, path)
        for number, name in enumerate(np.ravel(arrays.get("covariates", ())))
    }


def _listed_series(
    name: str, key: str, arrays: Mapping[str, np.ndarray], path: Path
) -> SampledSeries:
    wanted = [f"{key}_times_s", f"{key}_values"]
    if not set(wanted) <= arrays.keys():
        raise InputError(f"{path} lists a covariate {name!r} but lacks {listed(wanted)}; add them")
    times, values = (numbers(arrays, part, path).ravel() for part in wanted)
    if len(times) != len(values) or len(times) == 0 or not np.all(np.isfinite(times)):
        raise InputError(
            f"the covariate {name!r} in {path} has {len(times)} times and {len(values)} values; "
            "give a finite time for each value"
        )
    is_angle = arrays.get(f"{key}_is_angle", np.array(False))
    if is_angle.dtype.kind not in "biu":
        raise InputError(f"'{key}_is_angle' in {path} is {shown(is_angle)}; give true or false")
    return SampledSeries(
        unit="",
        n_samples=len(times),
        span_s=(float(times.min()), float(times.max())),
        read=lambda: (times, values),
        is_angle=bool(np.all(is_angle)),
    )
