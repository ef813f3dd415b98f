"""`spikeweft show`, and the options that choose from what it shows."""

import datetime
import json
import warnings

import numpy as np
import pytest

from spikeweft import cli


@pytest.fixture
def nwb_file(tmp_path):
    """Six units in two regions, epochs, invalid times, trials with a cue, and a speed."""
    pynwb = pytest.importorskip("pynwb")
    rng = np.random.default_rng(0)
    nwb = pynwb.NWBFile(
        session_description="made by a test",
        identifier="test",
        session_start_time=datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC),
    )
    nwb.add_unit_column("region", "where")
    for unit in range(6):
        train = np.sort(rng.uniform(0, 60, 300))
        nwb.add_unit(spike_times=train, region="ADn" if unit < 4 else "bell \x07 [red]")
    nwb.add_epoch(0.0, 60.0, ["wake"])
    nwb.add_invalid_time_interval(start_time=50.0, stop_time=60.0, tags=["unplugged"])
    nwb.add_trial_column("cue_time", "when the cue came")
    nwb.add_trial_column("reaction_time", "after the cue")
    for start_s in np.arange(0.0, 60.0, 5.0):
        cue_s = np.nan if start_s == 10.0 else start_s + 1.5
        nwb.add_trial(
            start_time=start_s, stop_time=start_s + 4.0, cue_time=cue_s, reaction_time=0.2
        )
    times = np.arange(600) * 0.1
    nwb.add_acquisition(
        pynwb.TimeSeries(name="speed", data=np.ones(600), timestamps=times, unit="m/s")
    )
    path = tmp_path / "made.nwb"
    with warnings.catch_warnings(), pynwb.NWBHDF5IO(path=path, mode="w") as file:
        warnings.simplefilter("ignore")
        file.write(nwb)
    return path


def test_all_that_can_be_asked_for_is_shown(nwb_file, capsys):
    assert cli.main(["show", str(nwb_file)]) == 0
    shown = capsys.readouterr().out
    for words in ("6 units", "region", "ADn", "wake", "invalid times", "speed", "m/s"):
        assert words in shown
    *_, last = shown.strip().splitlines()
    assert last.startswith("spikeweft infer")
    assert """--epochs wake --units 'region == "ADn"'""" in last
    assert last.endswith("--covariates speed trials.cue_time")


def test_events_are_shown_with_how_often_and_when_they_come(nwb_file, capsys):
    cli.main(["show", str(nwb_file)])
    shown = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines() if line}
    assert shown["trials.cue_time"] == ["trials.cue_time", "11", "1.5", "56.5"]
    assert shown["trials.start_time"] == ["trials.start_time", "12", "0", "55"]
    assert "trials.reaction_time" not in shown  # no time of the recording's clock


def test_what_a_file_says_is_no_command_to_the_terminal(nwb_file, capsys):
    cli.main(["show", str(nwb_file)])
    shown = capsys.readouterr().out
    assert "\x07" not in shown
    assert "[red]" in shown


def test_nothing_is_written(nwb_file):
    before = {path: path.stat().st_mtime_ns for path in nwb_file.parent.iterdir()}
    cli.main(["show", str(nwb_file)])
    assert {path: path.stat().st_mtime_ns for path in nwb_file.parent.iterdir()} == before


def test_units_are_chosen_on_the_command_line(nwb_file, tmp_path, capsys):
    found = tmp_path / "check.json"
    words = ["check", str(nwb_file), "--units", "region == 'ADn'", "--exclude", "2", "--json"]
    assert cli.main([*words, str(found)]) == 0
    capsys.readouterr()
    checked = json.loads(found.read_text())
    assert checked["n_neurons"] == 3
    assert checked["duration_s"] == pytest.approx(50.0)
    said = [finding["summary"] for finding in checked["findings"] if finding["topic"] == "the file"]
    assert "10 s that the file calls invalid are left out." in said
    assert "3 of 6 units are used, as asked for." in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--units", "quality == 'good'"], "its columns are 'id', 'n_spikes', 'rate_hz', 'region'"),
        (["--exclude", "9"], "no unit '9' to exclude"),
        (["--units-table", "mine"], "no table of units 'mine'; choose from 'units'"),
        (["--min-rate-hz", "100"], "none of the 6 units"),
    ],
)
def test_what_is_not_there_is_one_sentence(nwb_file, words, sentence, capsys):
    assert cli.main(["check", str(nwb_file), *words]) == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert printed.startswith("spikeweft: ")
    assert sentence in printed
