"""What may be wrong with a recording of any kind, by accident or by design."""

import copy
import io
import json
import os
import pickle
import re
import shutil
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from damaged_inputs import NUMBERS, damaged, odd_values, spoil

TEXTS = (
    "",
    "nan",
    "-inf",
    "1e400",
    "-7",
    "9" * 400,
    "0x1F",
    "1,5",
    "2020-01-01",
    "true",
    "\x1b[2J\x1b]0;title\x07",
    "a\rb",
    "\u202etxt",
    "[bold red]name[/]",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "x" * 5000,
    '"',
    "\x00",
    "../../../etc/passwd",
    "\ud800",
)
"""What tables and settings hardly hold in any cell."""

CODE = (
    "open({opened!r}, 'w').write('run')\n",
    "import pathlib\nsample_rate = pathlib.Path({opened!r}).write_text('run')\n",
    "sample_rate = [open({opened!r}, 'w') for _ in (1,)][0]\n",
    "sample_rate = 10 ** 10 ** 10\n",
    "sample_rate = '9' * 10 ** 10\n",
    "sample_rate: float = 10000.0\nexec('open({opened!r}, chr(119))')\n",
    "sample_rate = " + "(" * 3000 + "1" + ")" * 3000 + "\n",
    "sample_rate = " + "-" * 20_000 + "1\n",
    "sample_rate = 1" + "0" * 5000 + "\n",
    "sample_rate = True\n",
    "sample_rate = 1e999\n",
    "sample_rate, other = 10000.0, 1\n",
)

JSON_VALUES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2,
    1e308,
    float("nan"),
    10**400,
    "words",
    "\x1b[2J<b>",
    [],
    {},
    [[]],
    [None],
    ["a", "a", "a", "a"],
    {"a": {"b": 1}},
    "|O",
    "<f8",
    [2**50],
    [-1],
    "../../other",
    [{"id": "pickle"}],
)


class RunsWhenUnpickled:
    """Makes a file where it is unpickled."""

    def __init__(self, opened: Path) -> None:
        self.opened = opened

    def __reduce__(self) -> tuple:
        return (open, (str(self.opened), "w"))


# ---- any file ------------------------------------------------------------------------------------


def cut_off(path: Path, rng: np.random.Generator) -> None:
    """Ends anywhere."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(0, len(content) + 1)])


def flipped(path: Path, rng: np.random.Generator) -> None:
    """Bits are flipped, or a stretch is overwritten."""
    content = path.read_bytes()
    if content:
        path.write_bytes(damaged(content, rng))


def flipped_at_the_start(path: Path, rng: np.random.Generator) -> None:
    """Bits are flipped where most formats describe themselves."""
    content = path.read_bytes()
    n_first = min(len(content), int(rng.choice([16, 64, 256, 1024])))
    if n_first:
        path.write_bytes(damaged(content[:n_first], rng) + content[n_first:])


def extreme_words(path: Path, rng: np.random.Generator) -> None:
    """Some words of four bytes are as large, or as negative, as they can be."""
    content = bytearray(path.read_bytes())
    words = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\0\0\xc0\x7f")
    for _ in range(rng.integers(1, 6)):
        start = 4 * int(rng.integers(0, max(1, len(content) // 4)))
        content[start : start + 4] = words[rng.integers(len(words))]
    path.write_bytes(content)


BYTES = (cut_off, flipped, flipped_at_the_start, extreme_words)


# ---- arrays --------------------------------------------------------------------------------------


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


# ---- HDF5 ----------------------------------------------------------------------------------------


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


# ---- texts ---------------------------------------------------------------------------------------


def odd_text(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A text in which some cells, numbers or lines are others."""
    if path.name == "params.py" and rng.random() < 0.6:
        path.write_text(CODE[rng.integers(len(CODE))].replace("{opened!r}", repr(str(opened))))
        return
    text = path.read_text(encoding="utf-8", errors="replace")
    lines = text.split("\n")
    for _ in range(rng.integers(1, 4)):
        # The first lines matter most: they name the columns and decide their dtypes.
        number = rng.integers(len(lines) if rng.random() < 0.5 else min(3, len(lines)))
        lines[number] = _odd_line(lines[number], rng)
    if rng.random() < 0.1:
        lines = [lines[0], *lines]
    path.write_bytes("\n".join(lines).encode("utf-8", errors="surrogatepass"))


def _odd_line(line: str, rng: np.random.Generator) -> str:
    parts = re.split(r"([,\t;= ])", line)
    place = 2 * int(rng.integers((len(parts) + 1) // 2))
    parts[place] = str(TEXTS[rng.integers(len(TEXTS))])
    return "".join(parts) if rng.random() < 0.9 else line + "".join(parts)


def odd_json(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A JSON in which a value or two are others, missing, or deep."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return odd_text(path, rng, opened)
    if rng.random() < 0.1:
        path.write_text("[" * 100_000 + "]" * int(rng.integers(2)) * 100_000)
        return None
    for _ in range(rng.integers(1, 3)):
        value = _with_odd_part(value, rng)
    path.write_text(json.dumps(value))
    return None


def _with_odd_part(value: Any, rng: np.random.Generator) -> Any:
    """Down from the top to any part of it, which is another."""
    if not value or not isinstance(value, dict | list) or rng.random() < 0.1:
        return copy.deepcopy(JSON_VALUES[rng.integers(len(JSON_VALUES))])
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[rng.integers(len(keys))]
    if rng.random() < 0.1:
        del value[key]
    else:
        value[key] = _with_odd_part(value[key], rng)
    return value


# ---- MATLAB 5, Parquet ---------------------------------------------------------------------------


def odd_matlab(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A MATLAB file with others in a cell, a field or a variable; 7.3 as any HDF5."""
    if h5py.is_hdf5(path):
        return odd_hdf5(path, rng, opened)
    import scipy.io

    file = scipy.io.loadmat(path)
    variables = {name: value for name, value in file.items() if not name.startswith("__")}
    name, value = next(iter(variables.items()))
    odd = odd_array(np.linspace(0.0, 6.0, 1200), rng, opened)
    odd = odd if odd.dtype.kind in "iufbcU" else np.array(TEXTS[:-1], dtype=object)
    if rng.random() < 0.2:
        variables[name] = odd
    elif value.dtype.names is None:
        value[0, rng.integers(value.shape[1])] = odd
    else:
        field = value[0, 0][str(rng.choice(value.dtype.names))]
        if field.dtype.kind == "O" and rng.random() < 0.7:
            field[0, rng.integers(field.shape[1])] = odd
        else:
            value[0, 0][str(rng.choice(value.dtype.names))] = odd
    with suppress(TypeError, ValueError, UnicodeError):
        scipy.io.savemat(path, variables)
    return None


def odd_parquet(path: Path, rng: np.random.Generator, opened: Path) -> None:
    """A Parquet file in which a column is another, missing, or nested."""
    import pandas as pd

    table = pd.read_parquet(path)
    name = str(rng.choice(table.columns))
    odd = odd_array(table[name].to_numpy(), rng, opened)
    n_rows = len(table)
    odd = np.resize(odd, n_rows) if odd.size and odd.dtype.kind != "O" else None
    makers: tuple[Callable[[], Any], ...] = (
        lambda: table.assign(**{name: odd}),
        lambda: table.assign(**{name: odd}),
        lambda: table.drop(columns=name),
        lambda: table.rename(columns={name: str(rng.choice(TEXTS[:-1]))}),
        lambda: table.iloc[:0],
        lambda: table.assign(**{name: [[1.0, 2.0]] * n_rows}),
        lambda: table.assign(**{name: pd.Categorical(table[name])}),
        lambda: table.assign(**{name: pd.to_datetime(np.arange(n_rows))}),
        lambda: table.assign(**{name: [b"\xff\x00"] * n_rows}),
        lambda: table.assign(**{name: pd.array([None, *range(1, n_rows)], dtype="Int64")}),
        lambda: table.set_index(name),
        lambda: table.set_index(list(table.columns)),
    )
    with suppress(Exception):  # pyarrow cannot store all of it
        makers[rng.integers(len(makers))]().to_parquet(path)


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


# ---- folders -------------------------------------------------------------------------------------


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
