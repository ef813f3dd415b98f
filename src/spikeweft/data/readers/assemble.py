"""Spike trains, intervals and covariates of any format, put together into a recording."""

import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_ANGLE_WORDS = ("angle", "direction", "heading", "azimuth", "orientation", "phase")

_RADIANS = ("rad", "radian", "radians")

_SHOWN = 12


class LoadedRecording(NamedTuple):
    """The content of a file: the spikes, the true circuit where known, and warnings."""

    recording: Recording
    truth: Connectivity | None
    warnings: tuple[str, ...]


class LabelledEpoch(NamedTuple):
    """An interval of a file, with the labels by which it can be chosen."""

    start_s: float
    stop_s: float
    labels: frozenset[str]


def recording_from_trains(
    trains: list[np.ndarray],
    neuron_ids: tuple[str, ...],
    spans_s: Float[np.ndarray, "epoch 2"],
    covariates: Mapping[str, Covariate],
    preferred_angle_rad: Float[np.ndarray, " neuron"] | None = None,
) -> Recording:
    """A recording of spike trains, one per neuron, within intervals that may overlap."""
    times = np.concatenate([*trains, np.zeros(0)])
    return Recording.from_arrays(
        times,
        np.repeat(np.arange(len(trains)), [len(train) for train in trains]),
        n_neurons=len(trains),
        epochs_s=with_closed_ends(union_of(spans_s), times),
        neuron_ids=neuron_ids,
        covariates=covariates,
        preferred_angle_rad=preferred_angle_rad,
    )


def left_out_warning(n_spikes: int, recording: Recording) -> tuple[str, ...]:
    """The warning about spikes outside the epochs, where there are any."""
    n_left_out = n_spikes - len(recording.spike_times_s)
    if n_left_out == 0:
        return ()
    return (f"{n_left_out} of {n_spikes} spikes lie outside the epochs and are left out",)


def covariate_from_samples(
    name: str, unit: str, times_s: np.ndarray, values: np.ndarray
) -> Covariate:
    """A covariate without its missing samples; an angle where name or unit and values say so."""
    values = np.asarray(values, dtype=float)
    present = np.isfinite(values)
    times_s, values = np.asarray(times_s, dtype=float)[present], values[present]
    called_angle = unit.lower() in _RADIANS or any(word in name.lower() for word in _ANGLE_WORDS)
    in_radians = len(values) > 0 and -np.pi <= values.min() and values.max() <= 2 * np.pi + 1e-6
    return Covariate(times_s=times_s, values=values, is_angle=bool(called_angle and in_radians))


def union_of(spans_s: Float[np.ndarray, "span 2"]) -> Float[np.ndarray, "epoch 2"]:
    """Disjoint epochs that cover the same time; spans that touch become one."""
    epochs: list[list[float]] = []
    for start, stop in sorted(spans_s.tolist()):
        if epochs and start <= epochs[-1][1]:
            epochs[-1][1] = max(epochs[-1][1], stop)
        else:
            epochs.append([start, stop])
    return np.array(epochs, dtype=float).reshape(-1, 2)


def with_closed_ends(
    epochs_s: Float[np.ndarray, "epoch 2"], times_s: Float[np.ndarray, " spike"]
) -> Float[np.ndarray, "epoch 2"]:
    """Epochs whose stop includes a spike at exactly that time.

    Files and pynapple mean intervals with both ends; in a `Recording` the stop is excluded.
    """
    stop = epochs_s[:, 1]
    return np.column_stack(
        [epochs_s[:, 0], np.where(np.isin(stop, times_s), np.nextafter(stop, np.inf), stop)]
    )


def choose_epochs(
    tables: Mapping[str, list[LabelledEpoch]], label: str, path: Path
) -> list[LabelledEpoch]:
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
    raise InputError(f"{path} has no epochs '{label}'; choose from {listed(known)}")


def spans_of(epochs: Iterable[LabelledEpoch]) -> Float[np.ndarray, "epoch 2"]:
    """Start and stop of each epoch, in seconds."""
    return np.array([[epoch.start_s, epoch.stop_s] for epoch in epochs], dtype=float).reshape(-1, 2)


def listed(names: Iterable[str]) -> str:
    """The first names, quoted, and how many more there are."""
    quoted = [repr(str(name)) for name in names]
    shown = ", ".join(quoted[:_SHOWN]) or "nothing"
    return shown + (f" and {len(quoted) - _SHOWN} more" if len(quoted) > _SHOWN else "")


@contextmanager
def unreadable(path: Path) -> Iterator[None]:
    """Turn a library's errors about a damaged file into one sentence."""
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
