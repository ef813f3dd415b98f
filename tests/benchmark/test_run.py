import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import spikeweft.benchmark.run as run_module
from spikeweft.benchmark import methods, studies
from spikeweft.benchmark.datasets import DataSet, recorded, simulated
from spikeweft.benchmark.figures.draw import circuits_gone, draw_figures
from spikeweft.benchmark.figures.stored_circuits import stored
from spikeweft.benchmark.markdown_tables import folder_markdown, markdown, summary
from spikeweft.benchmark.methods import Method
from spikeweft.benchmark.rows import Row, read_rows, write_rows
from spikeweft.benchmark.run import run, weights_file
from spikeweft.benchmark.score import empty_row, fit_and_score
from spikeweft.benchmark.studies import Case
from spikeweft.cli import app, main
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.scored_time import scored_epochs
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator, SpikePredictor
from spikeweft.evaluation.metrics import inference_error, precision_recall_area
from spikeweft.runtime.isolated_call import CallError, alone
from spikeweft.runtime.memory import peak_memory_mb
from spikeweft.simulation.ring_networks import lnp_ring

ROOT = Path(__file__).parents[2]
FITS = []
"""What was fitted in this process, in order."""


class CoincidenceCounter(SpikePredictor):
    """Neurons that fire in the same 20 ms are said to be connected; rates are constant."""

    history_window_s = 0.02

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit(self, X, y=None):
        assert y is None
        FITS.append((type(self).__name__, X))
        self.null_rate_hz_ = X.rate_hz
        weights = np.corrcoef(X.counts(0.02).counts.T)
        self.connectivity_ = Connectivity(weights=weights, angle_rad=X.preferred_angle_rad)
        return self

    def log_likelihood(self, X):
        scored = X.restrict(scored_epochs(X, self.history_window_s))
        rate_hz = np.maximum(self.null_rate_hz_, 1e-3)
        return scored.n_spikes * np.log(rate_hz) - scored.duration_s * rate_hz

    def predict(self, X, bin_s=0.01):
        raise NotImplementedError


class PatternOnly(CircuitEstimator):
    """Says of each pair whether it is near on the ring, and predicts no spikes."""

    def fit(self, X, y=None):
        FITS.append((type(self).__name__, X))
        apart = X.preferred_angle_rad[:, None] - X.preferred_angle_rad
        error = np.where(np.cos(apart) > 0, 0.1, np.inf)
        self.connectivity_ = Connectivity(weights=-np.cos(apart), standard_error=error)
        return self


class Broken(CircuitEstimator):
    def fit(self, X, y=None):
        raise ZeroDivisionError("the spikes ran out")


class Slow(CircuitEstimator):
    def fit(self, X, y=None):
        time.sleep(300)


def method(estimator):
    return Method(name=estimator.__name__, estimator=f"{estimator.__module__}.{estimator.__name__}")


def case(estimator=CoincidenceCounter, **changes):
    ring = replace(lnp_ring(), n_neurons=12)
    settings = {"study": "paper", "table": "1", "setting": "ring", "neuron_model": "LNP"}
    settings |= {"network": ring, "method": method(estimator), "n_observed": 12, "minutes": 0.1}
    return Case(**settings | changes)


@pytest.fixture
def here(monkeypatch):
    """Calls that are to be alone are made in this process, which is quicker."""

    called = []

    def call(function, *arguments):
        called.append(function)
        try:
            return function(*arguments)
        except Exception as error:
            raise CallError(str(error)) from error

    monkeypatch.setattr(run_module, "alone", call)
    FITS.clear()
    return called


@pytest.fixture(scope="module")
def ring_data():
    return simulated(case().network, 0.2, 1)


# ---- the loop


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


# ---- a process of its own


def test_a_call_alone_gives_its_result_its_error_or_its_end():
    assert alone(np.sum, np.arange(4)) == 6
    with pytest.raises(CallError, match=r"^ValueError: could not convert string to float: 'a.+b'$"):
        alone(float, "a\nb")
    with pytest.raises(CallError, match="killed"):
        alone(os.abort)


def test_peak_memory_is_that_of_the_process_itself():
    block = np.ones(2**25)
    assert peak_memory_mb() > block.nbytes / 2**20
    assert alone(peak_memory_mb) < peak_memory_mb()


# ---- scores


def test_truth_only_scores(ring_data):
    other = replace(ring_data.truth, weights=np.random.default_rng(0).random((12, 12)))
    one = fit_and_score(case(), ring_data)
    two = fit_and_score(case(), replace(ring_data, truth=other))
    assert np.array_equal(one.inferred.weights, two.inferred.weights)
    assert one.row.delta != two.row.delta
    assert one.row.bits_per_spike == two.row.bits_per_spike


def test_a_method_sees_the_first_nine_tenths_and_is_scored_on_the_rest(ring_data):
    FITS.clear()
    scored = fit_and_score(case(), ring_data)
    ((_, seen),) = FITS
    assert seen.epochs_s.tolist() == pytest.approx(np.array([[0.0, 0.9 * 12.0]]))
    assert scored.sample.epochs_s[0, 0] == pytest.approx(0.9 * 12.0)


def test_neurons_that_are_hidden_are_not_seen(ring_data):
    FITS.clear()
    row = fit_and_score(case(n_observed=7), ring_data).row
    ((_, seen),) = FITS
    assert seen.n_neurons == 7
    assert np.isnan(row.oracle_bits_per_spike)
    assert np.isnan(row.cramer_rao_delta)


def test_the_row_holds_the_scores_of_the_circuit(ring_data):
    scored = fit_and_score(case(), ring_data)
    error = inference_error(scored.inferred, ring_data.truth)
    assert scored.row.delta == error.delta
    assert scored.row.delta**2 == pytest.approx(scored.row.bias**2 + scored.row.variance**2)
    assert scored.row.bits_per_spike_pooled == pytest.approx(0.0, abs=1e-9)
    assert scored.row.oracle_bits_per_spike_pooled == ring_data.oracle.pooled
    assert scored.row.n_pairs_uninformed == 0


def test_pairs_of_which_a_method_says_it_knows_nothing_are_counted(ring_data):
    scored = fit_and_score(case(PatternOnly), ring_data)
    assert 0 < scored.row.n_pairs_uninformed < 12 * 11
    assert scored.row.delta_informed != scored.row.delta
    assert np.isnan(scored.row.bits_per_spike)


def test_what_a_longer_recording_can_identify_does_not_get_less(ring_data):
    pairs = ring_data.truth.off_diagonal
    longer = simulated(case().network, 0.4, 1)
    assert longer.identifiable.sum() >= ring_data.identifiable.sum()
    assert not np.any(longer.identifiable & ~pairs)


def test_the_precision_recall_area_is_one_for_the_truth_and_the_share_for_a_guess():
    rng = np.random.default_rng(0)
    connected = rng.random((60, 60)) < 0.2
    truth = Connectivity(weights=connected * rng.standard_normal((60, 60)))
    guess = Connectivity(weights=rng.standard_normal((60, 60)))
    assert precision_recall_area(truth, truth) == pytest.approx(1.0)
    assert precision_recall_area(guess, truth) == pytest.approx(0.2, abs=0.03)
    assert np.isnan(precision_recall_area(guess, guess))


def test_a_recorded_network_keeps_the_direction_of_its_edges(tmp_path):
    path = tmp_path / "spycon.npz"
    edges = np.array([[31.0, 30.0, 0.5], [30.0, 31.0, 0.0]])
    np.savez(path, times=[0.1, 0.2, 9.0], ids=[31, 30, 31], nodes=[30, 31], marked_edges=edges)
    data = recorded(path)
    assert data.truth.weights.tolist() == [[0.0, 0.5], [0.0, 0.0]]  # 31 drives 30
    assert data.recording.n_spikes.tolist() == [1, 2]
    np.savez(path, times=[0.1])
    with pytest.raises(InputError, match="--spycon"):
        recorded(path)


def test_the_network_of_others_is_read_from_its_file(shared_data):
    data = recorded(shared_data / "spycon_sim1917Cell1Block1_tiny.npz")
    assert data.recording.n_neurons == studies.SPYCON_NEURONS
    assert data.recording.duration_s == pytest.approx(60.0 * studies.SPYCON_MINUTES, rel=0.05)
    assert data.truth.weights.any()


def test_without_its_file_the_network_of_others_is_left_out(tmp_path, here, capsys):
    assert main(["benchmark", "wirings", str(tmp_path), "--table", "spycon"]) == 2
    printed = capsys.readouterr()
    assert "name its file with --spycon FILE" in printed.out
    assert "there is no table 'spycon' here; choose simulated" in printed.err


# ---- studies and methods


@pytest.fixture(scope="module")
def all_cases(tmp_path_factory):
    file = tmp_path_factory.mktemp("spycon") / "spycon.npz"
    file.touch()
    return [
        *studies.paper(),
        *studies.curves(),
        *studies.wirings(spycon=file),
        *studies.ablations(),
    ]


def test_no_case_is_listed_twice(all_cases):
    rows = [empty_row(each) for each in all_cases]
    assert len({row.key for row in rows}) == len({row.name for row in rows}) == len(rows)


def test_cases_on_the_same_spikes_follow_each_other(all_cases):
    for study in ("paper", "wirings", "ablations"):
        data = [(c.network, c.minutes, c.seed, c.file) for c in all_cases if c.study == study]
        changes = sum(one != two for one, two in pairwise(data))
        assert changes == len(set(data)) - 1


def test_the_command_of_a_row_asks_for_that_row(all_cases):
    for each in all_cases[::7]:
        words = shlex.split(each.command)
        assert words[0] == "spikeweft"
        _, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        asked = bound.arguments
        assert asked["seeds"] == (each.seed,)
        assert asked["table"] == (each.table,)
        assert asked["methods"] == (each.method.name,)
        assert asked.get("minutes", each.minutes) == each.minutes


@pytest.mark.parametrize("name", [m.name for m in methods.WITH_DRIVE + methods.WITHOUT_DRIVE[1:2]])
def test_every_method_can_be_built(name):
    known = {m.name: m for m in methods.WITH_DRIVE + methods.WITHOUT_DRIVE}
    estimator = known[name].build(n_hidden=0, seed=7)
    assert estimator.get_params().get("random_state", 7) == 7


def test_hidden_neurons_are_not_asked_of_a_method_that_has_none():
    with pytest.raises(InputError, match="has no hidden neurons"):
        methods.POISSON_GLM.build(n_hidden=5, seed=0)
    assert methods.CIRCUIT_GNN.build(n_hidden=5, seed=0).get_params()["n_hidden"] == 5


def test_what_does_not_occur_in_a_study_cannot_be_chosen():
    cases = studies.paper()
    assert {c.table for c in studies.chosen(cases, tables=["2"])} == {"2"}
    assert {c.method.name for c in studies.chosen(cases, (), ["TCA"])} == {"TCA"}
    with pytest.raises(InputError, match="no table '7' here; choose 1, 2, 3, partial"):
        studies.chosen(cases, tables=["7"])
    with pytest.raises(InputError, match=r"no method 'GLM' here; choose CircuitGNN, "):
        studies.chosen(cases, methods=["GLM"])


# ---- tables and figures


def row(**changes) -> Row:
    return replace(empty_row(case()), **changes)


def test_a_row_is_read_as_it_was_written(tmp_path):
    rows = [row(delta=0.25, cramer_rao_delta=np.inf, structure='a "b", c'), row(failed="é\tno")]
    write_rows(tmp_path / "paper.csv", rows)
    again = read_rows(tmp_path / "paper.csv")
    write_rows(tmp_path / "again.csv", again)
    assert (tmp_path / "again.csv").read_bytes() == (tmp_path / "paper.csv").read_bytes()
    assert again[0].delta == 0.25
    assert np.isnan(again[1].delta)
    assert again[0].structure == rows[0].structure


def test_tables_come_from_the_csv(tmp_path):
    rows = [row(seed=seed, delta=delta, seconds=90.0) for seed, delta in ((1, 0.2), (2, 0.4))]
    write_rows(tmp_path / "paper.csv", [*rows, row(method="Broken", failed="no spikes")])
    text = folder_markdown(tmp_path)
    assert "| CoincidenceCounter | 0.300 (0.200–0.400) |" in text
    assert "| 1.5 |" in text
    assert "- failed: Broken, seed 0: no spikes" in text
    assert "| *Yoon (2025): GNN* | 0.049 |" in text
    table = (tmp_path / "paper.csv").read_text()
    (tmp_path / "paper.csv").write_text(table.replace(",0.4,", ",0.6,"))
    assert "| 0.400 (0.200–0.600) |" in folder_markdown(tmp_path)


def test_a_summary_has_a_column_per_network_and_no_curves():
    rows = [row(delta=0.3, bits_per_spike_pooled=1.0), row(setting="Profile II", delta=0.1)]
    rows += [row(table="partial", delta=0.2), row(study="curves", delta=0.2)]
    text = summary(rows)
    assert "| method | ring, LNP | Profile II, LNP |" in text
    assert "| CoincidenceCounter | 0.300 / 1.000 | 0.100 |" in text
    assert "0.200" not in text


def test_a_summary_says_where_a_method_has_fewer_seeds():
    rows = [row(seed=seed) for seed in (1, 2, 3)] + [row(method="Late", seed=2)]
    text = summary(rows)
    assert "| CoincidenceCounter |" in text
    assert "| Late (only seed 2) |" in text


def test_lines_of_a_table_are_told_apart_by_what_varies():
    rows = [row(n_observed=6 + i, n_hidden=i, delta=0.1) for i in range(2)]
    assert "| method | observed | hidden | Δ |" in markdown(rows)
    assert "| method | Δ |" in markdown(rows[:1])


def test_figures_are_drawn_from_what_the_folder_holds(tmp_path, here):
    partial = {"table": "partial", "setting": "Profile II"}
    run(
        [
            *(case(e, seed=s) for s in (1, 2) for e in (CoincidenceCounter, PatternOnly, Broken)),
            *(case(n_observed=n, seed=1, **partial) for n in (7, 12)),
        ],
        tmp_path,
    )
    run([case(study="curves", table="minutes", minutes=m) for m in (0.1, 0.2)], tmp_path)
    run([case(e, study="ablations") for e in (CoincidenceCounter, PatternOnly)], tmp_path)
    rows = read_rows(tmp_path / "paper.csv")
    rows = [replace(r, oracle_bits_per_spike_pooled=1.0) for r in rows]
    rows += [replace(r, n_hidden=3) for r in rows if r.table == "partial"]
    write_rows(tmp_path / "paper.csv", rows)
    names = {path.name for path in draw_figures(tmp_path)}
    for name in (
        "scores_paper_1_ring",
        "circuits_paper_1_ring_LNP",
        "partial_none_hidden",
        "partial_CoincidenceCounter",
        "delta_against_minutes",
        "ablations",
        "bits_against_delta",
    ):
        assert {f"{name}.svg", f"{name}.png"} <= names
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 1000


def test_without_its_circuits_a_table_is_drawn_all_the_same(tmp_path, here, capsys):
    run([case(e) for e in (CoincidenceCounter, PatternOnly)], tmp_path)
    assert circuits_gone(tmp_path) == []
    lost = weights_file(tmp_path, read_rows(tmp_path / "paper.csv")[1])
    lost.unlink()
    assert circuits_gone(tmp_path) == [lost]
    assert {path.stem for path in draw_figures(tmp_path)} == {"scores_paper_1_ring"}
    assert main(["benchmark", "figures", str(tmp_path)]) == 0
    assert f"1 circuits are not in the folder, the first {lost.name};" in capsys.readouterr().out


def test_the_circuit_of_a_row_is_kept_in_the_unit_of_the_truth(tmp_path, here):
    table = run([case()], tmp_path)
    kept = stored(tmp_path, read_rows(table)[0])
    assert inference_error(kept.inferred, kept.truth).scale == pytest.approx(1.0, rel=1e-5)
    assert inference_error(kept.inferred, kept.truth).delta == pytest.approx(
        read_rows(table)[0].delta, rel=1e-4
    )


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


def test_the_limits_are_part_of_the_data(ring_data):
    assert isinstance(ring_data, DataSet)
    assert ring_data.cramer_rao_delta > 0
    assert ring_data.oracle.pooled > 0
