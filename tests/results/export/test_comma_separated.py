import numpy as np
import pandas as pd
import pytest
from tests.results.export.conftest import three_units

from spikeweft.errors import InputError
from spikeweft.results.export.choice import Choice
from spikeweft.results.export.comma_separated import write_csv

TEXTS = {"pre", "post", "pre_cell_type", "post_cell_type"}


def read(path):
    """Numbers from text by Python, since older pandas reads some a bit off."""
    cells = pd.read_csv(path, dtype=str, keep_default_na=False)
    numbers = {name: [float(cell or "nan") for cell in cells[name]] for name in {*cells} - TEXTS}
    return cells.assign(**numbers)


def test_a_table_is_read_back_as_it_was(circuit, tmp_path):
    assert write_csv(tmp_path / "c.csv", circuit, Choice()) == 2
    wanted = circuit.to_pandas()
    pd.testing.assert_frame_equal(
        read(tmp_path / "c.csv"), wanted, check_exact=True, check_dtype=False
    )
    assert np.isnan(wanted["latency_s"]).sum() == 1


def test_names_with_commas_quotes_and_line_ends_are_kept(tmp_path):
    names = ("a,b", 'the "big" one', "two\nlines")
    circuit = three_units(neuron_ids=names)
    write_csv(tmp_path / "c.csv", circuit, Choice())
    found = read(tmp_path / "c.csv")
    assert list(found["pre"]) == list(circuit.to_pandas()["pre"])
    assert {*found["pre"], *found["post"]} == set(names)


def test_a_circuit_without_connections_is_a_header(circuit, tmp_path):
    assert write_csv(tmp_path / "c.csv", circuit, Choice(threshold=100.0)) == 0
    (header,) = (tmp_path / "c.csv").read_text().splitlines()
    assert header.startswith("pre,post,weight,standard_error,probability,latency_s")


@pytest.mark.parametrize("name", ["a\rb", "a\0b", "\x1b[31mred"])
def test_a_name_that_would_be_misread_is_refused(tmp_path, name):
    with pytest.raises(InputError, match="control character"):
        write_csv(tmp_path / "c.csv", three_units(neuron_ids=(name, "8", "9")), Choice())
    assert list(tmp_path.iterdir()) == []


def test_numbers_keep_all_their_digits(tmp_path):
    weights = np.array([[0.0, 0.1 + 0.2], [1e-300, 0.0]])
    circuit = type(three_units())(weights=weights)
    write_csv(tmp_path / "c.csv", circuit, Choice())
    assert list(read(tmp_path / "c.csv")["weight"]) == [0.1 + 0.2, 1e-300]
