"""NumPy's `.npy` files in folders of sortings."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from spikeweft.data.file_contents.sentences import counted
from spikeweft.data.readers.damaged_files import unreadable, with_whole_texts
from spikeweft.errors import InputError


class PickledArrayError(InputError):
    """A `.npy` that holds Python objects."""


def read_array(path: Path) -> np.ndarray:
    """The array in a `.npy`, but no pickled Python objects.

    Raises
    ------
    PickledArrayError
        Where it holds Python objects.
    InputError
        Where the file is damaged.
    """
    with unreadable(path):
        try:
            array = with_whole_texts(np.load(path, allow_pickle=False))
            return array.astype(array.dtype.newbyteorder("="), copy=False)  # as pandas needs it
        except ValueError as error:
            if "pickle" not in str(error):
                raise
            raise PickledArrayError(
                f"{path} holds pickled Python objects, which are never opened; save numbers or "
                "texts in it"
            ) from error


def read_numbers(path: Path) -> Float[np.ndarray, " value"]:
    """The numbers in a `.npy`, which may also be a column of them.

    Raises
    ------
    InputError
        Where it holds something else.
    """
    array = read_array(path)
    if array.dtype.kind not in "iuf" or array.ndim == 0 or array.size != len(array):
        raise InputError(
            f"{path} holds {array.dtype} of the shape {array.shape}, not one number for each "
            "spike; export the sorting again"
        )
    return array.ravel().astype(float)


def read_labels(path: Path, times_path: Path, n_spikes: int) -> Int[np.ndarray, " spike"]:
    """The cluster of each spike.

    Raises
    ------
    InputError
        Where there is not one whole number from 0 on for each spike.
    """
    labels = read_numbers(path)
    if len(labels) != n_spikes:
        raise InputError(
            f"{path} has {len(labels)} clusters for {n_spikes} spikes in {times_path.name}; export "
            "the sorting again, so that each spike has one"
        )
    # Above, neighbours of float64 are not the whole numbers next to them.
    bad = labels[(labels != np.rint(labels)) | (labels < 0) | (labels >= 2**53)]
    if len(bad):
        raise InputError(
            f"{path} holds the cluster {bad[0]:g}; label clusters with whole numbers from 0 on"
        )
    return labels.astype(np.int64)


def seconds_of(
    samples: Float[np.ndarray, " spike"], sampling_rate_hz: float, path: Path
) -> Float[np.ndarray, " spike"]:
    """Times of samples that are counted from 0.

    Raises
    ------
    InputError
        Where they are no such counts.
    """
    negative = samples[samples < 0]
    if len(negative) and np.all(negative == np.rint(negative)):
        raise InputError(
            f"{path} holds {counted(len(negative), 'spike')} before sample 0, the first at "
            f"{negative[0]:,.0f}; samples count from 0, in 64 bits where they are many"
        )
    bad = samples[(samples != np.rint(samples)) | (samples < 0)]
    if len(bad):
        raise InputError(
            f"{path} holds a spike at sample {bad[0]:g}; give samples counted from 0, not seconds"
        )
    return samples / sampling_rate_hz
