"""Sortings whose spikes are samples of one recording, each with the position of its unit."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.file_contents.contents import FileContents, LabelledEpoch
from spikeweft.data.file_contents.sentences import shown
from spikeweft.data.readers.sorting_folders.arrays import seconds_of
from spikeweft.errors import InputError

_RECORDING = "recording"

_MOST_SAMPLES = 2**53


def sampled_contents(
    path: Path,
    samples: np.ndarray,
    units: np.ndarray,
    *,
    unit_ids: Sequence[Any],
    sampling_rate_hz: Any,
    n_samples: Any = (),
    unit_columns: Mapping[str, Sequence[Any]],
    warnings: Sequence[str] = (),
) -> FileContents:
    """What a sorting with one segment holds; the recording lasts as long as its samples do.

    Raises
    ------
    InputError
        Where samples, units and the sampling rate do not fit together.
    """
    rate_hz = _rate_hz(sampling_rate_hz, path)
    _check_spikes(samples, units, len(unit_ids), path)
    lasts_s = [number / rate_hz for number in _lengths(n_samples, path)]
    return FileContents(
        path=path,
        spike_times_s=seconds_of(samples.astype(float), rate_hz, path),
        spike_units=units.astype(np.int64),
        unit_ids=tuple(str(unit) for unit in unit_ids),
        unit_columns=unit_columns,
        epochs={_RECORDING: [LabelledEpoch(0.0, last_s, frozenset()) for last_s in lasts_s]},
        usual_epochs=_RECORDING if lasts_s else None,
        time_resolution_s=1 / rate_hz,
        warnings=tuple(warnings),
    )


def _lengths(n_samples: Any, path: Path) -> list[int | float]:
    """How many samples each recording has, which is one or not said."""
    if not n_samples:
        return []
    numbers = n_samples if isinstance(n_samples, list | tuple) else [n_samples]
    counts = [n for n in numbers if type(n) in (int, float) and 0 < n < _MOST_SAMPLES]
    if len(counts) != 1 or len(numbers) != 1:
        raise InputError(
            f"the recording of {path} has num_samples {shown(n_samples)}, not one number of "
            "samples; save the analyzer again"
        )
    return counts


def check_one_segment(n_segments: Any, path: Path) -> None:
    """Refuse several segments: the samples of each are counted from 0.

    Raises
    ------
    InputError
        Where there is not one segment.
    """
    if n_segments != 1:
        raise InputError(
            f"{path} has {shown(n_segments)} segments, and the samples of each count from 0; give "
            "one of them, as from sorting.select_segments([0])"
        )


def plain_column(values: np.ndarray, n_units: int) -> list[Any] | None:
    """One number or text for each unit; None where the array is something else."""
    if values.shape != (n_units,) or values.dtype.kind not in "iufbU":
        return None
    return values.tolist()


def _rate_hz(rate_hz: Any, path: Path) -> float:
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 0 < rate_hz < 1e9:
        raise InputError(
            f"the sampling frequency in {path} is {shown(rate_hz)}; give samples per second"
        )
    return float(rate_hz)


def _check_spikes(samples: np.ndarray, units: np.ndarray, n_units: int, path: Path) -> None:
    if samples.ndim != 1 or samples.shape != units.shape:
        raise InputError(
            f"{path} has {samples.size} samples and {units.size} units of spikes; save the sorting "
            "again"
        )
    if samples.dtype.kind not in "iu" or units.dtype.kind not in "iu":
        raise InputError(
            f"the spikes in {path} are {samples.dtype} and {units.dtype}, not whole numbers of "
            "samples and units; save the sorting again"
        )
    if np.any((units < 0) | (units >= n_units)):
        raise InputError(
            f"the {len(samples)} spikes in {path} are not all of its {n_units} units; save the "
            "sorting again"
        )
