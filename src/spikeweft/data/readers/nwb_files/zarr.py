"""Zarr stores: what they are of, and whether they are free of pickles and of addresses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spikeweft.data.readers.damaged_files import unreadable
from spikeweft.errors import InputError

_GROUP, _GROUP_3 = ".zgroup", "zarr.json"

_METADATA = (".zarray", ".zattrs", ".zmetadata", _GROUP_3)

_CODEC = ("id", "name")
"""What names a codec in versions 2 and 3 of the format."""


def is_zarr(folder: Path) -> bool:
    """Whether a folder is a group of Zarr."""
    return (folder / _GROUP).is_file() or (folder / _GROUP_3).is_file()


def is_nwb_in_zarr(folder: Path) -> bool:
    """Whether a group of Zarr says which version of NWB it has."""
    return is_zarr(folder) and "nwb_version" in zarr_attributes(folder)


def zarr_attributes(folder: Path) -> dict[str, Any]:
    """Attributes of the group that a folder is.

    Raises
    ------
    InputError
        Where the folder is damaged.
    """
    found: Any = {}
    if (folder / ".zattrs").is_file():
        found = _json(folder / ".zattrs")
    elif (folder / _GROUP_3).is_file():
        found = _json(folder / _GROUP_3)
        found = found.get("attributes") if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def check_plain(folder: Path) -> None:
    """Refuse what would be unpickled, and what would be fetched, before anything is read.

    Raises
    ------
    InputError
        Where an array is pickled, a link leads to an address, or the folder is damaged.
    """
    for path in sorted(path for name in _METADATA for path in folder.rglob(name)):
        for part in _objects(_json(path)):
            if any(str(part.get(key, "")).split(".")[-1] == "pickle" for key in _CODEC):
                raise InputError(
                    f"{path.parent} holds pickled Python objects, which are never opened; write "
                    "the recording again with a newer hdmf-zarr, which stores texts as texts"
                )
            if "://" in str(part.get("source", "")):
                raise InputError(
                    f"{path.parent} has a link to {part['source']}, and nothing is fetched; copy "
                    "what is there into the recording"
                )


def _json(path: Path) -> Any:
    with unreadable(path):
        return json.loads(path.read_text(encoding="utf-8"))


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value."""
    left = [value]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left += part.values()
        elif isinstance(part, list):
            left += part
