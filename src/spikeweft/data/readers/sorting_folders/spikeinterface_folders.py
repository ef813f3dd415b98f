"""Folders that SpikeInterface saves sortings and analyzers in, read without SpikeInterface.

It would import what a file names, and open pickles. Here only what is plain is read: the format
"numpy_folder" of a sorting, and analyzers in the format "binary_folder".
Source: `NumpyFolderSorting` in spikeinterface/core.
"""

import json
from pathlib import Path
from typing import Any

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.sorting_folders.arrays import PickledArrayError, read_array
from spikeweft.data.readers.sorting_folders.samples import (
    check_one_segment,
    plain_column,
    sampled_contents,
)
from spikeweft.errors import InputError

_INFO = "numpysorting_info.json"

_MARKS = ("si_folder.json", "spikeinterface_info.json", "provenance.pkl")

_ATTRIBUTES = Path("recording_info", "recording_attributes.json")

_METRICS = ("quality_metrics", "template_metrics")


def is_spikeinterface(folder: Path) -> bool:
    """Whether SpikeInterface saved something in a folder."""
    return any((folder / name).is_file() for name in (_INFO, *_MARKS))


def spikeinterface_contents(folder: Path) -> FileContents:
    """The units of a sorting or an analyzer, with their properties and metrics as columns.

    Raises
    ------
    InputError
        Where the sorting is saved in another way, has several segments, or does not fit together.
    """
    sorting = folder / "sorting" if (folder / "sorting" / _INFO).is_file() else folder
    if not (sorting / _INFO).is_file():
        raise InputError(
            f"{folder} only says how SpikeInterface makes a sorting, or pickles it, which is not "
            "run; save it with sorting.save(folder=..., format='numpy_folder')"
        )
    info = _object(sorting / _INFO)
    check_one_segment(info.get("num_segments"), folder)
    unit_ids = info.get("unit_ids")
    if not isinstance(unit_ids, list):
        raise InputError(f"{sorting / _INFO} lists no unit_ids; save the sorting again")
    spikes = read_array(sorting / "spikes.npy")
    if not {"sample_index", "unit_index"} <= set(spikes.dtype.names or ()):
        raise InputError(
            f"{sorting / 'spikes.npy'} holds {spikes.dtype}, not samples and units of spikes; save "
            "the sorting again"
        )
    properties, warnings = _properties(sorting / "properties", len(unit_ids))
    recorded = _object(folder / _ATTRIBUTES) if (folder / _ATTRIBUTES).is_file() else {}
    return sampled_contents(
        folder,
        spikes["sample_index"],
        spikes["unit_index"],
        unit_ids=unit_ids,
        sampling_rate_hz=info.get("sampling_frequency"),
        n_samples=recorded.get("num_samples"),
        unit_columns={**properties, **_metrics(folder, unit_ids)},
        warnings=warnings,
    )


def _object(path: Path) -> dict[str, Any]:
    with unreadable(path):
        found = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise InputError(f"{path} holds no names and values; save the sorting again")
    return found


def _properties(folder: Path, n_units: int) -> tuple[dict[str, list[Any]], list[str]]:
    """Properties with one value for each unit, and warnings about those that stay closed."""
    columns, warnings = {}, []
    for path in sorted(folder.glob("*.npy")):
        try:
            values = plain_column(read_array(path), n_units)
        except PickledArrayError:
            warnings.append(
                f"the property {path.stem!r} holds pickled Python objects, which are never opened, "
                "and is left out"
            )
        else:
            columns |= {} if values is None else {path.stem: values}
    return columns, warnings


def _metrics(folder: Path, unit_ids: list[Any]) -> dict[str, list[Any]]:
    """Columns of the metrics that an analyzer has computed."""
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    names = [str(unit) for unit in unit_ids]
    for name in _METRICS:
        path = folder / "extensions" / name / "metrics.csv"
        if path.is_file():
            with unreadable(path):
                table = pd.read_csv(path, index_col=0)
                table.index = table.index.astype(str)
                table = table.reindex(names)
            columns |= {str(column): table[column].tolist() for column in table.columns}
    return columns
