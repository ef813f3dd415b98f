"""Damage that shows neither in the form of a file nor in its numbers."""

import numpy as np
import pytest

from spikeweft.data.readers.damaged_files import with_whole_texts
from spikeweft.data.readers.load import load
from spikeweft.errors import InputError


def texts(*codes, order="<"):
    """Texts of one letter each, whatever its code."""
    return np.array(codes, dtype=f"{order}u4").view(f"{order}U1")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("code", [0x110000, 0x7FC00000, 0xFFFFFFFF])
def test_letters_that_there_are_not_are_found(order, code):
    with pytest.raises(ValueError, match="letters that there are not"):
        with_whole_texts(texts(0x61, code, order=order))


@pytest.mark.parametrize(
    "array", [texts(0x61, 0x10FFFF), np.array([], dtype="U3"), np.array(["", ""]), np.arange(3.0)]
)
def test_other_arrays_are_as_they_were(array):
    assert with_whole_texts(array) is array


def test_names_of_such_letters_are_one_sentence(tmp_path):
    spikes = {"spike_times": np.array([0.1, 0.25]), "spike_units": np.array([0, 1])}
    np.savez(tmp_path / "r.npz", **spikes, neuron_ids=texts(0x61, 0xFFFFFFFF))
    with pytest.raises(InputError, match=r"r\.npz cannot be read \(a text in it has letters"):
        load(tmp_path / "r.npz")
