"""Damaged copies of recordings, files and folders."""

import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from damage.arrays import RunsWhenUnpickled, odd_hdf5, odd_npy, odd_npz
from damage.contents import BYTES
from damage.tables import odd_matlab, odd_parquet
from damage.texts import odd_json, odd_text

ODD: dict[str, Callable[[Path, np.random.Generator, Path], None]] = {
    ".npy": odd_npy,
    ".npz": odd_npz,
    ".nwb": odd_hdf5,
    ".mat": odd_matlab,
    ".csv": odd_text,
    ".tsv": odd_text,
    ".py": odd_text,
    ".json": odd_json,
    ".zattrs": odd_json,
    ".zarray": odd_json,
    ".zgroup": odd_json,
    ".zmetadata": odd_json,
    ".parquet": odd_parquet,
    ".pqt": odd_parquet,
}


def damage_file(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """Damage a file, where its format is known so that it stays readable more often than not."""
    odd = ODD.get(path.suffix or path.name)
    if odd is not None and rng.random() < 0.6:
        odd(path, rng, opened)
    else:
        BYTES[rng.integers(len(BYTES))](path, rng)


def damage_folder(folder: Path, rng: np.random.Generator, opened: Path) -> None:
    """Damage a file in a folder, or what lies in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    # In Zarr, most files are chunks; what describes them says more.
    telling = [path for path in files if (path.suffix or path.name) in ODD]
    files = telling if telling and rng.random() < 0.7 else files
    path, other = (files[number] for number in rng.integers(0, len(files), 2))
    changes: tuple[Callable[[], object], ...] = (
        path.unlink,
        lambda: path.write_bytes(b""),
        lambda: _swap(path, other),
        lambda: _link(path, rng),
        lambda: _put_folder(path),
        lambda: _put_endless(path, rng),
        lambda: _put_pickles(path, opened),
    )
    if rng.random() < 0.65:
        damage_file(path, rng, opened)
    else:
        changes[rng.integers(len(changes))]()


def _swap(path: Path, other: Path) -> None:
    content, content_of_other = path.read_bytes(), other.read_bytes()
    path.write_bytes(content_of_other)
    other.write_bytes(content)


def _link(path: Path, rng: np.random.Generator) -> None:
    """A link to itself, to what it lies in, to nothing, or to what is outside."""
    if rng.random() < 0.3:
        (path.parent / "circle").symlink_to(path.parent, target_is_directory=True)
        return
    targets = (path, path.parent, path.parent / "nowhere", Path("/etc/passwd"))
    path.unlink()
    path.symlink_to(targets[rng.integers(len(targets))])


def _put_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "0").write_bytes(b"")


def _put_endless(path: Path, rng: np.random.Generator) -> None:
    """What never ends, or never begins."""
    path.unlink()
    if rng.random() < 0.5:
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)


def _put_pickles(path: Path, opened: Path) -> None:
    """A pickle in the place of a file, and beside it where SpikeInterface would look for one."""
    content = pickle.dumps(RunsWhenUnpickled(opened))
    path.write_bytes(content)
    (path.parent / "provenance.pkl").write_bytes(content)


def damaged_copy(original: Path, place: Path, rng: np.random.Generator) -> Path:
    """A damaged copy of a recording, alone in a folder.

    What is in it and would run makes the file `opened` there.
    """
    place.mkdir(parents=True)
    path, opened = place / original.name, place / "opened"
    if original.is_dir():
        shutil.copytree(original, path)
        damage_folder(path, rng, opened)
    else:
        shutil.copy(original, path)
        damage_file(path, rng, opened)
    return path
