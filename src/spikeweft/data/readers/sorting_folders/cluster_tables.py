"""What tables beside a sorting say of its clusters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.file_contents.sentences import listed
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


_MOST_CLUSTERS = 2**53
"""Whole numbers are exact below, as numbers with decimals too."""


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """Columns with one value for each cluster that has spikes, and the clusters that have none."""

    columns: dict[str, list[Any]]
    without_spikes: tuple[int, ...]

    def warnings(self) -> tuple[str, ...]:
        """One sentence about the clusters without spikes, where there are any."""
        if not self.without_spikes:
            return ()
        return (
            f"{len(self.without_spikes)} clusters that the tables list have no spikes and are left "
            f"out: {listed(self.without_spikes)}",
        )


def cluster_columns(tables: "Iterable[pd.DataFrame]", clusters: Sequence[int]) -> ClusterColumns:
    """Columns of tables whose index is the cluster; a later table goes before an earlier one."""
    columns: dict[str, list[Any]] = {}
    listed_clusters: set[int] = set()
    for table in tables:
        listed_clusters |= set(table.index)
        for name in table.columns:
            values = table[name].reindex(list(clusters))
            columns[str(name)] = _plain(values)
    without = sorted(listed_clusters - set(clusters))
    return ClusterColumns(columns, tuple(without))


def _plain(values: "pd.Series") -> list[Any]:
    """Missing numbers stay NaN, with which numbers can be compared; missing texts are None."""
    if values.dtype.kind in "iuf":
        return values.tolist()
    return [
        None if missing else value
        for value, missing in zip(values.tolist(), values.isna(), strict=True)
    ]


def numbered_by_cluster(
    table: "pd.DataFrame", id_names: Sequence[str], path: Path
) -> "pd.DataFrame":
    """The table with the number of the cluster as its index.

    Raises
    ------
    InputError
        Where no column numbers the clusters, or one is there twice.
    """
    id_name = next((name for name in id_names if name in table.columns), None)
    if id_name is None:
        raise InputError(
            f"{path} has the columns {listed(table.columns)} but none of {listed(id_names)}; name "
            "the column that numbers the clusters so"
        )
    numbers = table[id_name]
    whole = numbers.dtype.kind in "iuf" and bool(
        np.all((numbers == np.rint(numbers)) & (numbers.abs() < _MOST_CLUSTERS))
    )
    if not whole or numbers.duplicated().any():
        raise InputError(
            f"the column {id_name!r} of {path} does not number clusters; give each row the whole "
            "number of one cluster"
        )
    return table.set_index(numbers.astype(np.int64)).drop(columns=id_name)
