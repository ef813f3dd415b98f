"""Folders of Phy and Kilosort.

Source: https://phy.readthedocs.io/en/latest/sorting_user_guide/#datasets
"""

import ast
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.file_contents.contents import FileContents
from spikeweft.data.file_contents.sentences import counted, listed, shown
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.sorting_folders.arrays import read_labels, read_numbers, seconds_of
from spikeweft.data.readers.sorting_folders.cluster_tables import (
    cluster_columns,
    numbered_by_cluster,
)
from spikeweft.data.readers.tables.text import read_text_table
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_TIMES = "spike_times.npy"

_CLUSTERS = ("spike_clusters.npy", "spike_templates.npy")
"""The second is what Kilosort found; the first, what is left after clusters were merged."""

_IDS = ("cluster_id", "id")

_NOISE = "noise"

_NOT_JUDGED = (None, "unsorted")


def is_phy(folder: Path) -> bool:
    """Whether a folder holds a sorting in the format of Phy and Kilosort."""
    return (folder / _TIMES).is_file() and any((folder / name).is_file() for name in _CLUSTERS)


def phy_contents(folder: Path) -> FileContents:
    """The clusters of a Phy or Kilosort folder, with the columns of its `cluster_*.tsv`.

    Clusters labelled as noise are left out: by their `group`, which a person gave, else by the
    `KSLabel`. The sampling rate is read from the text of `params.py`, which is not run.

    Raises
    ------
    InputError
        Where arrays do not fit each other, the sampling rate is not known, or all is noise.
    """
    sampling_rate_hz = _sampling_rate_hz(folder)
    samples = read_numbers(folder / _TIMES)
    clusters_path = next(folder / name for name in _CLUSTERS if (folder / name).is_file())
    labels = read_labels(clusters_path, folder / _TIMES, len(samples))
    clusters = np.unique(labels).tolist()
    found = cluster_columns({path.name: _table(path) for path in _tables(folder)}, clusters)
    noise = _noise(found.columns, len(clusters))
    if len(clusters) and noise.all():
        raise InputError(
            f"all {len(clusters)} clusters in {folder} are labelled {_NOISE!r}; relabel in Phy "
            "those that are neurons"
        )
    row = np.where(noise, -1, np.cumsum(~noise) - 1)
    of_spike = row[np.searchsorted(clusters, labels)]
    kept = of_spike >= 0
    return FileContents(
        path=folder,
        spike_times_s=seconds_of(samples, sampling_rate_hz, folder / _TIMES)[kept],
        spike_units=of_spike[kept],
        unit_ids=tuple(str(cluster) for cluster in np.array(clusters)[~noise]),
        unit_columns={
            name: [value for value, left_out in zip(values, noise, strict=True) if not left_out]
            for name, values in found.columns.items()
        },
        time_resolution_s=1 / sampling_rate_hz,
        warnings=(*_about_noise(noise, kept), *found.warnings()),
    )


def _about_noise(noise: np.ndarray, kept: np.ndarray) -> tuple[str, ...]:
    if not noise.any():
        return ()
    return (
        f"{noise.sum()} of {len(noise)} clusters are labelled {_NOISE!r} and left out, with "
        f"{counted(int(np.sum(~kept)), 'spike')}; relabel them in Phy to use them",
    )


def _noise(columns: dict[str, list[Any]], n_clusters: int) -> np.ndarray:
    nothing = [None] * n_clusters
    by_hand, by_sorter = (columns.get(name, nothing) for name in ("group", "KSLabel"))
    return np.array(
        [
            (sorter if hand in _NOT_JUDGED else hand) == _NOISE
            for hand, sorter in zip(by_hand, by_sorter, strict=True)
        ],
        dtype=bool,
    )


def _tables(folder: Path) -> list[Path]:
    """Tables of clusters: the one that is made from all others, then CSV, as Phy once wrote."""
    by_age = (sorted(folder.glob(f"cluster_*.{ending}")) for ending in ("csv", "tsv"))
    return sorted(itertools.chain(*by_age), key=lambda path: path.stem != "cluster_info")


def _table(path: Path) -> "pd.DataFrame":
    return numbered_by_cluster(read_text_table(path), _IDS, path)


def _sampling_rate_hz(folder: Path) -> float:
    path = folder / "params.py"
    remedy = "a line such as sample_rate = 30000"
    if not path.is_file():
        raise InputError(
            f"{folder} has no params.py, which says the sampling rate; write one with {remedy}"
        )
    named = _assigned(path)
    if "sample_rate" not in named:
        raise InputError(
            f"{path} gives {listed(named)} but no sample_rate that is a number; add {remedy}"
        )
    rate_hz = named["sample_rate"]
    if isinstance(rate_hz, bool) or not isinstance(rate_hz, int | float) or not 0 < rate_hz < 1e9:
        raise InputError(f"the sample_rate in {path} is {shown(rate_hz)}; give samples per second")
    return float(rate_hz)


def _assigned(path: Path) -> dict[str, Any]:
    """What a Python file assigns to names, as far as it can be read without running it."""
    with unreadable(path):
        statements = ast.parse(path.read_text(encoding="utf-8")).body
    named = {}
    for statement in statements:
        if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
            continue
        try:
            named[statement.targets[0].id] = ast.literal_eval(statement.value)
        except (ValueError, TypeError, MemoryError, RecursionError):
            continue  # an expression that would have to be run
    return named
