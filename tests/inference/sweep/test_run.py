"""Sweeps on real clusters on this machine; where the fits themselves do not matter, quick ones."""

import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

from spikeweft.cli import main
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.inference.cluster import cluster_at, local_cluster, slurm_cluster
from spikeweft.inference.settings import Inference
from spikeweft.inference.sweep.grid import Grid, planned
from spikeweft.inference.sweep.run import check_folder, fits_folder, sweep
from spikeweft.inference.sweep.table import read_rows
from spikeweft.results.result import Result, read_result, write_result
from spikeweft.results.unfinished_folder import CHECKPOINT, partial_of
from spikeweft.runtime.training_loop import Progress

KILLS, WAITS, FAILS = 13, 7, 99
"""Seeds of quick fits that kill their worker, wait to be killed with it, or fail at first."""


def quick_infer(inference):
    """A result that took no time, and a line that tells of its start."""
    folder = inference.folder
    with (folder.parent.parent / "starts").open("a") as starts:
        starts.write(f"{inference.seed} {os.getpid()}\n")
    if inference.seed == KILLS:
        os.kill(os.getpid(), signal.SIGKILL)
    was_killed = folder.parent.parent / "killed"
    while inference.seed == WAITS and not was_killed.exists():
        time.sleep(0.05)
    if inference.seed == FAILS and not was_killed.exists():
        raise InputError("these spikes cannot be fitted; record others")
    partial = folder.with_name(folder.name + ".partial")
    partial.mkdir()
    write_result(partial, quick_result(inference))
    partial.rename(folder)


def quick_result(inference: Inference) -> Result:
    sample = Recording.from_arrays(np.array([0.0, 1.0]), np.array([0, 1]))
    step = Progress(stage="all", step=1, loss=0.0, held_out_bits_per_spike=0.0)
    return Result(
        connectivity=Connectivity(weights=np.full((2, 2), float(inference.seed))),
        metrics={"bits_per_spike": 1.0, "delta": 0.25, "seconds": 0.5, "n_neurons": 2},
        history=[step],
        sample=sample,
        warnings=[],
        provenance={"seed": inference.seed, "versions": {"numpy": "1"}, "date": "2026-01-01"},
        model_arrays={"weights": np.zeros(2)},
        model_settings={},
    )


@pytest.fixture(scope="module")
def cluster():
    """Two workers on this machine, whose fits take no time."""
    with local_cluster(2) as cluster:
        cluster.client.wait_for_workers(2)
        yield nullcontext(cluster)


@pytest.fixture
def recording(tmp_path):
    """Three neurons, six seconds: a fit of them takes about a second."""
    rng = np.random.default_rng(0)
    path = tmp_path / "three.npz"
    times = np.sort(rng.integers(0, 60_000, 900)) * 1e-4
    np.savez(path, spike_times=times, spike_units=rng.integers(3, size=900), start=0.0, stop=6.0)
    return path


def fits(recording, folder, *seeds) -> list[Inference]:
    return planned(Grid(recordings=(recording,), seeds=seeds), fits_folder(folder))


def starts(folder) -> Counter:
    lines = (folder / "starts").read_text().splitlines()
    return Counter(int(line.split()[0]) for line in lines)


# ---- what is made


@pytest.mark.slow
def test_every_fit_is_made_once_and_has_a_row(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    rows = sweep(fits(recording, folder, 0, 1, 2, 3), folder, cluster, make=quick_infer)
    assert [row.seed for row in rows] == [0, 1, 2, 3]
    assert {row.delta for row in rows} == {0.25}
    again = sweep(fits(recording, folder, 0, 1, 2, 3, 4), folder, cluster, make=quick_infer)
    assert again[:4] == rows
    assert starts(folder) == dict.fromkeys(range(5), 1)
    assert read_rows(folder / "sweep.csv") == again


@pytest.mark.slow
def test_the_table_keeps_fits_of_earlier_sweeps(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    sweep(fits(recording, folder, 0), folder, cluster, make=quick_infer)
    assert len(sweep(fits(recording, folder, 1), folder, cluster, make=quick_infer)) == 1
    assert [row.seed for row in read_rows(folder / "sweep.csv")] == [0, 1]


@pytest.mark.slow
def test_a_fit_that_failed_says_why_and_is_tried_again(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    good, bad = sweep(fits(recording, folder, 0, FAILS), folder, cluster, make=quick_infer)
    assert (good.failed, bad.failed) == (None, "these spikes cannot be fitted; record others")
    assert read_rows(folder / "sweep.csv")[1] == bad
    (folder / "killed").touch()
    assert [
        row.failed
        for row in sweep(fits(recording, folder, 0, FAILS), folder, cluster, make=quick_infer)
    ] == [None, None]
    assert starts(folder) == {0: 1, FAILS: 2}


@pytest.mark.slow
def test_two_sweeps_do_not_share_a_folder(cluster, recording, tmp_path):
    folder = tmp_path / "out"

    def second(_):
        with pytest.raises(InputError, match="another sweep is at work"):
            sweep(fits(recording, folder, 1), folder, cluster, make=quick_infer)

    sweep(fits(recording, folder, 0), folder, cluster, second, make=quick_infer)


@pytest.mark.slow
def test_workers_have_one_thread_each(cluster):
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    client = cluster.enter_result.client
    client.wait_for_workers(2)  # one was killed by a test before, and another takes its place
    environments = client.run(lambda: [os.environ[name] for name in names])
    assert list(environments.values()) == [["1"] * 3] * 2
    assert set(client.nthreads().values()) == {1}


@pytest.mark.slow
def test_a_scheduler_that_runs_already_serves_as_well(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    same_workers = cluster_at(cluster.enter_result.client.scheduler.address)
    (row,) = sweep(fits(recording, folder, 0), folder, same_workers, make=quick_infer)
    assert row.failed is None


@pytest.mark.slow
def test_a_scheduler_to_which_no_worker_comes_is_one_sentence(recording, tmp_path, monkeypatch):
    monkeypatch.setattr("spikeweft.inference.cluster.NO_WORKER_S", 1.0)
    folder, stages = tmp_path / "out", []
    with local_cluster(0) as nobody:
        place, one = cluster_at(nobody.client.scheduler.address), fits(recording, folder, 0)
        with pytest.raises(InputError, match="no worker has joined the cluster"):
            sweep(one, folder, place, make=quick_infer, on_stage=stages.append)
    assert stages == ["waiting for workers"]


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_one_sentence(monkeypatch):
    monkeypatch.setattr("spikeweft.inference.cluster._CONNECT_S", 1)
    with (
        pytest.raises(InputError, match="no Dask scheduler answers"),
        cluster_at("tcp://127.0.0.1:9"),
    ):
        pass


# ---- what goes wrong


@pytest.mark.slow
def test_a_killed_worker_costs_only_the_fit_it_was_making(cluster, recording, tmp_path):
    folder = tmp_path / "out"

    def kill_who_waits(progress):
        """Once another fit has its row."""
        while progress.n_done == 1 and not (folder / "killed").exists():
            begun = dict(line.split() for line in (folder / "starts").read_text().splitlines())
            if str(WAITS) in begun:
                os.kill(int(begun[str(WAITS)]), signal.SIGKILL)
                (folder / "killed").touch()

    rows = sweep(
        fits(recording, folder, WAITS, 0, 1, 2), folder, cluster, kill_who_waits, make=quick_infer
    )
    assert [row.failed for row in rows] == [None] * 4
    assert starts(folder) == {WAITS: 2, 0: 1, 1: 1, 2: 1}


@pytest.mark.slow
def test_a_fit_that_kills_its_worker_fails_and_takes_no_other_with_it(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    rows = sweep(fits(recording, folder, KILLS, *range(6)), folder, cluster, make=quick_infer)
    assert "killed again and again" in rows[0].failed
    assert [row.failed for row in rows[1:]] == [None] * 6
    order = [int(line.split()[0]) for line in (folder / "starts").read_text().splitlines()]
    # Twice among others and twice alone, less where a dying worker took one that it had not begun.
    assert 2 <= order.count(KILLS) <= 4
    assert order[-1] == KILLS


def advance_and_be_killed(inference):
    """A fit that saves a step each time before the time of its worker is up; it needs four."""
    partial = partial_of(inference.folder)
    partial.mkdir(exist_ok=True)
    n_steps = len(list(partial.glob("step*")))
    if n_steps < 4:
        (partial / f"step{n_steps}").touch()
        (partial / CHECKPOINT).write_text(str(n_steps))
        os.kill(os.getpid(), signal.SIGKILL)
    shutil.rmtree(partial)
    quick_infer(inference)


@pytest.mark.slow
def test_a_fit_that_takes_longer_than_its_workers_live_goes_on(cluster, recording, tmp_path):
    folder = tmp_path / "out"
    (row,) = sweep(fits(recording, folder, 0), folder, cluster, make=advance_and_be_killed)
    assert row.failed is None
    assert starts(folder) == {0: 1}


# ---- the real thing, in a process of its own


def start(*words, **options) -> subprocess.Popen:
    code = "from spikeweft.cli import main; raise SystemExit(main())"
    return subprocess.Popen(
        [sys.executable, "-c", code, "sweep", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    )


def finished(folder) -> dict[str, int]:
    """When each fit that is there was made."""
    if not fits_folder(folder).exists():
        return {}
    return {
        path.name: (path / "connectivity.nc").stat().st_mtime_ns
        for path in fits_folder(folder).iterdir()
        if path.suffix != ".partial"
    }


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_an_interrupted_one_is_quiet(recording, tmp_path):
    folder = tmp_path / "out"
    words = (recording, folder, "--seeds", "0", "1", "2", "3", "--workers")
    for n_workers, end, status in (
        ("2", signal.SIGKILL, -9),
        ("1", signal.SIGINT, 130),
        ("1", 0, 0),
    ):
        before = finished(folder)
        with start(*words, n_workers) as process:
            while (
                end is not None and process.poll() is None and len(finished(folder)) <= len(before)
            ):
                time.sleep(0.02)
            if end:
                os.killpg(process.pid, end)  # as Ctrl-C does, all processes hear it
            _, said = process.communicate()
        assert process.returncode in {status, 0}
        assert "Traceback" not in said
        assert before.items() <= finished(folder).items()
        if process.returncode == 130:
            assert said.strip().endswith("run the same command to continue")
    rows = read_rows(folder / "sweep.csv")
    assert [row.failed for row in rows] == [None] * 4
    for row in rows:
        result = read_result(fits_folder(folder) / row.fit)
        assert result.provenance["seed"] == row.seed


@pytest.mark.slow
def test_slurm_jobs_make_fits_and_are_replaced_when_lost(recording, tmp_path, monkeypatch):
    """A stand-in for Slurm, which starts a job at once, and ends it when it is cancelled."""
    write_program(
        tmp_path / "bin" / "sbatch",
        f'cp "$1" {tmp_path}/job.sh; setsid bash {tmp_path}/job.sh > {tmp_path}/job.log 2>&1 &\n'
        f'echo $! >> {tmp_path}/jobs; echo "Submitted batch job $!"',
    )
    write_program(tmp_path / "bin" / "scancel", f"kill -9 -- -$1; echo $1 >> {tmp_path}/cancelled")
    monkeypatch.setattr("spikeweft.inference.cluster._LOST_S", 1.0)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]), prepend=os.pathsep)
    folder = tmp_path / "out"
    asked = dict.fromkeys(("jobs", "account", "interface"))
    asked |= {"cores": 1, "memory": "2GB", "queue": "short", "walltime": "00:10:00"}

    def end_first_job(progress):
        jobs = (tmp_path / "jobs").read_text().split()
        if len(jobs) == 1:
            os.killpg(int(jobs[0]), signal.SIGKILL)

    with slurm_cluster(asked, folder / "slurm") as cluster:
        rows = sweep(
            fits(recording, folder, 0, 1),
            folder,
            nullcontext(cluster),
            end_first_job,
            make=quick_infer,
        )
    assert [row.failed for row in rows] == [None, None]
    script = (tmp_path / "job.sh").read_text()
    for line in ("#SBATCH -p short", "#SBATCH -t 00:10:00", "export OMP_NUM_THREADS=1"):
        assert line in script
    jobs = (tmp_path / "jobs").read_text().split()
    assert len(jobs) == 2
    assert sorted((tmp_path / "cancelled").read_text().split()) == sorted(jobs)


@pytest.mark.slow
def test_a_job_that_slurm_refuses_is_one_sentence(tmp_path, monkeypatch):
    write_program(tmp_path / "bin" / "sbatch", "echo 'sbatch: error: no such queue' >&2; exit 1")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin", prepend=os.pathsep)
    asked = dict.fromkeys(("account", "interface", "queue", "walltime"))
    asked |= {"jobs": 2, "cores": 1, "memory": "2GB"}
    with (
        pytest.raises(InputError, match=r"does not take the jobs \(sbatch: error: no such queue\)"),
        slurm_cluster(asked, tmp_path / "slurm"),
    ):
        pass


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_without_dask_it_says_how_to_get_it(tmp_path, recording, monkeypatch, capsys):
    """Also where the module that needs it was not imported before."""
    monkeypatch.setitem(sys.modules, "distributed", None)
    monkeypatch.delitem(sys.modules, "spikeweft.inference.sweep.run")
    assert main(["sweep", str(recording), str(tmp_path / "out")]) == 2
    assert "pip install 'spikeweft[dask]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["{recording}"], "one or more recordings, and last the folder"),
        (["missing.npz", "{out}"], "there is no file missing.npz"),
        (["{recording}", "{out}", "--queue", "short"], "--queue is for Slurm jobs; add --slurm"),
        (["{recording}", "{out}", "--workers", "2", "--slurm"], "--workers and --slurm name"),
        (["{recording}", "{out}", "--slurm"], "no 'sbatch'"),
        (["{recording}", "{out}", "--workers", "0"], "workers"),
        (["{recording}", "{out}", "--workers", "1.5"], "1.5 is not a whole number"),
        (["{recording}", "{out}", "--slurm", "--jobs", "1.5"], "1.5 is not a whole number"),
        (["{recording}", "{out}", "--seeds", "1", "1.5"], "1.5 is not a whole number"),
        (["{recording}", "{out}", "--hidden", "1.5"], "1.5 is not a whole number"),
        (["{recording}", "{out}", "--block-s", "-1"], "block-s"),
        (["{recording}", "{out}", "--block-s", "5"], "--block-s is for bootstraps; add"),
        (["{recording}", "{out}", "--event-window-s", "0", "1"], "--event-window-s is how long"),
        (["{recording}", "/proc/none/out"], "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(words, sentence, recording, tmp_path, capsys):
    places = {"recording": recording, "out": tmp_path / "out"}
    assert main(["sweep", *(word.format(**places) for word in words)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert said.count("\n") == 1


def test_a_recording_is_not_taken_for_the_folder_of_the_results(recording, tmp_path, capsys):
    """Where that was forgotten; the folder of another sweep, or an empty one, is taken."""
    sorted_folder = tmp_path / "kilosort4"
    sorted_folder.mkdir()
    (sorted_folder / "spike_times.npy").touch()
    for last in (recording, sorted_folder):
        before = sorted(tmp_path.rglob("*"))
        assert main(["sweep", str(recording), str(last)]) == 2
        assert f"{last} is not the folder of a sweep" in capsys.readouterr().err
        assert sorted(tmp_path.rglob("*")) == before
    (sorted_folder / "spike_times.npy").rename(sorted_folder / "sweep.csv")
    for taken in (sorted_folder, tmp_path / "new"):
        check_folder(taken)


def test_fits_of_another_version_in_the_same_table_are_a_warning(recording, tmp_path):
    folder, warnings = tmp_path / "out", []
    asked = fits(recording, folder, 0, 1)
    for inference, made_by in zip(asked, ("0.0.1", version("spikeweft")), strict=True):
        inference.folder.mkdir(parents=True)
        result = quick_result(inference)
        provenance = {**result.provenance, "spikeweft": made_by}
        write_result(inference.folder, replace(result, provenance=provenance))
    sweep(asked, folder, nullcontext(), on_warning=warnings.append)
    (said,) = warnings
    assert f"{folder} holds fits of another version of spikeweft (1 of 2)" in said
    assert "choose another folder, or remove them" in said


@pytest.mark.slow
def test_the_preferred_number_of_hidden_neurons_is_printed(recording, tmp_path, capsys):
    words = ("sweep", str(recording), str(tmp_path / "out"), "--hidden", "0", "1")
    assert main([*words, "--workers", "1"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"three.npz: [01] hidden neurons predict test spikes best\n", printed)
    assert ("prediction still improves" in printed) == ("npz: 1 hidden" in printed)
    assert re.search(r"\n +0 +-?\d\.\d{4} +\d\.\d{4} ± \d\.\d{4} +– +–\n +1 ", printed)
