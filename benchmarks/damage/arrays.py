"""Arrays of another kind, shape or size, in `.npy`, `.npz` and HDF5."""

import io
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
from damaged_inputs import NUMBERS, odd_values, spoil

from damage.texts import TEXTS


class RunsWhenUnpickled:
    """Makes a file where it is unpickled."""

    def __init__(self, opened: Path) -> None:
        self.opened = opened

    def __reduce__(self) -> tuple:
        return (open, (str(self.opened), "w"))


def odd_array(array: np.ndarray, rng: np.random.Generator, opened: Path) -> np.ndarray:
    """Another array in the place of one: other values, another dtype, another shape, pickles."""
    numbers = array.dtype.kind in "iuf" and array.size > 0
    makers: tuple[Callable[[], np.ndarray], ...] = (
        lambda: spoilt(array, rng) if numbers else array[:0],
        lambda: spoilt(array.astype(float), rng) if numbers else array[:0],
        lambda: array.astype(float) * 1e15 if numbers else array[:0],
        lambda: next(odd_values(rng)),
        lambda: np.full(array.shape, rng.choice(NUMBERS)),
        lambda: array[: len(array) // 2] if array.ndim else array[None],
        lambda: array[None, :, None] if array.ndim == 1 else array.ravel(),
        lambda: array.astype(rng.choice(["U8", "S8", "?", "c16", ">f4", "f2"])),
        lambda: np.array([RunsWhenUnpickled(opened)] * max(1, array.size), dtype=object),
        lambda: np.resize(np.array(TEXTS[:-1]), array.shape or 1),
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return makers[rng.integers(len(makers))]()
        except (ValueError, TypeError, OverflowError, UnicodeError, IndexError):
            return next(odd_values(rng))


def spoilt(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tenth of the values are others."""
    values = array.astype(float).ravel()
    values[rng.integers(0, len(values), 1 + len(values) // 10)] = rng.choice(NUMBERS)
    return values.reshape(array.shape).astype(array.dtype)


def header_alone(rng: np.random.Generator) -> bytes:
    """A `.npy` that claims more than it has."""
    shapes = ((2**50,), (2**62, 4), (10**30,), (-1,), (2**27,), (0, 2**60), (1200, 2**30))
    header = io.BytesIO()
    claims = {
        "descr": str(rng.choice(["<f8", "<i4", "|O", "<U100000", "<M8[s]"])),
        "fortran_order": bool(rng.integers(2)),
        "shape": shapes[rng.integers(len(shapes))],
    }
    np.lib.format.write_array_header_1_0(header, claims)
    return header.getvalue() + bytes(64)


def odd_npy(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A readable `.npy` of something else."""
    if rng.random() < 0.2:
        path.write_bytes(header_alone(rng))
    else:
        np.save(path, odd_array(np.load(path, allow_pickle=False), rng, opened), allow_pickle=True)


def odd_npz(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A readable `.npz` in which one to three arrays are others, missing, or claim too much."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {}
        for name in file.files:
            with suppress(ValueError):  # what is pickled stays closed, and goes
                arrays[name] = file[name]
    for name in map(str, rng.choice(list(arrays), size=rng.integers(1, 4), replace=False)):
        if rng.random() < 0.15:
            del arrays[name]
        else:
            arrays[name] = odd_array(arrays[name], rng, opened)
    replaced = str(rng.choice(list(arrays))) if rng.random() < 0.2 else ""
    content = header_alone(rng)
    arrays.pop(replaced, None)
    np.savez(path, **arrays)
    if replaced:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(f"{replaced}.npy", content)


def odd_hdf5(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A readable HDF5 file in which one to three things are others, or links."""
    odd = (odd_array(value, rng, opened) for value in odd_values(rng))
    storable = (value for value in odd if value.dtype.kind in "iufbcUS")
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        own = [name for name in names if not name.startswith("specifications")]
        for name in map(str, rng.choice(own, size=min(len(own), 1 + rng.integers(3)))):
            if name not in file:
                continue
            with suppress(TypeError, ValueError, OSError, KeyError, RuntimeError):
                if rng.random() < 0.2:
                    return _claims_too_much(file, name, rng)  # which nothing here should read
                _odd_thing(file, name, storable, rng)
    return None


def _odd_thing(
    file: h5py.File, name: str, odd: Iterator[np.ndarray], rng: np.random.Generator
) -> None:
    if rng.random() < 0.6:
        spoil(file, name, odd, rng)
    else:
        _link_instead(file, name, rng)


def _link_instead(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    around = "/" + name.rpartition("/")[0]
    links = (
        h5py.SoftLink("/" + name),
        h5py.SoftLink(around),
        h5py.SoftLink("/nowhere"),
        h5py.SoftLink("/"),
        h5py.ExternalLink("nowhere.h5", "/"),
        h5py.ExternalLink("/etc/passwd", "/"),
        h5py.ExternalLink(Path(file.filename).name, "/" + name),
        h5py.ExternalLink("/dev/zero", "/" + name),
        file["/"],
    )
    number = rng.integers(len(links))
    del file[name]
    file[name] = links[number]


def _claims_too_much(file: h5py.File, name: str, rng: np.random.Generator) -> None:
    if not isinstance(file[name], h5py.Dataset):
        return
    attributes = dict(file[name].attrs)
    del file[name]
    shapes = ((2**40,), (2**28,), (1, 2**34), (2**20, 2**20))
    shape = shapes[rng.integers(len(shapes))]
    file.create_dataset(name, shape, rng.choice(["f8", "u1"]), chunks=True, compression="gzip")
    file[name].attrs.update(attributes)
