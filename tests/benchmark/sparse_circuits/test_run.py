import shlex
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests.benchmark.conftest import spycon_file
from tests.benchmark.sparse_circuits.conftest import ShortLags

from spikeweft.benchmark.sparse_circuits.cases import (
    METHODS,
    SPYCON,
    SparseCase,
    sparse,
)
from spikeweft.benchmark.sparse_circuits.figure import average_precision_panels
from spikeweft.benchmark.sparse_circuits.rows import empty_row, read_sparse_rows, write_sparse_rows
from spikeweft.benchmark.sparse_circuits.run import run_sparse
from spikeweft.benchmark.sparse_circuits.score import simulated, taken_for_connected
from spikeweft.benchmark.sparse_circuits.tables import sparse_markdown, sparse_summary
from spikeweft.cli import app, main
from spikeweft.data.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.estimator import CircuitEstimator


def asked(networks=("small",), methods=("ShortLags",), seeds=(0,)):
    return sparse(seeds, 0.2, networks, methods)


def test_each_row_is_written_once_and_made_once(tmp_path):
    run_sparse(asked(seeds=(0, 1)), tmp_path)
    before = (tmp_path / "sparse.csv").read_text()
    rows = run_sparse(asked(seeds=(0, 1, 2)), tmp_path)
    assert ShortLags.fitted == 3
    assert (tmp_path / "sparse.csv").read_text().startswith(before)
    assert [row.seed for row in rows] == [0, 1, 2]
    run_sparse(asked(seeds=(1,)), tmp_path, force=True)
    assert ShortLags.fitted == 4
    assert [row.seed for row in read_sparse_rows(tmp_path / "sparse.csv")] == [0, 2, 1]


def test_a_method_that_fails_is_a_row_that_says_why_and_is_tried_again(tmp_path):
    cases = asked(methods=("Failing", "ShortLags"))
    failed, good = run_sparse(cases, tmp_path)
    assert failed.failed == "the spikes ran out"
    assert not good.failed
    run_sparse(cases, tmp_path)
    assert ShortLags.fitted == 1


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path):
    def stop(row):
        if row.seed == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_sparse(asked(seeds=range(4)), tmp_path, on_row=stop)
    assert len(read_sparse_rows(tmp_path / "sparse.csv")) == 2
    run_sparse(asked(seeds=range(4)), tmp_path)
    assert ShortLags.fitted == 4


def test_only_the_neurons_observed_are_seen_and_scored():
    data = simulated("small", 0.2, 0)
    assert data.recording.n_neurons == data.truth.n_neurons == 8
    again = simulated("small", 0.2, 0)
    np.testing.assert_array_equal(data.recording.spike_times_s, again.recording.spike_times_s)


def test_what_a_row_says_is_what_there_is_to_say(tmp_path):
    scored, unconnected = run_sparse(asked(networks=("small", "unconnected")), tmp_path)
    assert scored.n_observed == 8
    assert 0 < scored.n_connections < 56
    assert 0 <= scored.average_precision <= 1
    assert scored.n_called > 0
    assert 0 <= scored.latency_within_1_ms <= 1
    assert np.isnan(scored.bits_per_spike)
    assert scored.peak_memory_mb > 0
    assert unconnected.n_connections == 0
    assert np.isnan(unconnected.average_precision)
    assert np.isnan(unconnected.latency_within_1_ms)
    assert unconnected.sure_correct == 0
    assert unconnected.sure_per_thousand == pytest.approx(1000 * unconnected.n_sure / 132)


def test_a_method_that_says_nothing_of_connected_pairs_has_no_threshold():
    class Bare(CircuitEstimator):
        connectivity_ = Connectivity(weights=np.zeros((2, 2)))

        def fit(self, X, y=None):
            return self

    assert taken_for_connected(Bare()) is None
    model = ShortLags().fit(simulated("small", 0.2, 0).recording)
    expected = model.connectivity_.probability > 0.5
    np.testing.assert_array_equal(taken_for_connected(model), expected)
    model.connected_ = ~expected
    np.testing.assert_array_equal(taken_for_connected(model), ~expected)


def test_cases_on_the_same_spikes_follow_each_other_and_none_is_listed_twice():
    cases = sparse()
    keys = [empty_row(case).key for case in cases]
    assert len(set(keys)) == len(keys)
    data = [(case.network, case.seed) for case in cases]
    assert sum(one != two for one, two in pairwise(data)) == len(set(data)) - 1
    assert {"SynapseModel", "HollowCorrelogram", "GLMCC"} <= {case.method.name for case in cases}
    assert "CircuitGNN" not in {case.method.name for case in cases}
    assert sparse(methods=["CircuitGNN"])[0].method.name == "CircuitGNN"


def test_the_command_of_a_row_asks_for_that_row():
    for case in sparse()[::9]:
        words = shlex.split(case.command)
        _, bound, _ = app.parse_args(words[1:], exit_on_error=False, print_error=False)
        assert bound.arguments["networks"] == (case.network,)
        assert bound.arguments["seeds"] == (case.seed,)
        assert bound.arguments["methods"] == (case.method.name,)
        assert bound.arguments["minutes"] == case.minutes


def test_what_does_not_occur_cannot_be_chosen():
    with pytest.raises(InputError, match="no network 'ring' here; choose 'Izhikevich, 100 of"):
        sparse(networks=["ring"])
    with pytest.raises(InputError, match="no method 'GLM' here; choose 'SynapseModel'"):
        sparse(methods=["GLM"])


def row(**changes):
    case = SparseCase(network="small", method=METHODS["ShortLags"], seed=0)
    return replace(empty_row(case), **{"n_connections": 9.0, **changes})


def test_tables_hold_means_over_the_seeds():
    rows = [
        row(seed=seed, average_precision=value, matthews_correlation=0.5, processor_seconds=90.0)
        for seed, value in ((0, 0.2), (1, 0.4))
    ]
    rows += [row(network="unconnected", n_observed=12, n_connections=0.0, n_called=0.66)]
    rows += [row(method="Failing", failed="no spikes")]
    summary = sparse_summary(rows)
    assert "| method | small, 60 minutes | unconnected, 60 minutes |" in summary
    assert "| ShortLags | 0.300 / 0.500 | 5.00 of 1,000 |" in summary
    text = sparse_markdown(rows)
    assert "| method | average precision | Matthews | processor minutes |" in text
    assert "| ShortLags | 0.300 | 0.500 | 1.50 |" in text
    assert "- failed: Failing, seed 0: no spikes" in text
    assert "Means over seeds 0, 1." in text


def test_the_figure_has_a_panel_per_network_in_which_anything_is_connected():
    assert average_precision_panels([row(n_connections=0.0)]) is None
    scored = [row(average_precision=0.3), row(network="unconnected", average_precision=0.4)]
    axes = average_precision_panels([*scored, row(network="other")])
    assert len(axes.figure.axes) == 2


def test_rows_can_be_read_again(tmp_path):
    written = [row(average_precision=0.25), row(seed=1, failed="no spikes")]
    write_sparse_rows(tmp_path / "sparse.csv", written)
    again = read_sparse_rows(tmp_path / "sparse.csv")
    assert [r.key for r in again] == [r.key for r in written]
    assert again[0].average_precision == 0.25


def test_the_command_line_prints_the_tables_and_draws_the_figure(tmp_path, capsys):
    words = ["benchmark", "sparse", str(tmp_path), "--networks", "small", "--seeds", "0"]
    words += ["--minutes", "0.2", "--methods", "ShortLags", "Failing"]
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "ShortLags on small neurons, seed 0: average precision 0." in printed.err
    assert "Failing on small neurons, seed 0: failed: the spikes ran out" in printed.err
    assert "### small, 0.2 minutes" in printed.out
    assert (tmp_path / "figures" / "average_precision.png").stat().st_size > 1000
    assert main([*words[:3], "--networks", "ring"]) == 2
    assert "no network 'ring'" in capsys.readouterr().err


def test_a_network_of_others_is_fitted_once_from_its_file(tmp_path):
    path = spycon_file(tmp_path)
    name = "christiando/spycon, all 6"
    cases = sparse((0, 1), 0.2, ("small", name), ("ShortLags",), path)
    rows = run_sparse(cases, tmp_path)
    assert [(row.network, row.seed) for row in rows] == [("small", 0), ("small", 1), (name, 0)]
    assert (rows[-1].n_observed, rows[-1].minutes) == (6, 0.3)
    assert np.isnan(rows[-1].latency_within_1_ms)
    assert rows[-1].n_connections == 2
    assert np.isfinite(rows[-1].average_precision)
    assert rows[-1].command.endswith("--spycon spycon.npz --force")
    assert "spycon" not in rows[0].command
    assert sparse((0,), 0.2, (), ("ShortLags",), path)[-1].network == name


def test_a_network_of_others_needs_its_file(tmp_path, capsys):
    name = SPYCON.format(20)
    with pytest.raises(InputError, match=f"there is no network '{name}' here"):
        sparse(networks=(name,))
    assert main(["benchmark", "sparse", str(tmp_path / "out"), "--spycon", "nowhere.npz"]) == 2
    assert "there is no file nowhere.npz; check --spycon" in capsys.readouterr().err


def test_a_table_says_where_a_method_has_fewer_seeds(tmp_path):
    rows = run_sparse(asked(seeds=(0, 1)), tmp_path)
    late = replace(rows[0], method="Late")
    assert "| Late (only seed 0) |" in sparse_markdown([*rows, late])
    assert "| ShortLags |" in sparse_markdown([*rows, late])
    assert "| Late (only seed 0) |" in sparse_summary([*rows, late])
