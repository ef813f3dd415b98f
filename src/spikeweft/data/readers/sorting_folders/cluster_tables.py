"""What tables beside a sorting say of its clusters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikeweft.data.file_contents.sentences import listed
from spikeweft.errors import InputError

if TYPE_CHECKING:
    import pandas as pd


_ROUNDING = 1e-3

_MOST_CLUSTERS = 2**53
"""Whole numbers are exact below, as numbers with decimals too."""


@dataclass(frozen=True, slots=True)
class ClusterColumns:
    """Columns with one value for each cluster that has spikes, and what is odd about the tables.

    Attributes
    ----------
    columns
        Values of the clusters by column.
    without_spikes
        Clusters of the tables that have no spikes.
    contradictions
        A sentence on each column in which two tables differ.
    """

    columns: dict[str, list[Any]]
    without_spikes: tuple[int, ...]
    contradictions: tuple[str, ...]

    def warnings(self) -> tuple[str, ...]:
        """A sentence on each contradiction, and on the clusters without spikes."""
        if not self.without_spikes:
            return self.contradictions
        return (
            *self.contradictions,
            f"{len(self.without_spikes)} clusters that the tables list have no spikes and are left "
            f"out: {listed(self.without_spikes)}",
        )


def cluster_columns(
    tables: "Mapping[str, pd.DataFrame]", clusters: Sequence[int]
) -> ClusterColumns:
    """Columns of tables, by file, whose index is the cluster; a later table goes first."""
    found: dict[str, tuple[str, list[Any]]] = {}
    contradictions: list[str] = []
    listed_clusters: set[int] = set()
    for file, table in tables.items():
        listed_clusters |= set(table.index)
        for column in table.columns:
            name, values = str(column), _plain(table[column].reindex(list(clusters)))
            earlier, before = found.get(name, (file, values))
            pairs = zip(clusters, before, values, strict=True)
            differ = [cluster for cluster, *pair in pairs if _differ(*pair)]
            if differ:
                contradictions.append(
                    f"{earlier} and {file} differ in {name!r} of the clusters {listed(differ)}, "
                    "and the latter is used"
                )
            found[name] = file, values
    without = sorted(listed_clusters - set(clusters))
    columns = {name: values for name, (_, values) in found.items()}
    return ClusterColumns(columns, tuple(without), tuple(contradictions))


def _differ(first: Any, second: Any) -> bool:
    """Whether both are known and contradict each other, not only by how they were rounded."""
    if any(value is None or value != value for value in (first, second)):  # None or NaN
        return False
    if isinstance(first, int | float) and isinstance(second, int | float):
        return abs(first - second) > _ROUNDING * max(abs(first), abs(second))
    return first != second


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
