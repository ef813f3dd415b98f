"""What estimators take in place of a recording: other libraries' objects, and plain arrays."""

from collections.abc import Callable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.file_contents.chosen_recording import chosen_recording, with_warnings_shown
from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.selection import USUAL
from spikeweft.data.readers.neo_objects import from_neo
from spikeweft.data.readers.pynapple_objects import from_pynapple
from spikeweft.data.readers.sorting_folders.spikeinterface_objects import from_spikeinterface
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError


def as_recording(given: Any) -> Recording:
    """The recording that is given: ours, pynapple's, Neo's, SpikeInterface's, or in arrays.

    Spike times (s) may come as a mapping from names to arrays, or as a list of arrays, one per
    neuron.

    Raises
    ------
    InputError
        Where it is nothing of these, or holds no usable spikes.
    """
    if isinstance(given, Recording):
        return given
    if type(given).__name__ == "TsGroup" and _library(given) == "pynapple":
        return from_pynapple(given)
    if _library(given) == "neo" or (_is_list(given) and any(_library(t) == "neo" for t in given)):
        return from_neo(given)
    if _library(given) == "spikeinterface":
        return from_spikeinterface(given)
    if isinstance(given, Mapping):
        return _of_trains(list(given.values()), [str(name) for name in given])
    if _is_list(given):
        return _of_trains(list(given), [str(number) for number in range(len(given))])
    raise InputError(_refusal(given))


def _is_list(given: Any) -> bool:
    return isinstance(given, list | tuple)


def _library(given: Any) -> str:
    return type(given).__module__.split(".")[0]


def _refusal(given: Any) -> str:
    if isinstance(given, np.ndarray) and given.ndim == 2:
        return (
            f"an array of {given.shape[0]} by {given.shape[1]} counts does not say how long a bin "
            "is; give Recording.from_counts(counts, bin_s)"
        )
    if isinstance(given, str | Path):
        return f"{given} is a path; give load(path).recording"
    return (
        f"an object of the type {type(given).__name__} is no recording; give a Recording, a "
        "pynapple TsGroup, Neo's spike trains, a sorting of SpikeInterface, or a mapping from "
        "names to spike times in seconds"
    )


def takes_recordings(method: Callable) -> Callable:
    """A method whose first argument may be all that `as_recording` takes."""

    @wraps(method)
    def with_recording(self: Any, X: Any, *arguments: Any, **named: Any) -> Any:
        return method(self, as_recording(X), *arguments, **named)

    return with_recording


def _of_trains(trains: list[Any], names: list[str]) -> Recording:
    for name, train in zip(names, trains, strict=True):
        kind = np.asarray(train).dtype.kind
        if np.ndim(train) != 1 or (kind not in "iuf" and np.size(train)):
            raise InputError(
                f"the spikes of the neuron {name!r} are a {type(train).__name__} of "
                f"{np.ndim(train)} dimensions; give its spike times in seconds as one array"
            )
    contents = FileContents.of_trains(
        Path("the spike trains"), [np.asarray(train, dtype=float) for train in trains], names
    )
    return with_warnings_shown(chosen_recording(contents, USUAL))
