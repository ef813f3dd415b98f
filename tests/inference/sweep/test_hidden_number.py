"""How many hidden neurons, chosen among results that are made up."""

from dataclasses import replace

import numpy as np
import pytest

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.inference.sweep.hidden_number import hidden_curves, preferred, still_rises
from spikeweft.inference.sweep.table import Row
from spikeweft.results.result import Result, write_result
from spikeweft.runtime.training_loop import Progress

N = 6
RNG = np.random.default_rng(0)
WEIGHTS = RNG.normal(size=(N, N))


def result(bits, weights) -> Result:
    return Result(
        connectivity=Connectivity(weights=weights),
        metrics={"bits_per_spike_per_neuron": list(bits)},
        history=[Progress(stage="all", step=1, loss=0.0, held_out_bits_per_spike=0.0)],
        sample=Recording.from_arrays(np.array([0.0, 1.0]), np.array([0, N - 1])),
        warnings=[],
        provenance={},
        model_arrays={"weights": np.zeros(2)},
        model_settings={},
    )


@pytest.fixture
def sweep_of(tmp_path):
    """Write fits and give their rows: of each, hidden neurons, seed, bits and weights."""

    def write(*fits, **cells):
        rows = []
        for n_hidden, seed, bits, weights in fits:
            name = f"fit-{cells.get('recording', 'a')}-{n_hidden}-{seed}"
            (tmp_path / name).mkdir()
            write_result(tmp_path / name, result(bits, weights))
            known = {"recording": "a", "recording_path": "a", **cells}
            rows.append(Row(fit=name, n_hidden=n_hidden, seed=seed, **known))
        return rows

    return write


def test_what_held_out_spikes_prefer_is_chosen(sweep_of, tmp_path):
    gain = np.array([0.1, 0.2, 0.3, 0.2, 0.1, 0.3])
    rows = sweep_of(
        (10, 0, 1.0 + 0.5 * gain, WEIGHTS),
        (0, 0, np.ones(N), WEIGHTS),
        (5, 0, 1.0 + gain, WEIGHTS),
    )
    (curve,) = hidden_curves(rows, tmp_path).values()
    assert [point.n_hidden for point in curve] == [0, 5, 10]
    assert preferred(curve).n_hidden == 5
    assert not still_rises(curve)
    assert still_rises([point for point in curve if point.n_hidden <= 5])
    assert curve[0].below_best == pytest.approx(0.2)
    assert curve[0].below_best_error == pytest.approx(gain.std(ddof=1) / np.sqrt(N))
    assert (curve[1].below_best, curve[1].below_best_error) == (0.0, 0.0)


def test_neurons_without_a_score_do_not_count(sweep_of, tmp_path):
    silent = np.where(np.arange(N) == 2, np.nan, 1.0)
    rows = sweep_of((0, 0, silent, WEIGHTS), (5, 0, 1.5 * np.ones(N), WEIGHTS))
    (curve,) = hidden_curves(rows, tmp_path).values()
    assert [point.bits_per_spike for point in curve] == [1.0, 1.5]


def test_of_numbers_that_predict_alike_the_fewest_is_chosen(sweep_of, tmp_path):
    rows = sweep_of(*((n, 0, np.ones(N), WEIGHTS) for n in (20, 0, 5)))
    (curve,) = hidden_curves(rows, tmp_path).values()
    assert preferred(curve).n_hidden == 0


def test_the_stability_of_weights_is_told(sweep_of, tmp_path):
    other = RNG.normal(size=(N, N))
    rows = sweep_of(
        (0, 0, np.ones(N), WEIGHTS),
        (0, 1, np.ones(N), 3 * WEIGHTS),
        (5, 0, np.ones(N), other),
        (5, 1, np.ones(N), other),
    )
    (curve,) = hidden_curves(rows, tmp_path).values()
    pairs = ~np.eye(N, dtype=bool)
    assert curve[0].agreement_of_seeds == pytest.approx(1.0)
    assert np.isnan(curve[0].agreement)
    assert curve[1].agreement == pytest.approx(np.corrcoef(WEIGHTS[pairs], other[pairs])[0, 1])


def test_weights_that_are_all_alike_agree_with_nothing(sweep_of, tmp_path):
    rows = sweep_of((0, 0, np.ones(N), np.zeros((N, N))), (5, 0, np.ones(N), WEIGHTS))
    (curve,) = hidden_curves(rows, tmp_path).values()
    assert np.isnan(curve[1].agreement)


def test_recordings_are_compared_with_themselves_only(sweep_of, tmp_path):
    rows = [
        *sweep_of((0, 0, np.ones(N), WEIGHTS), (5, 0, np.ones(N), WEIGHTS)),
        *sweep_of((0, 0, np.ones(N), WEIGHTS), recording="b", recording_path="b"),
    ]
    assert list(hidden_curves(rows, tmp_path)) == ["a"]


def test_a_recording_that_was_moved_is_still_compared_with_itself(sweep_of, tmp_path):
    """It is the same by its content; a path may hold another one by now."""
    fits = [(n, 0, np.ones(N), WEIGHTS) for n in (0, 5)]
    before = sweep_of(fits[0], recording_path="/old/a", sha256="same")
    after = sweep_of(fits[1], recording_path="/new/a", sha256="same")
    assert list(hidden_curves([*before, *after], tmp_path)) == ["a"]
    changed = [replace(row, sha256="other") for row in (*before, *after)]
    at_one_place = [replace(row, recording_path="/a") for row in (*before, *after, *changed)]
    assert set(hidden_curves(at_one_place, tmp_path)) == {"same", "other"}


def test_bootstraps_and_failed_fits_take_no_part(sweep_of, tmp_path):
    rows = sweep_of((0, 0, np.ones(N), WEIGHTS), (5, 0, np.ones(N), WEIGHTS))
    assert hidden_curves([rows[0], replace(rows[1], failed="no memory")], tmp_path) == {}
    assert hidden_curves([rows[0], replace(rows[1], bootstrap=0)], tmp_path) == {}


def test_pairs_that_one_fit_does_not_inform_are_left_out(sweep_of, tmp_path):
    error = np.where(np.arange(N) == 0, np.inf, 1.0) * np.ones((N, N))
    odd = np.where(np.isinf(error), 100.0, WEIGHTS)
    rows = sweep_of((0, 0, np.ones(N), WEIGHTS), (5, 0, np.ones(N), odd))
    uncertain = result(np.ones(N), odd)
    circuit = replace(uncertain.connectivity, standard_error=error)
    write_result(tmp_path / rows[1].fit, replace(uncertain, connectivity=circuit))
    (curve,) = hidden_curves(rows, tmp_path).values()
    assert curve[1].agreement == pytest.approx(1.0)


def test_recordings_of_one_name_have_a_curve_each(sweep_of, tmp_path):
    """By their paths, where names do not tell them apart."""
    rows = []
    for seed, animal in enumerate(("m1", "m2")):
        fits = [(n, seed, np.ones(N), WEIGHTS) for n in (0, 10)]
        named = {"recording": "rec.npz", "recording_path": f"/data/{animal}/rec.npz"}
        rows += sweep_of(*fits, **named)
    assert set(hidden_curves(rows, tmp_path)) == {"/data/m1/rec.npz", "/data/m2/rec.npz"}
    assert set(hidden_curves(rows[:2], tmp_path)) == {"rec.npz"}
