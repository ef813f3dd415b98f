"""Sortings and analyzers that SpikeInterface saves in Zarr.

Source: `ZarrSortingExtractor` in spikeinterface/core.
"""

from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.readers.damaged_files import unreadable, with_whole_texts
from spikeweft.data.readers.nwb_files.zarr import check_plain, is_zarr, zarr_attributes
from spikeweft.data.readers.sorting_folders.samples import (
    check_one_segment,
    plain_column,
    sampled_contents,
)
from spikeweft.errors import needs_extra

_MARKS = ("spikeinterface_info", "zarr_class_info", "sampling_frequency")

_METRICS = ("quality_metrics", "template_metrics")


def is_spikeinterface_zarr(folder: Path) -> bool:
    """Whether SpikeInterface saved a sorting or an analyzer in a Zarr folder."""
    return is_zarr(folder) and bool(
        {"spikeinterface_info", "zarr_class_info", "sampling_frequency"}
        & {*zarr_attributes(folder)}
    )


def spikeinterface_zarr_contents(folder: Path) -> FileContents:
    """The units of a sorting or an analyzer, with their properties and metrics as columns.

    Raises
    ------
    InputError
        Where Zarr is not installed, or the folder has several segments, holds pickles or does not
        fit together.
    """
    check_plain(folder)
    with needs_extra("zarr"):
        import zarr
    with unreadable(folder):
        root = zarr.open_group(str(folder), mode="r")
        sorting: Any = root.get("sorting", root)
        check_one_segment(sorting.attrs.get("num_segments"), folder)
        unit_ids = with_whole_texts(sorting["unit_ids"][:]).tolist()
        return sampled_contents(
            folder,
            np.asarray(sorting["spikes/sample_index"][:]),
            np.asarray(sorting["spikes/unit_index"][:]),
            unit_ids=unit_ids,
            sampling_rate_hz=sorting.attrs.get("sampling_frequency"),
            n_samples=_n_samples(root),
            unit_columns={**_properties(sorting, len(unit_ids)), **_metrics(root, unit_ids)},
        )


def _n_samples(root: Any) -> list[int]:
    if "recording_info" not in root:
        return []
    return root["recording_info"].attrs.get("recording_attributes", {}).get("num_samples") or []


def _arrays(group: Any) -> dict[str, np.ndarray]:
    return {name: with_whole_texts(np.asarray(array[:])) for name, array in group.arrays()}


def _properties(sorting: Any, n_units: int) -> dict[str, list[Any]]:
    """Properties with one value for each unit."""
    if "properties" not in sorting:
        return {}
    arrays = _arrays(sorting["properties"])
    columns = {name: plain_column(array, n_units) for name, array in arrays.items()}
    return {name: values for name, values in columns.items() if values is not None}


def _metrics(root: Any, unit_ids: list[Any]) -> dict[str, list[Any]]:
    """Columns of the metrics that an analyzer has computed."""
    import pandas as pd

    columns: dict[str, list[Any]] = {}
    names = [str(unit) for unit in unit_ids]
    for group in (f"extensions/{name}/metrics" for name in _METRICS):
        if group not in root or "index" not in root[group]:
            continue
        arrays = _arrays(root[group])
        index = [str(unit) for unit in arrays.pop("index").tolist()]
        table = pd.DataFrame(arrays, index=index).reindex(names)
        columns |= {str(name): table[name].tolist() for name in table.columns}
    return columns
