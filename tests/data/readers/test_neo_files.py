"""Files of formats that Neo reads."""

import pickle
import sys

import numpy as np
import pytest
from tests.data.readers.conftest import TRAINS

from spikeweft.data.readers import neo_files
from spikeweft.data.readers.load import load
from spikeweft.errors import InputError


@pytest.fixture
def neo():
    return pytest.importorskip("neo", reason="Neo is not installed: pip install neo")


def write_nex(path, trains=TRAINS, ticks_hz=40_000.0, stop_s=10.0):
    """A file of NeuroExplorer, laid out as Neo's reader describes it."""
    from neo.rawio import neuroexplorerrawio as layout

    header = np.zeros(1, dtype=layout.GlobalHeader)
    header["signature"], header["version"], header["freq"] = b"NEX1", 104, ticks_hz
    header["tend"], header["nvar"] = int(stop_s * ticks_hz), len(trains)
    units = np.zeros(len(trains), dtype=layout.EntityHeader)
    size = units.dtype.itemsize
    start = 544 + len(trains) * 208
    assert size <= 208
    content = header.tobytes().ljust(544, b"\0")
    ticks = [np.rint(train * ticks_hz).astype("<i4").tobytes() for train in trains]
    for number, data in enumerate(ticks):
        units[number]["name"] = f"sig00{number}a".encode()
        units[number]["n"] = len(data) // 4
        units[number]["offset"] = start + sum(map(len, ticks[:number]))
        content += units[number].tobytes().ljust(208, b"\0")
    path.write_bytes(content + b"".join(ticks))
    return path


def test_a_file_that_neo_knows_becomes_a_recording(neo, tmp_path):
    recording = load(write_nex(tmp_path / "session.nex")).recording
    assert recording.neuron_ids == ("sig000a", "sig001a", "sig002a")
    assert recording.n_spikes.tolist() == [4, 2, 0]
    assert recording.epochs_s.tolist() == [[0.0, 10.0]]
    assert recording.spike_times_s == pytest.approx(np.sort(np.concatenate(TRAINS)))


def test_a_file_that_neo_cannot_read_or_without_spikes_is_one_sentence(neo, tmp_path):
    path = write_nex(tmp_path / "session.nex")
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="cannot be read"):
        load(path)
    with pytest.raises(InputError, match=r"Neo finds no spike trains in .* with 'NeuroExplorerIO'"):
        load(write_nex(tmp_path / "signals.nex", trains=()))


def test_several_blocks_are_not_mixed(neo, tmp_path, monkeypatch):
    monkeypatch.setattr(neo_files, "_REFUSED", ())
    (tmp_path / "made_up.fake").touch()
    with pytest.raises(InputError, match=r"holds 2 blocks of Neo; .* give one of them to from_neo"):
        load(tmp_path / "made_up.fake")


class RunsWhenOpened:
    def __reduce__(self):
        return (exec, ("raise SystemExit('a pickle was opened')",))


def test_nothing_that_neo_would_run_or_make_up_is_read(neo, tmp_path):
    for name in ("block.pkl", "made_up.fake", "trains.txt"):
        (tmp_path / name).write_bytes(pickle.dumps(RunsWhenOpened()))
        with pytest.raises(InputError, match="is not a known file; give a recording in NWB"):
            load(tmp_path / name)


def test_without_neo_other_formats_are_named_with_what_reads_them(tmp_path, monkeypatch):
    (tmp_path / "session.nex").write_bytes(b"NEX1")
    monkeypatch.setitem(sys.modules, "neo", None)
    with pytest.raises(InputError, match=r"many other formats: pip install 'spikeweft\[neo\]'"):
        load(tmp_path / "session.nex")
