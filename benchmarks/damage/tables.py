"""MATLAB and Parquet files that other libraries would write."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from damage.arrays import odd_array, odd_hdf5
from damage.texts import TEXTS


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
