import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.benchmark.conftest import FITS, Broken, PatternOnly, case

from spikeweft.benchmark import studies
from spikeweft.benchmark.datasets import simulated
from spikeweft.benchmark.figures.stored_circuits import stored
from spikeweft.benchmark.methods import Method
from spikeweft.benchmark.rows import read_rows
from spikeweft.benchmark.run import run
from spikeweft.cli import main
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator

ROOT = Path(__file__).parents[2]


class Slow(CircuitEstimator):
    def fit(self, X, y=None):
        time.sleep(300)


def test_a_row_is_not_made_twice(tmp_path, here):
    cases = [case(seed=seed) for seed in (1, 2)]
    table = run(cases, tmp_path)
    before = table.read_text()
    run([*cases, case(seed=3)], tmp_path)
    assert len(FITS) == 3
    assert table.read_text().startswith(before)
    assert [row.seed for row in read_rows(table)] == [1, 2, 3]


def test_force_makes_the_chosen_rows_anew_and_keeps_the_others(tmp_path, here):
    run([case(seed=1), case(seed=2)], tmp_path)
    table = run([case(seed=1)], tmp_path, force=True)
    assert len(FITS) == 3
    assert [row.seed for row in read_rows(table)] == [2, 1]


def test_a_fit_that_two_tables_show_is_made_once(tmp_path, here):
    first, second = case(), case(table="partial")
    rows = read_rows(run([first, second, replace(second, n_observed=6)], tmp_path))
    assert len(FITS) == 2
    assert [row.table for row in rows] == ["1", "partial", "partial"]
    assert rows[1] == replace(rows[0], table="partial", command=second.command)
    assert rows[2].delta != rows[1].delta
    circuits = [stored(tmp_path, row).inferred.weights for row in rows[:2]]
    np.testing.assert_array_equal(*circuits)


def test_force_does_not_take_a_fit_from_another_table(tmp_path, here):
    run([case()], tmp_path)
    run([case(table="partial")], tmp_path, force=True)
    assert len(FITS) == 2


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path, here):
    cases = [case(seed=seed) for seed in range(4)]

    def stop(progress):
        if progress.number == 2 and progress.row:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(cases, tmp_path, on_progress=stop)
    assert len(read_rows(tmp_path / "paper.csv")) == 2
    table = run(cases, tmp_path)
    assert len(FITS) == 4
    assert [row.seed for row in read_rows(table)] == [0, 1, 2, 3]


def test_data_are_simulated_once_for_all_methods(tmp_path, here):
    run([case(), case(PatternOnly), case(n_observed=7), case(seed=5)], tmp_path)
    assert [function for function in here if function is simulated] == [simulated] * 2


def test_a_method_that_fails_is_a_row_that_says_why_and_is_tried_again(tmp_path, here):
    cases = [case(Broken), case()]
    table = run(cases, tmp_path)
    failed, good = read_rows(table)
    assert failed.failed == "the spikes ran out"
    assert np.isnan(failed.delta)
    assert not good.failed
    run(cases, tmp_path)
    assert len(FITS) == 1
    assert {row.method for row in read_rows(table)} == {"Broken", "CoincidenceCounter"}


def test_a_method_that_is_not_installed_is_a_row_too(tmp_path, here):
    missing = Method(name="missing", estimator="spikeweft.baselines.nowhere.Nothing")
    table = run([replace(case(), method=missing)], tmp_path)
    assert "missing cannot be imported" in read_rows(table)[0].failed


def test_a_table_of_another_kind_is_not_overwritten(tmp_path, here):
    (tmp_path / "paper.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="not a table that this version writes"):
        run([case()], tmp_path)
    assert (tmp_path / "paper.csv").read_text() == "a,b\n1,2\n"


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made"):
        run([case()], tmp_path / "file")


def test_two_benchmarks_do_not_share_a_folder(tmp_path, here):
    def second(_):
        with pytest.raises(InputError, match="another benchmark is at work"):
            run([case(seed=2)], tmp_path)

    table = run([case(seed=1)], tmp_path, on_progress=second)
    assert [row.seed for row in read_rows(table)] == [1]
    assert not (tmp_path / "lock").exists()


@pytest.mark.slow
def test_a_killed_run_loses_only_the_case_in_flight_and_leaves_no_fit_behind(tmp_path):
    code = (
        "from pathlib import Path; from tests.benchmark.test_run import *\n"
        "if __name__ == '__main__': run([case(PatternOnly), case(Slow)], Path('.'))"
    )
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    (tmp_path / "script.py").write_text(code)
    process = subprocess.Popen(
        [sys.executable, "script.py"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": paths}
    )
    try:
        while not (tmp_path / "paper.csv").exists() or not _children(process.pid):
            assert process.poll() is None
            time.sleep(0.05)
        in_flight = _children(process.pid)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    (row,) = read_rows(tmp_path / "paper.csv")
    assert row.method == "PatternOnly"
    until = time.monotonic() + 60
    while any(_is_running(child) for child in in_flight) and time.monotonic() < until:
        time.sleep(0.1)
    assert not any(_is_running(child) for child in in_flight)


def _children(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    if not children.exists():
        pytest.skip("this system does not list the children of a process")
    return [int(child) for child in children.read_text().split()]


def _is_running(pid):
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nState:\tZ" not in status.read_text()


def test_without_its_file_the_network_of_others_is_left_out(tmp_path, here, capsys):
    assert main(["benchmark", "wirings", str(tmp_path), "--table", "spycon"]) == 2
    printed = capsys.readouterr()
    assert "name its file with --spycon FILE" in printed.out
    assert "there is no table 'spycon' here; choose simulated" in printed.err


def test_the_command_line_shows_tables_and_figures_again(tmp_path, here, capsys):
    run([case()], tmp_path)
    FITS.clear()
    assert main(["benchmark", "figures", str(tmp_path)]) == 0
    assert "### Table 1: ring, LNP neurons" in capsys.readouterr().out
    assert not FITS
    assert main(["benchmark", "figures", str(tmp_path / "empty")]) == 2
    assert "run 'spikeweft benchmark paper" in capsys.readouterr().err


def test_the_command_line_says_what_runs_and_what_came_of_it(tmp_path, here, capsys, monkeypatch):
    monkeypatch.setattr(studies, "paper", lambda *_: [case(), case(Broken), case(n_observed=7)])
    assert main(["benchmark", "paper", str(tmp_path)]) == 0
    printed = capsys.readouterr()
    assert "\n1 of 3: CoincidenceCounter on 1, ring, LNP neurons, seed 0: Δ 0." in printed.err
    assert "2 of 3: Broken on 1, ring, LNP neurons, seed 0: failed: the spikes ran" in printed.err
    assert "| CoincidenceCounter |" in printed.out


def test_the_command_line_refuses_what_a_study_does_not_have(tmp_path, capsys):
    assert main(["benchmark", "paper", str(tmp_path / "out"), "--methods", "GLM"]) == 2
    assert "there is no method 'GLM' here" in capsys.readouterr().err
    assert main(["benchmark", "wirings", str(tmp_path / "out"), "--spycon", "nowhere.npz"]) == 2
    assert "no file nowhere.npz" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
