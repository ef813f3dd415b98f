import numpy as np
import pytest

from spikeweft.cli import main
from spikeweft.cli.commands.infer import infer
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.errors import InputError
from spikeweft.inference.sweep.grid import Grid, planned


@pytest.fixture
def sorted_folder(tmp_path, monkeypatch):
    """A recording that is a folder, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "kilosort4"
    folder.mkdir()
    np.save(folder / "spike_times.npy", np.arange(0, 300_000, 1_000))
    np.save(folder / "spike_clusters.npy", np.arange(300) % 3)
    (folder / "params.py").write_text("sample_rate = 30000\n")
    return folder


@pytest.mark.parametrize("given", ["kilosort4", "kilosort4/", "."])
def test_a_result_does_not_take_the_name_of_a_recording_that_is_a_folder(
    sorted_folder, monkeypatch, tmp_path, given
):
    asked = []

    def infer_nothing(inference, *_, **__):
        asked.append(inference.folder.name)
        raise InputError("nothing is inferred")

    monkeypatch.chdir(sorted_folder if given == "." else tmp_path)
    with pytest.raises(InputError, match="nothing is inferred"):
        infer(type(tmp_path)(given), infer_by=infer_nothing)
    assert asked == ["kilosort4-circuit"]


@pytest.mark.parametrize(
    ("words", "window_s"),
    [([], USUAL_WINDOW_S), (["--event-window-s", "-0.25", "0.4"], (-0.25, 0.4))],
)
def test_an_event_and_its_window_are_asked_for_as_covariates_are(
    sorted_folder, monkeypatch, words, window_s
):
    asked = []

    def infer_nothing(inference, *_, **__):
        asked.append(inference)
        raise InputError("nothing is inferred")

    monkeypatch.setattr("spikeweft.inference.run.infer", infer_nothing)
    assert main(["infer", "kilosort4", "--covariates", "trials.cue_time", *words]) == 2
    assert asked[0].selection.covariates == ("trials.cue_time",)
    assert asked[0].selection.event_window_s == window_s
    assert asked[0].command.endswith(" ".join(["trials.cue_time", "--seed", "0"])) == (not words)
    assert ("--event-window-s -0.25 0.4" in asked[0].command) == bool(words)


def test_a_sweep_takes_folders_and_names_fits_by_what_is_read_of_them(sorted_folder, tmp_path):
    (first,) = planned(Grid(recordings=(sorted_folder,)), tmp_path / "out")
    assert first.folder.name.startswith("kilosort4-")
    (sorted_folder / "temp_wh.dat").write_bytes(b"raw traces")
    (again,) = planned(Grid(recordings=(sorted_folder,)), tmp_path / "out")
    assert again.folder.name == first.folder.name
    np.save(sorted_folder / "spike_clusters.npy", np.arange(300) % 4)
    (changed,) = planned(Grid(recordings=(sorted_folder,)), tmp_path / "out")
    assert changed.folder.name != first.folder.name


def test_a_folder_that_is_no_recording_is_one_sentence_on_the_command_line(tmp_path, capsys):
    (tmp_path / "traces.dat").write_bytes(b"raw traces")
    assert main(["infer", str(tmp_path), str(tmp_path / "result")]) == 2
    assert "which is no recording; give a folder of Phy, Kilosort" in capsys.readouterr().err


def test_workers_are_of_one_place(sorted_folder, capsys):
    words = ["infer", str(sorted_folder), "--workers", "2", "--scheduler", "tcp://node:8786"]
    assert main(words) != 0
    assert "--workers and --scheduler name different places" in capsys.readouterr().err


def test_workers_that_have_nothing_to_do_are_said(sorted_folder, capsys):
    main(["infer", str(sorted_folder), "--workers", "1"])
    said = capsys.readouterr().err
    assert "3 neurons are fitted by this process alone" in said
    assert "more than 500" in said
