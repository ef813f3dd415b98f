"""Arrays in an `.npz`, and values in them of the kind that is wanted."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float

from spikeweft.data.readers.damaged_files import unreadable, with_whole_texts
from spikeweft.errors import InputError

_LONGEST_SHOWN = 60

_MOST_UNITS = 100_000


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """All arrays of an `.npz` except pickled Python objects, which are never opened."""
    with (
        unreadable(path),
        path.open("rb") as opened,  # NumPy leaves a file open that it fails to read
        np.load(opened, allow_pickle=False) as file,
    ):
        arrays = {}
        for key in file.files:
            try:
                arrays[key] = with_whole_texts(file[key])
            except ValueError as error:
                if "allow_pickle" not in str(error):
                    raise
    return {key: array for key, array in arrays.items() if isinstance(array, np.ndarray)}


def numbers(arrays: Mapping[str, np.ndarray], key: str, path: Path) -> np.ndarray:
    """An array that must hold numbers; as floats, but those that stand for units."""
    array = arrays[key]
    if array.dtype.kind not in "iuf":
        raise InputError(f"'{key}' in {path} holds no numbers but {array.dtype}; store numbers")
    with unreadable(path):  # an empty array may have a shape that float64 cannot have
        return array if key == "spike_units" else array.astype(float)


def texts(arrays: Mapping[str, np.ndarray], key: str) -> list[str]:
    """Names, as text also where they are bytes; none where there is no such array."""
    names = np.ravel(arrays.get(key, ()))
    return [
        name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in names
    ]


def whole_number(arrays: Mapping[str, np.ndarray], key: str, path: Path) -> int | None:
    """One whole number, such as that of units; None where there is no such array."""
    if key not in arrays:
        return None
    number = numbers(arrays, key, path)
    if number.size != 1 or not float(number.item()).is_integer():
        raise InputError(f"'{key}' in {path} is {shown(number)}, not one whole number; correct it")
    if number.item() > _MOST_UNITS:
        raise InputError(f"'{key}' in {path} is {number.item():g}, which is too many; correct it")
    return int(number.item())


def angles(arrays: Mapping[str, np.ndarray], path: Path) -> Float[np.ndarray, " neuron"] | None:
    """Preferred directions; NaN where a neuron has none."""
    if "angle_rad" not in arrays:
        return None
    angle = numbers(arrays, "angle_rad", path).ravel()
    if np.any(np.isinf(angle)):
        raise InputError(f"the angle_rad in {path} is infinite for some; give radians, or NaN")
    return angle


def check_one_each(
    angle_rad: Float[np.ndarray, " neuron"] | None, n_neurons: int, path: Path
) -> None:
    """Refuse preferred directions that are not one for each neuron."""
    if angle_rad is not None and len(angle_rad) != n_neurons:
        raise InputError(
            f"{path} has {len(angle_rad)} preferred directions for {n_neurons} neurons; give one "
            "for each"
        )


def shown(array: np.ndarray) -> str:
    """The array on one line, cut to the length of a sentence."""
    words = " ".join(str(array).split())
    return words if len(words) <= _LONGEST_SHOWN else f"{words[:_LONGEST_SHOWN]}…"
