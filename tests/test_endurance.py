"""Small versions of the trials of benchmarks/endurance.py."""

import importlib
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def endurance():
    """The script as a module that other processes can import too."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        script = importlib.import_module("endurance")
        script.N_NEURONS = 3  # too few for the networks that take most of the time
        yield script
    finally:
        sys.path.remove(str(BENCHMARKS))


def test_an_inference_killed_at_any_moment_reaches_the_same_bits(endurance, tmp_path):
    row = endurance.killed_inferences(2, tmp_path)
    assert row["n_killed"] == row["n_same_bits"] == 2


def test_inputs_that_are_damaged_or_mislead_are_refused_or_give_a_whole_result(endurance, tmp_path):
    row = endurance.fuzz(15, tmp_path)
    assert row["first_fault"] == ""
    assert row["n_refused"] + row["n_fitted"] == 15
    assert row["n_refused"] > 0


def test_damaged_recordings_of_every_kind_are_refused_or_read_whole(endurance, tmp_path):
    for kind in endurance.installed_kinds():
        row = endurance.fuzz_of_readers(kind, 12, tmp_path / kind)
        assert (kind, row["first_fault"]) == (kind, "")
        assert 0 < row["n_refused"] <= 12


def test_fits_in_one_process_leave_nothing_behind(endurance, tmp_path):
    row = endurance.soak(3, tmp_path)
    assert row["mib_after_all"] < 1.2 * row["mib_after_first"] + 50
    assert [path.name for path in tmp_path.iterdir()] == ["r.npz"]
