import re

import numpy as np
import pytest
from tests.circuit_gnn.recordings import directed_network

from spikeweft.circuit_gnn import estimator
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.circuit_gnn.fitting import problem
from spikeweft.cli import main
from spikeweft.cli.commands.infer import infer
from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.errors import InputError
from spikeweft.inference import run, two_models
from spikeweft.inference.sweep.grid import Grid, planned
from spikeweft.results.result import read_result
from spikeweft.simulation.networks import simulate


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


@pytest.mark.parametrize(("words", "helps"), [([], True), (["--hidden", "1"], False)])
def test_workers_help_where_neurons_are_fitted_block_by_block(
    sorted_folder, capsys, monkeypatch, words, helps
):
    """Not where hidden neurons tie all together; and none begins before there is work."""

    def fit_nothing(*_, **__):
        raise InputError("nothing is fitted")

    for module in (estimator, problem):
        monkeypatch.setattr(module, "MOST_SEARCHED", 1)
    monkeypatch.setattr(problem, "MOST_TOGETHER", 2)
    monkeypatch.setattr("spikeweft.inference.cluster_workers.local_cluster", fit_nothing)
    monkeypatch.setattr(CircuitGNN, "fit", fit_nothing)
    assert main(["infer", str(sorted_folder), "--workers", "2", *words]) == 2
    said = capsys.readouterr().err
    assert ("3 neurons are fitted by this process alone" in said) != helps
    assert ("for each of 2 workers" in said) == helps


def test_what_the_fits_will_take_is_said_before_they_begin(sorted_folder, capsys, monkeypatch):
    def fit_nothing(*_, **__):
        raise InputError("nothing is fitted")

    monkeypatch.setattr(CircuitGNN, "fit", fit_nothing)
    assert main(["infer", str(sorted_folder)]) == 2
    lines = capsys.readouterr().err.splitlines()
    (said,) = (line for line in lines if line.startswith("expected: "))
    assert re.fullmatch(
        r"expected: about \S+ (s|min|h) and \S+ GB for CircuitGNN, \S+ GB for SynapseModel, "
        r"\S+ GB for PoissonGLM",
        said,
    )


@pytest.mark.slow
def test_workers_of_the_command_line_find_the_same(tmp_path, monkeypatch, capsys):
    """Eight neurons, of which three are searched and held at a time."""
    for module in (estimator, problem):
        monkeypatch.setattr(module, "MOST_SEARCHED", 3)
    monkeypatch.setattr(problem, "MOST_TOGETHER", 4)
    for module in (run, two_models):
        monkeypatch.setattr(module, "no_candidate", lambda *_: "It was not asked.")
    network = simulate(directed_network(8), 20.0, np.random.default_rng(0))
    path = str(tmp_path / "network.npz")
    np.savez(path, spike_times=network.spike_times_s, spike_units=network.spike_neurons)
    for name, words in (("alone", []), ("helped", ["--workers", "2"])):
        assert main(["infer", path, str(tmp_path / name), *words]) == 0
    said = capsys.readouterr().err
    assert "for each of 2 workers" in said
    assert "by this process alone" not in said
    alone, helped = (read_result(tmp_path / name).connectivity for name in ("alone", "helped"))
    np.testing.assert_array_equal(helped.weights, alone.weights)
    np.testing.assert_array_equal(helped.standard_error, alone.standard_error)
    assert alone.weights.any()
