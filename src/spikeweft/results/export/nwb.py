"""Connections as a table in a copy of an NWB file, beside the units that they connect."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.file_contents.sentences import listed
from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.data.readers.nwb_files.file import tables_of_units, usual_units
from spikeweft.data.readers.nwb_files.hdf5 import check_survivable
from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.runtime.files import replacing

if TYPE_CHECKING:
    from pynwb.core import DynamicTable

_MODULE = "connectivity"

_TABLE = "connections"

_ROOM_BYTES = 4 * 2**20
"""More than the parts of an NWB file and its schema take that a table needs beside its numbers."""

_ABOUT_COLUMNS = {
    "pre": "id of the unit that sends, in the table of units",
    "post": "id of the unit that receives, in the table of units",
    "weight": "weight of the connection, positive where it excites",
    "standard_error": "standard error of the weight, in the same unit",
    "probability": "posterior probability that the connection exists",
    "latency_s": "seconds from a presynaptic spike to the onset of its effect; NaN if not known",
    "latency_sd_s": "posterior standard deviation of the latency in seconds; NaN if not known",
    "pre_cell_type": "whether the unit that sends is excitatory, inhibitory or unknown",
    "post_cell_type": "whether the unit that receives is excitatory, inhibitory or unknown",
}


def write_nwb(
    path: Path,
    circuit: Connectivity,
    choice: Choice,
    source: Path,
    *,
    units_table: str | None = None,
    force: bool,
) -> int:
    """Copy an NWB file, and write `Connectivity.to_pandas` into the copy as a `DynamicTable`.

    The table is called `connections` and lies in the processing module `connectivity`; `pre` and
    `post` are ids in the table of units that is named, else in the file's own. The source is
    changed only where it is `path` itself. Returns how many connections there are.

    Raises
    ------
    InputError
        Where the source cannot be read or extended, does not have the circuit's neurons, has such
        a table and `force` is not set, or refers to other files that a copy would not find, or
        the file system refuses.
    """
    connections = circuit.to_pandas(**choice._asdict())
    units = _checked_units(source, circuit.neuron_ids, units_table, force=force)
    _check_finds_neighbours(path, source)
    for name in ("pre", "post"):
        connections[name] = np.array([units.ids[unit] for unit in connections[name]], dtype=int)
    with replacing(path) as unfinished, _extending(source, path):
        copyfile(source, unfinished)
        _check_can_grow(
            unfinished, _ROOM_BYTES + 2 * int(connections.memory_usage(deep=True).sum())
        )
        _add(unfinished, _table(connections, circuit, choice, units.table))
    return len(connections)


class _Units(NamedTuple):
    """A table of units: its name, and ids by the names of the neurons."""

    table: str
    ids: dict[str, int]


def _checked_units(
    source: Path, neuron_ids: tuple[str, ...], units_table: str | None, *, force: bool
) -> _Units:
    """The units of the neurons, where connections between them can be written."""
    import h5py
    import pynwb

    if not source.is_file():
        raise InputError(f"there is no file {source}; check the path to the NWB file")
    if source.suffix == ".tmp":  # what is written is called so, and removed where that fails
        raise InputError(f"{source} is named like an unfinished file; rename it if it is whole")
    if not h5py.is_hdf5(source):
        raise InputError(f"{source} is not an NWB file; give one to copy by --into")
    check_survivable(source)
    with unreadable(source), pynwb.NWBHDF5IO(path=source, mode="r") as io:
        nwb: Any = io.read()
        if _has_table(nwb) and not force:
            raise InputError(
                f"{source} has a table {_TABLE!r} in its processing module {_MODULE!r} already; "
                "replace it with --force, or choose another file"
            )
        return _units(nwb, neuron_ids, units_table, source)


def _has_table(nwb: Any) -> bool:
    return _MODULE in nwb.processing and _TABLE in nwb.processing[_MODULE].data_interfaces


def _units(nwb: Any, neuron_ids: tuple[str, ...], units_table: str | None, source: Path) -> _Units:
    tables = tables_of_units(nwb)
    name = usual_units(nwb, tables) if units_table is None else units_table
    if name not in tables:
        wanted = "units to connect" if units_table is None else f"table of units {units_table!r}"
        raise InputError(f"{source} has no {wanted}; give the recording's own NWB file")
    ids = {str(unit): int(unit) for unit in tables[name].id[:]}
    missing = [neuron for neuron in neuron_ids if neuron not in ids]
    if missing:
        raise InputError(
            f"{source} has no units {listed(missing)} in the table {name!r}, which the circuit "
            "has; give the recording's own NWB file"
        )
    return _Units(name, ids)


def _check_finds_neighbours(path: Path, source: Path) -> None:
    """Refuse a copy in another folder, where paths relative to the source's would lead nowhere."""
    if path.parent.resolve() == source.parent.resolve():
        return
    with unreadable(source):
        neighbours = _neighbours(source)
    if neighbours:
        raise InputError(
            f"{source} refers to files by their place beside it, {listed(neighbours)}, which a "
            f"copy in another folder would not find; write {path.name} into {source.parent}"
        )


def _neighbours(source: Path) -> list[str]:
    """Relative paths of other files that an HDF5 file links to or, as videos, names."""
    import h5py

    found: list[str] = []

    def note(name: str, link: object) -> None:
        if isinstance(link, h5py.ExternalLink):
            found.append(link.filename)
        elif name.endswith("/external_file"):
            found.extend(np.ravel(file[name].asstr()[()]).tolist())

    with h5py.File(source, "r") as file:
        file.visititems_links(note)
    return [name for name in found if name and "://" not in name and not Path(name).is_absolute()]


@contextmanager
def _extending(source: Path, path: Path) -> Iterator[None]:
    """Turn the libraries' errors about what they cannot write into one sentence."""
    try:
        with unreadable(source):
            yield
    except InputError as error:
        reason = " ".join(str(error.__cause__).split())[:200]
        raise InputError(
            f"the connections cannot be written into {path}, a copy of {source} ({reason}); check "
            "the free space and that pynwb.validate finds no fault with the NWB file"
        ) from error


def _check_can_grow(unfinished: Path, n_bytes: int) -> None:
    """Take that much room and give it back; on a full disk the HDF5 library itself would crash."""
    size = unfinished.stat().st_size
    with unfinished.open("ab") as file:
        file.write(bytes(n_bytes))
    os.truncate(unfinished, size)


def _add(unfinished: Path, table: "DynamicTable") -> None:
    """Add the table to an NWB file, in the place of an older one."""
    import h5py
    import pynwb

    with h5py.File(unfinished, "r+") as file:
        # pynwb itself cannot take anything out of a file.
        if f"processing/{_MODULE}/{_TABLE}" in file:
            del file[f"processing/{_MODULE}/{_TABLE}"]
    with pynwb.NWBHDF5IO(path=unfinished, mode="a") as opened:
        io: Any = opened
        nwb = io.read()
        if _MODULE not in nwb.processing:
            nwb.create_processing_module(_MODULE, "Connections between units")
        nwb.processing[_MODULE].add(table)
        io.write(nwb)


def _table(
    connections: pd.DataFrame, circuit: Connectivity, choice: Choice, units_table: str
) -> "DynamicTable":
    from pynwb.core import DynamicTable, VectorData

    columns = [
        VectorData(
            name=name,
            description=_about(name, circuit, units_table),
            data=connections[name].to_numpy(),
        )
        for name in map(str, connections)
    ]
    return DynamicTable(name=_TABLE, description=_about_table(circuit, choice), columns=columns)


def _about(column: str, circuit: Connectivity, units_table: str) -> str:
    unit = circuit.metadata.get("unit")
    if column in ("pre", "post"):
        return f"{_ABOUT_COLUMNS[column]} {units_table!r}"
    if column != "weight" or unit is None:
        return _ABOUT_COLUMNS[column]
    return f"{_ABOUT_COLUMNS[column]}; unit: {unit}"


def _about_table(circuit: Connectivity, choice: Choice) -> str:
    """What the rows are, and from where; NWB has no place for other metadata of a table."""
    return (
        "Directed connections between units, inferred from their spikes by spikeweft. A row is a "
        f"pair that the spikes inform, with a weight of a size above {choice.threshold:g} and a "
        f"probability of at least {choice.min_probability:g} where it is known. Metadata: "
        f"{json.dumps(dict(circuit.metadata))}"
    )
