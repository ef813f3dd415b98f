"""Tables come back from their files as they were, and what is not such a table is refused."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from spikeweft.benchmark import rows as studies
from spikeweft.benchmark.sparse_circuits.rows import read_sparse_rows, write_sparse_rows
from spikeweft.errors import InputError
from spikeweft.results.csv_table import as_cells, read_cells, read_rows, write_cells, write_rows

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
COMMITTED = sorted(BENCHMARKS.rglob("*.csv"))
OF_OTHER_KINDS = ("heading", "sparse")
STUDIES = [
    path for path in COMMITTED if path.stem == path.parent.name and path.stem not in OF_OTHER_KINDS
]


@dataclass(frozen=True, kw_only=True)
class Fit:
    name: str
    n_spikes: int
    delta: float
    holds: bool
    minutes: float | None = None
    note: str | None = None


FITS = [
    Fit(name='a "b", c\nd', n_spikes=3, delta=0.25, holds=True, note="é\t–"),
    Fit(name="", n_spikes=-1, delta=np.inf, holds=False, minutes=0.2),
]


def test_rows_come_back_as_they_were_with_their_types(tmp_path):
    write_rows(tmp_path / "fits.csv", FITS, Fit)
    assert read_rows(tmp_path / "fits.csv", Fit) == FITS


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_the_end_of_a_line_in_a_cell_ends_no_row_for_any_reader(tmp_path, end):
    cells = [{"note": f"one{end}two", "n": "1"}, {"note": "", "n": "2"}]
    write_cells(tmp_path / "notes.csv", cells)
    assert read_cells(tmp_path / "notes.csv") == cells
    with (tmp_path / "notes.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == cells


def test_what_is_not_known_is_an_empty_cell(tmp_path):
    fit = Fit(name="x", n_spikes=1, delta=np.nan, holds=True)
    write_rows(tmp_path / "fits.csv", [fit], Fit)
    assert (tmp_path / "fits.csv").read_text().splitlines()[1] == "x,1,,True,,"
    (read,) = read_rows(tmp_path / "fits.csv", Fit)
    assert np.isnan(read.delta)
    assert read.minutes is read.note is None


def test_a_number_has_six_digits():
    assert as_cells({"a": 1 / 3, "b": 1e-9, "c": 100.0, "d": 7}) == {
        "a": "0.333333",
        "b": "1e-09",
        "c": "100",
        "d": "7",
    }


def test_a_table_without_rows_has_its_columns_and_no_file_has_no_rows(tmp_path):
    assert read_rows(tmp_path / "fits.csv", Fit) == []
    write_rows(tmp_path / "fits.csv", [], Fit)
    assert (tmp_path / "fits.csv").read_text() == "name,n_spikes,delta,holds,minutes,note\n"
    assert read_rows(tmp_path / "fits.csv", Fit) == []


def test_rows_may_have_different_columns(tmp_path):
    write_cells(tmp_path / "costs.csv", [{"n": 1, "seconds": 0.5}, {"n": 2, "mib": "7"}])
    assert (tmp_path / "costs.csv").read_text() == "n,seconds,mib\n1,0.5,\n2,,7\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name,n_spikes\nx,1\n",
        "name,n_spikes,delta,holds,minutes,note\nx,1,0.5,True\n",
        "name,n_spikes,delta,holds,minutes,note\nx,1,0.5,True,,,too,many\n",
        "name,n_spikes,delta,holds,minutes,note\nx,some,0.5,True,,\n",
        "name,n_spikes,delta,holds,minutes,note\nx,1,0.5,perhaps,,\n",
        "name,n_spikes,delta,holds,minutes,note\n\xff\xfe\x00\n",
    ],
)
def test_what_is_no_such_table_is_one_sentence(tmp_path, text):
    (tmp_path / "fits.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match="not a table that this version writes"):
        read_rows(tmp_path / "fits.csv", Fit)


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.name)
def test_a_committed_table_is_written_again_byte_by_byte(path, tmp_path):
    write_cells(tmp_path / "again.csv", read_cells(path))
    assert (tmp_path / "again.csv").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_a_committed_study_is_written_again_cell_by_cell(path, tmp_path):
    studies.write_rows(tmp_path / "again.csv", studies.read_rows(path))
    assert read_cells(tmp_path / "again.csv") == [{"commit": "", **row} for row in read_cells(path)]


def test_the_committed_sparse_circuits_are_written_again_byte_by_byte(tmp_path):
    committed = BENCHMARKS / "sparse" / "sparse.csv"
    write_sparse_rows(tmp_path / "again.csv", read_sparse_rows(committed))
    assert (tmp_path / "again.csv").read_bytes() == committed.read_bytes()
