"""Folders in ALF, the format of the International Brain Laboratory.

Source: https://docs.internationalbrainlab.org (ALyx Files), and its data release of Neuropixels
recordings.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.sorting_folders.arrays import (
    PickledArrayError,
    read_array,
    read_labels,
    read_numbers,
)
from spikeweft.data.readers.sorting_folders.cluster_tables import (
    cluster_columns,
    numbered_by_cluster,
)
from spikeweft.data.readers.tables.parquet import read_parquet
from spikeweft.data.readers.tables.text import read_text_table
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_IDS = ("cluster_id",)

_UUID = "uuid"


def is_alf(folder: Path) -> bool:
    """Whether a folder holds `spikes.times` and `spikes.clusters`."""
    return all(_named(folder, name) for name in ("spikes.times.npy", "spikes.clusters.npy"))


def alf_contents(folder: Path) -> FileContents:
    """The clusters of an ALF folder, with the columns of `clusters.*` beside them.

    Names may have parts of their own, as in `spikes.times.<uuid>.npy`. Columns come from
    `clusters.metrics`, from `clusters.uuids`, and from each `clusters.*.npy` with one number or
    text for each cluster, under the name that it has there.

    Raises
    ------
    InputError
        Where there are several files of one name, or files do not fit each other.
    """
    times_path = _file(folder, "spikes.times.npy")
    times_s = read_numbers(times_path)
    labels = read_labels(_file(folder, "spikes.clusters.npy"), times_path, len(times_s))
    clusters, of_spike = np.unique(labels, return_inverse=True)
    arrays, about_arrays = _attributes(folder, clusters)
    found = cluster_columns({**arrays, **_tables(folder)}, clusters.tolist())
    return FileContents(
        path=folder,
        spike_times_s=times_s,
        spike_units=of_spike,
        unit_ids=tuple(str(cluster) for cluster in clusters),
        unit_columns=found.columns,
        warnings=(*found.warnings(), *about_arrays),
    )


def _named(folder: Path, name: str) -> list[Path]:
    """Files of this name, which may have parts of their own before its ending."""
    stem, ending = name.rsplit(".", 1)
    return sorted({*folder.glob(name), *folder.glob(f"{stem}.*.{ending}")})


def _file(folder: Path, name: str) -> Path:
    paths = _named(folder, name)
    if len(paths) > 1:
        raise InputError(
            f"{folder} has several files of {name}: {listed(path.name for path in paths)}; give a "
            "folder with those of one probe and one sorting"
        )
    return paths[0]


def _tables(folder: Path) -> "dict[str, pd.DataFrame]":
    readers = {
        "clusters.uuids.csv": _uuids,
        "clusters.metrics.csv": _metrics_csv,
        "clusters.metrics.pqt": _metrics_pqt,
    }
    present = [name for name in readers if _named(folder, name)]
    return {name: readers[name](_file(folder, name)) for name in present}


def _attributes(
    folder: Path, clusters: Int[np.ndarray, " cluster"]
) -> "tuple[dict[str, pd.DataFrame], list[str]]":
    """Arrays with a value for each cluster, and warnings about those that stay closed."""
    tables, warnings = {}, []
    for path in sorted(folder.glob("clusters.*.npy")):
        try:
            table = _attribute(path, clusters)
        except PickledArrayError:
            warnings.append(
                f"{path.name} holds pickled Python objects, which are never opened, and is left out"
            )
        else:
            tables |= {} if table is None else {path.name: table}
    return tables, warnings


def _attribute(path: Path, clusters: Int[np.ndarray, " cluster"]) -> "pd.DataFrame | None":
    """An array of one value for each cluster; None where it is of another shape."""
    import pandas as pd

    values = read_array(path)
    if values.ndim != 1 or values.dtype.kind not in "iufbU":
        return None
    if len(values) <= clusters.max(initial=-1):
        raise InputError(
            f"{path} has {len(values)} values, but the spikes have the cluster {clusters.max()}; "
            "take both from one sorting"
        )
    name = path.name.split(".")[1]
    return pd.DataFrame({name: values}).loc[clusters]


def _uuids(path: Path) -> "pd.DataFrame":
    """Row i is of cluster i."""
    import pandas as pd

    return pd.DataFrame({_UUID: read_text_table(path).iloc[:, 0]})


def _metrics_csv(path: Path) -> "pd.DataFrame":
    return numbered_by_cluster(read_text_table(path), _IDS, path)


def _metrics_pqt(path: Path) -> "pd.DataFrame":
    return numbered_by_cluster(read_parquet(path), _IDS, path)
