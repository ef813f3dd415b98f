import numpy as np
from tests.benchmark.conftest import row

from spikeweft.benchmark.rows import read_rows, write_rows
from spikeweft.results.csv_table import read_cells, write_cells


def test_a_row_is_read_as_it_was_written(tmp_path):
    rows = [row(delta=0.25, cramer_rao_delta=np.inf, structure='a "b", c'), row(failed="é\tno")]
    write_rows(tmp_path / "paper.csv", rows)
    again = read_rows(tmp_path / "paper.csv")
    write_rows(tmp_path / "again.csv", again)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "paper.csv").read_bytes()
    assert again[0].delta == 0.25
    assert np.isnan(again[1].delta)
    assert again[0].structure == rows[0].structure


def test_a_table_from_before_rows_had_a_commit_is_still_read(tmp_path):
    write_rows(tmp_path / "paper.csv", [row(delta=0.25, commit="0123456789ab")])
    cells = read_cells(tmp_path / "paper.csv")
    write_cells(
        tmp_path / "paper.csv", [{k: v for k, v in c.items() if k != "commit"} for c in cells]
    )
    (again,) = read_rows(tmp_path / "paper.csv")
    assert (again.delta, again.commit) == (0.25, "")
