"""What can be read: every row of the table in the documentation, written and read once more."""

import csv
import importlib
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"

with (BENCHMARKS / "formats.csv").open(newline="", encoding="utf-8") as table:
    ROWS = list(csv.DictReader(table))


@pytest.fixture(scope="module")
def formats():
    """The script that makes the table, as a module."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        yield importlib.import_module("formats")
    finally:
        sys.path.remove(str(BENCHMARKS))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["recording"])
def test_what_the_library_of_a_format_wrote_comes_back_as_the_table_says(formats, row):
    try:
        version(row["written_by"])
    except PackageNotFoundError:
        pytest.skip(f"what writes it is not installed: pip install {row['written_by']}")
    found = formats.measure(row["recording"], row["written_by"])
    assert found["n_spikes_same"] == found["n_spikes_read"] == found["n_spikes_written"] > 0
    del found["writer_version"]  # of whoever runs the tests
    assert {name: str(value) for name, value in found.items()} == {
        name: row[name] for name in found
    }


def test_the_table_has_every_format_and_no_other(formats):
    described = [one._asdict() for one in formats.FORMATS]
    texts = ("recording", "what_is_read", "extra", "written_by")
    assert [{name: row[name] for name in texts} for row in ROWS] == [
        {name: one[name] for name in texts} for one in described
    ]
