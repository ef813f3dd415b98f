from dataclasses import fields, replace

import numpy as np
import pytest
from tests.results.test_result import small_result

from spikeweft.errors import InputError
from spikeweft.results.correlograms import Correlograms
from spikeweft.results.result import read_result, write_result


def made(rng, first=(0, 1), second=(2, 2)):
    counts = rng.poisson(20.0, (4, len(first), 5)).astype(float)
    names = ("observed", "expected", "null", "connected")
    return Correlograms(
        first=np.array(first, dtype=int),
        second=np.array(second, dtype=int),
        lags_s=0.001 * np.arange(-2, 3),
        **dict(zip(names, counts, strict=True)),
    )


def test_positive_lags_are_those_of_the_postsynaptic_spike_behind_the_presynaptic():
    kept = made(np.random.default_rng(0))
    there, back = kept.between(post=1, pre=2), kept.between(post=2, pre=1)
    np.testing.assert_array_equal(there.observed, kept.observed[1])
    np.testing.assert_array_equal(back.observed, kept.observed[1, ::-1])
    np.testing.assert_array_equal(back.lags_s, kept.lags_s)
    assert kept.between(post=0, pre=1) is None


@pytest.mark.parametrize("n_pairs", [0, 2])
def test_correlograms_are_written_and_read_back(tmp_path, n_pairs):
    rng = np.random.default_rng(0)
    kept = made(rng, first=(0, 1)[:n_pairs], second=(2, 2)[:n_pairs])
    write_result(tmp_path, small_result(rng, correlograms=kept))
    again = read_result(tmp_path).correlograms
    for field in fields(Correlograms):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(kept, field.name))


def test_a_result_of_an_earlier_version_has_no_correlograms(tmp_path):
    rng = np.random.default_rng(0)
    write_result(tmp_path, small_result(rng, correlograms=made(rng)))
    (tmp_path / "correlograms.nc").unlink()
    assert read_result(tmp_path).correlograms is None


def test_no_correlogram_of_an_earlier_result_survives_a_later_one(tmp_path):
    rng = np.random.default_rng(0)
    write_result(tmp_path, small_result(rng, correlograms=made(rng)))
    write_result(tmp_path, small_result(rng))
    assert read_result(tmp_path).correlograms is None


def test_correlograms_of_other_neurons_are_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(InputError, match="of a neuron 9 but the inferred circuit has 3"):
        small_result(rng, correlograms=replace(made(rng), second=np.array([2, 9])))


def test_damaged_correlograms_are_named(tmp_path):
    rng = np.random.default_rng(0)
    write_result(tmp_path, small_result(rng, correlograms=made(rng)))
    (tmp_path / "correlograms.nc").write_bytes(b"CDF")
    with pytest.raises(InputError, match=r"correlograms\.nc is damaged"):
        read_result(tmp_path)
