"""Small versions of the fits of benchmarks/robustness.py, and what its summary says of a table."""

import importlib
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeweft.runtime.isolated_call import CallError
from spikeweft.runtime.training_loop import Progress

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def robustness(monkeypatch):
    """The script, whose calls are made in this process, which is quicker."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    script = importlib.import_module("robustness")
    monkeypatch.setattr(script, "alone", here)
    monkeypatch.setattr(script, "N_STARTS", 2)
    yield script
    for name in ("robustness", "robustness_table", "random_starts", "hardly_there"):
        sys.modules.pop(name)


def here(function, *arguments):
    try:
        return function(*arguments)
    except Exception as error:
        raise CallError(str(error)) from error


def few(script, seconds=15.0):
    """Four neurons with random connections."""
    return script.Case("small", "LNP", 4, seconds, 1)


def fitted_problem(script):
    """What a fit of four neurons optimises."""
    training = script.data_of(few(script)).training
    return script.ObservedFit(random_state=0).fit(training).circuit_.problem


def some_row(script, **changes):
    return replace(script.empty_row(few(script)), **changes)


def test_a_row_has_what_was_found_beside_the_truth_the_glm_and_random_starts(robustness, tmp_path):
    robustness.fill([few(robustness)], tmp_path / "table.csv")
    (row,) = robustness.read_rows(tmp_path / "table.csv")
    assert row.failed == ""
    assert (row.wiring, row.true_tau_s, row.true_link_bend) == (
        "excitatory/inhibitory",
        0.01,
        math.inf,
    )
    assert 0 < row.n_spikes < 4 * 15 * 0.8 * 300
    assert all(math.isfinite(x) for x in (row.delta, row.glm_delta, row.reference_delta))
    per_thousand = 1000 * (row.reference_nats - row.free_nats) / row.n_spikes
    assert row.reference_gain == pytest.approx(per_thousand, abs=0.05)
    assert row.bits_per_spike < row.oracle_bits_per_spike + 0.05
    assert row.peak_memory_mb > 0
    assert row.time_left_factor >= 1.0


def test_a_start_that_makes_far_too_many_spikes_is_drawn_again(robustness, monkeypatch):
    starts = importlib.import_module("random_starts")
    problem = fitted_problem(robustness)
    drawn, drawn_start = [], starts.drawn_start

    def first_too_strong(problem, rng):
        candidate = drawn_start(problem, rng)
        if not drawn:
            candidate.parameters.values[:] = 100 * np.abs(candidate.parameters.values)
        drawn.append(candidate)
        return candidate

    monkeypatch.setattr(starts, "drawn_start", first_too_strong)
    assert starts.random_start(problem, np.random.default_rng(0)) is drawn[1]
    assert problem.estimate(drawn[0]).log_rate_at_spikes < -100
    assert len(drawn) == 2


def test_neurons_without_connections_have_no_error_but_weights(robustness, tmp_path):
    case = robustness.Case("uncoupled", "Poisson", 4, 20.0, 1)
    robustness.fill([case], tmp_path / "table.csv")
    (row,) = robustness.read_rows(tmp_path / "table.csv")
    assert row.failed == ""
    assert math.isnan(row.delta)
    assert row.structure
    assert row.weight_rms >= 0


def test_what_a_commit_has_made_is_not_made_again_but_a_failure_is(
    robustness, tmp_path, monkeypatch
):
    table, made = tmp_path / "table.csv", []
    cases = [few(robustness, seconds) for seconds in (10.0, 20.0)]

    def measured(case, data):
        made.append(case.seconds)
        if case.seconds > 15.0:
            raise ZeroDivisionError("the spikes ran out")
        return some_row(robustness, seconds=case.seconds, delta=0.1)

    monkeypatch.setattr(robustness, "measure", measured)
    monkeypatch.setattr(robustness, "is_of_this_code", lambda commit: commit != "0123456789ab")
    robustness.fill(cases, table)
    assert [row.failed for row in robustness.read_rows(table)] == ["", "the spikes ran out"]
    robustness.fill(cases, table)
    assert made == [10.0, 20.0, 20.0]
    robustness.fill(cases[:1], table, force=True)
    assert made[3:] == [10.0]
    rows = robustness.read_rows(table)
    robustness.write_rows(table, [replace(row, commit="0123456789ab") for row in rows])
    robustness.fill(cases[:1], table)
    assert made[4:] == [10.0]
    assert sorted(row.seconds for row in robustness.read_rows(table)) == [10.0, 20.0]


def test_the_kinds_and_seeds_asked_for_are_made(robustness, tmp_path, monkeypatch):
    monkeypatch.setattr(robustness, "made_row", lambda case: robustness.empty_row(case))
    out = tmp_path / "table.csv"
    robustness.main(["--kinds", "two_minutes", "uncoupled", "--seeds", "3", "4", "--out", str(out)])
    assert [(row.kind, row.seed) for row in robustness.read_rows(out)] == [
        ("two_minutes", 3),
        ("two_minutes", 4),
        ("uncoupled", 3),
        ("uncoupled", 4),
    ]


def test_the_time_left_is_judged_from_the_fifth_step_to_the_last_tenth(robustness):
    def step(k, at, left):
        return Progress(
            stage="",
            step=k,
            loss=0.0,
            held_out_bits_per_spike=0.0,
            seconds=float(at),
            seconds_left=left,
        )

    left_after = {1: None, 2: 900.0, 3: 97.0, 5: 95.0, 20: 80.0, 50: 40.0, 91: 0.0, 100: 0.0}
    history = [step(k, *one) for k, one in enumerate(left_after.items(), 1)]
    assert robustness.time_left_factor(history) == pytest.approx(1.25)
    history[4] = step(5, 20.0, 20.0)
    assert robustness.time_left_factor(history) == pytest.approx(4.0)


def test_the_summary_names_the_worst_of_a_table(robustness, tmp_path, capsys):
    same = {"bits_per_spike": 1.0, "oracle_bits_per_spike": 1.002, "processor_seconds": 2.0}
    same |= {"tau_s": 0.0101, "n_spikes": 3e4, "glm_delta": 0.2, "time_left_factor": 1.5}
    rows = [
        some_row(robustness, seed=0, delta=0.1, reference_gain=0.5, **same),
        some_row(robustness, seed=1, delta=0.3, reference_gain=2.5, **{**same, "tau_s": 0.012}),
        some_row(robustness, seed=2, delta=0.2, **{**same, "n_spikes": 1e4, "tau_s": 0.1}),
        some_row(robustness, seed=3, failed="the spikes ran out"),
        some_row(robustness, kind="uncoupled", seed=4, structure="no coupling", weight_rms=0.0),
    ]
    robustness.write_rows(tmp_path / "table.csv", rows)
    robustness.main(["--summary", "--out", str(tmp_path / "table.csv")])
    said = capsys.readouterr().out
    assert "Δ 0.2000 on average, 0.3000 at worst (seed 1)" in said
    assert "bits within 0.003 of the oracle in 100%" in said
    assert "1 of 4 within 2 nats" in said
    assert "behind by 2.50: small, LNP, 4 neurons, 15 s, seed 1" in said
    assert "1 of 4 with Δ above" in said
    assert "off by at most 20.0%" in said
    assert "off by 20%" in said
    assert "CPU 2.0 s on average" in said
    assert "time left: 3 of 3 fits within a factor of 2" in said
    assert "uncoupled: no coupling: 1" in said
    assert "seed 3: the spikes ran out" in said


@pytest.mark.slow
def test_one_neuron_that_fires_nine_of_ten_spikes_does_not_hide_the_time_constant(robustness):
    """From one link alone its trace would be taken for one of hundreds of milliseconds."""
    data = robustness.data_of(robustness.Case("odd", "one dominates", 26, 151.0, 2))
    model = robustness.ObservedFit(random_state=2).fit(data.training)
    assert model.free_.inputs.kernel.mean_lag_s == pytest.approx(0.01, rel=0.15)


@pytest.mark.parametrize(("kind", "model"), [("silent", "LNP"), ("late", "from 82 %")])
def test_units_that_are_hardly_there_are_left_out_of_the_score(robustness, tmp_path, kind, model):
    """Silent ones change nothing at all; a late one is there, and the others are scored."""
    case = robustness.Case(kind, model, 5, 20.0, 2)
    robustness.fill([case], tmp_path / "table.csv")
    (row,) = robustness.read_rows(tmp_path / "table.csv")
    assert row.failed == ""
    assert math.isfinite(row.delta)
    if kind == "silent":
        assert row.delta == row.reference_delta
    data = robustness.data_of(case)
    assert data.training.n_neurons == (57 if kind == "silent" else 5)
    late = data.training.spike_times_s[data.training.spike_neurons == 3]
    assert late.size
    assert kind == "silent" or late.min() > 0.82 * 20.0
