"""Tables with a row for each spike, in text and in Parquet."""

import sys

import numpy as np
import pandas as pd
import pytest

from spikeweft.data.readers.load import load
from spikeweft.errors import InputError

TIMES_S = [0.5, 0.25, 1.5, 2.75]


def a_table(time="time", unit="unit", units=(3, 10, 3, 3), **more):
    return pd.DataFrame({time: TIMES_S, unit: list(units), **more})


@pytest.mark.parametrize(
    ("time", "unit"),
    [
        ("time", "unit"),
        ("Spike_Times", "cluster_id"),
        ("time (s)", "Neuron ID"),
        ("t", "unit_name"),
        ("times", "senders"),
        ("spike_time_sec", "spike_clusters"),
    ],
)
@pytest.mark.parametrize("separator", [",", "\t", ";"])
def test_times_and_units_are_found_by_the_names_of_their_columns(tmp_path, time, unit, separator):
    path = tmp_path / "spikes.csv"
    a_table(time, unit, amplitude=[1.0, 2, 3, 4]).to_csv(path, sep=separator, index=False)
    recording = load(path).recording
    assert recording.neuron_ids == ("3", "10")
    assert recording.spike_times_s.tolist() == sorted(TIMES_S)
    assert recording.spike_neurons.tolist() == [1, 0, 0, 0]


def test_milliseconds_that_a_column_is_named_after_become_seconds(tmp_path):
    table = a_table()
    table["time_ms"] = 1e3 * table.pop("time")
    table.to_csv(tmp_path / "spikes.tsv", sep="\t")
    recording = load(tmp_path / "spikes.tsv").recording
    assert recording.spike_times_s == pytest.approx(sorted(TIMES_S))


def test_a_table_is_known_by_its_first_line_whatever_its_name(tmp_path):
    (tmp_path / "spikes.txt").write_bytes(b'\xef\xbb\xbf"time","unit"\r\n0.5,a\r\n0.75,b\r\n')
    assert load(tmp_path / "spikes.txt").recording.neuron_ids == ("a", "b")


def test_a_column_with_one_value_for_each_unit_chooses_units(tmp_path):
    more = {"region": ["CA1", "CA3", "CA1", "CA3"], "depth": [5.0, np.nan, 5.0, np.nan]}
    table = a_table(units=(3, 10, 3, 10), **more, amplitude=[1.0, 2, 3, 4])
    table.to_csv(tmp_path / "s.csv", index=False)
    assert load(tmp_path / "s.csv", units="region == 'CA3'").recording.neuron_ids == ("10",)
    assert load(tmp_path / "s.csv", units="depth > 1").recording.neuron_ids == ("3",)
    with pytest.raises(InputError, match=r"its columns are 'id', .* 'region', 'depth'$"):
        load(tmp_path / "s.csv", units="amplitude > 1")


@pytest.mark.parametrize("indexed", [False, True])
def test_parquet_is_read_whatever_is_its_index(tmp_path, indexed):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    table = a_table(units=("a", "b", "a", "a"))
    (table.set_index("time") if indexed else table).to_parquet(tmp_path / "spikes")
    recording = load(tmp_path / "spikes").recording
    assert recording.neuron_ids == ("a", "b")
    assert recording.spike_times_s.tolist() == sorted(TIMES_S)


def test_parquet_whose_index_is_a_column_too_is_read_by_its_column(tmp_path):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    a_table().set_index("unit", drop=False).to_parquet(tmp_path / "spikes.parquet")
    assert load(tmp_path / "spikes.parquet").recording.neuron_ids == ("3", "10")
    both = a_table().set_index(["time", "unit"]).assign(unit=[3, 10, 3, 3])
    both.to_parquet(tmp_path / "spikes.parquet")
    assert load(tmp_path / "spikes.parquet").recording.neuron_ids == ("3", "10")


def test_parquet_that_is_damaged_or_without_pyarrow_is_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "cut.parquet").write_bytes(b"PAR1" + bytes(50))
    if "pyarrow" in sys.modules or pytest.importorskip("pyarrow"):
        with pytest.raises(InputError, match="cannot be read"):
            load(tmp_path / "cut.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pyarrow is not installed; .*'spikeweft\[parquet\]'"):
        load(tmp_path / "cut.parquet")


def test_parquet_with_two_columns_of_one_name_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="pip install pyarrow")
    from pyarrow import parquet

    columns = [pyarrow.array([0.5, 0.7])] * 2
    table = pyarrow.Table.from_arrays([*columns, pyarrow.array([1, 2])], ["time", "time", "unit"])
    parquet.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(InputError, match=r"several columns 'time'|cannot be read"):
        load(tmp_path / "twice.parquet")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("when,who\n1,2\n", "columns 'when', 'who' but none for the time of a spike; name one"),
        ("time,who\n1,2\n", "columns 'time', 'who' but none for the unit of a spike; name one"),
        ("0.5,3\n0.7,4\n", "columns '0.5', '3' but none for the time"),
        ("time,t,unit\n1,1,2\n", "several columns that may be the time of a spike, 'time', 't'"),
        ("time,unit,cluster\n1,1,2\n", "several columns that may be the unit of a spike"),
        ("time;unit\n0,5;1\n0,75;2\n", "'time' of .* holds '0,5'; give seconds as numbers"),
        ("time,unit\nx,1\n0.5,2\n", "'time' of .* holds 'x'"),
        ("time,unit\n0.5,\n0.7,2\n", "1 spike in .* have nothing in the column 'unit'"),
        ("time,unit\n,1\n0.7,2\n", "1 spike time in .* are not finite"),
        ("time,unit\n0.5,1.5\n0.7,2\n", "'unit' of .* holds 1.5; give units as whole numbers"),
        ("time,unit\n0.5,inf\n0.7,2\n", "'unit' of .* holds inf"),
        ("time,unit\n0.5,-1\n0.7,2\n", "1 spike in .* have no unit but -1; leave out what was"),
        ("time,unit\n", "holds no spikes"),
        ("time,unit\n1,2,3\n1,2,3\n", "columns 'time', 'unit', but rows with more values"),
        ("", "cannot be read"),
        ("time,unit\n1,2,3,4\n1,2\n1,2,3,4,5\n", "cannot be read"),
    ],
)
def test_a_table_that_holds_no_spikes_is_one_sentence(tmp_path, text, sentence):
    (tmp_path / "spikes.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        load(tmp_path / "spikes.csv")


def test_bytes_that_are_no_text_are_no_table(tmp_path):
    (tmp_path / "spikes.csv").write_bytes(bytes(range(256)) * 10)
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "spikes.csv")


def test_a_value_is_shown_as_far_as_a_sentence_can_hold_it(tmp_path):
    (tmp_path / "spikes.csv").write_text(f"time,unit\n{'x' * 5000},1\n0.5,2\n")
    with pytest.raises(InputError, match=r"holds 'x{79}…'; give seconds as numbers"):
        load(tmp_path / "spikes.csv")
    (tmp_path / "spikes.csv").write_text(f"time,{'x' * 5000}\n0.5,2\n")
    with pytest.raises(InputError, match=r"the columns 'time', 'x{79}…' but none for the unit"):
        load(tmp_path / "spikes.csv")


@pytest.mark.parametrize("unit", ["inf", "1e300", "9007199254740993.0", "-1e19"])
def test_a_unit_that_no_whole_number_names_is_refused(tmp_path, unit):
    (tmp_path / "spikes.csv").write_text(f"time,unit\n0.5,{unit}\n0.7,2.0\n")
    with pytest.raises(InputError, match=r"'unit' of .* holds .*; give units as whole numbers"):
        load(tmp_path / "spikes.csv")


def test_units_named_in_bytes_stay_apart(tmp_path):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    a_table(units=[b"a", b"\xff", b"\xfe", b"a"]).to_parquet(tmp_path / "spikes.parquet")
    assert load(tmp_path / "spikes.parquet").recording.neuron_ids == ("\\xfe", "\\xff", "a")


def test_lists_are_no_units_and_no_columns_of_units(tmp_path):
    pytest.importorskip("pyarrow", reason="pip install pyarrow")
    path = tmp_path / "spikes.parquet"
    a_table(units=[[1], [2], [1, 2], [1]]).to_parquet(path)
    with pytest.raises(InputError, match=r"'unit' of .* holds array.*; give units as whole"):
        load(path)
    a_table(place=[[1.0, 2.0]] * 4).to_parquet(path)
    assert load(path).recording.neuron_ids == ("3", "10")
    with pytest.raises(InputError, match="place"):
        load(path, units="place == 1")
