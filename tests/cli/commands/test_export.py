import numpy as np
import pandas as pd
import pytest
from tests.stand_ins import SteppingCorrelation, quick_infer, ring_of, spikes

from spikeweft import cli
from spikeweft.results.result import read_result
from spikeweft.simulation.storage import save_simulation


@pytest.fixture(autouse=True)
def result(tmp_path, monkeypatch, capsys):
    """The folder of an inference from four neurons."""
    monkeypatch.chdir(tmp_path)
    save_simulation(tmp_path / "ring.npz", spikes(), ring_of(4))
    words = ["infer", "ring.npz", "result"]

    def infer(*given, **options):
        return quick_infer(*given, model=SteppingCorrelation, **options)

    assert cli.main(words, infer_by=infer) == 0
    capsys.readouterr()
    return tmp_path / "result"


def test_a_circuit_goes_out_as_a_table_and_the_count_is_said(result, capsys):
    assert cli.main(["export", "result", "connections.csv"]) == 0
    table = pd.read_csv("connections.csv")
    weights = read_result(result).connectivity.to_sparse()
    assert capsys.readouterr().out == f"connections.csv: {weights.nnz} of 12 pairs of neurons\n"
    np.testing.assert_allclose(weights[table["post"], table["pre"]], table["weight"])


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("result circuit.xlsx", ".csv, .graphml, .nc, .npz, .nwb"),
        ("result circuit.csv --min-probability 0.9", "has no probabilities"),
        ("result circuit.csv --min-probability 2", "from 0 to 1"),
        ("result circuit.csv --threshold nan", "threshold is nan"),
        ("result circuit.csv --into ring.npz", "leave it out"),
        ("result circuit.nc --threshold 1", "leave out --threshold"),
        ("result circuit.nwb", "--into"),
        ("result circuit.nwb --into ring.npz", "not an NWB file"),
        ("result ring.npz --force", "the recording itself"),
        ("ring.npz circuit.csv", "no result folder"),
        ("result", "OUT_FILE"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(tmp_path, capsys, words, names):
    before = sorted(tmp_path.rglob("*"))
    assert cli.main(["export", *words.split()]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("spikeweft: ")
    assert printed.err.count("\n") == 1
    assert names in printed.err
    assert sorted(tmp_path.rglob("*")) == before


def test_export_explains_itself_by_example(capsys):
    assert cli.main(["export", "--help"]) == 0
    assert "Example: spikeweft export" in " ".join(capsys.readouterr().out.split())
