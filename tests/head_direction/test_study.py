"""The whole study: one command makes tables, figures and a page, and goes on where it stopped."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.cli import main
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.load import load
from spikeweft.data.sorting_artefacts import SortingArtefact
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_agreement import agreement
from spikeweft.head_direction.angular_profile import Contrast, Evidence, contrast
from spikeweft.head_direction.evidence import (
    OURS,
    REGRESSION,
    DirectionErrorContrast,
    Judged,
    direction_error_contrasts,
    judged,
    repeats,
)
from spikeweft.head_direction.figures import ring_figure, weights_figure
from spikeweft.head_direction.page import verdict, write_study
from spikeweft.head_direction.regression import design_of, fit_regression
from spikeweft.head_direction.step_cache import StepCache
from spikeweft.head_direction.steps import run_study, same_cells
from spikeweft.head_direction.study import CAUSES, HeadDirectionStudy
from spikeweft.head_direction.tuning.preparation import prepare
from spikeweft.runtime.files import only_writer
from spikeweft.simulation.head_direction_cells import unconnected_population
from spikeweft.simulation.storage import save_simulation

N = 9

NOTHING = Connectivity(weights=np.zeros((2, 2)), neuron_ids=("a", "b"))


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> Path:
    """Cells without connections, and a covariate of a name of its own."""
    recording = unconnected_population(N, 150.0, np.random.default_rng(1), angle="yaw of the head")
    path = tmp_path_factory.mktemp("heading") / "cells.npz"
    save_simulation(path, recording, Connectivity(weights=np.zeros((N, N))))
    return path


class QuickStudy:
    """A GLM in the place of CircuitGNN, and few draws: what is made of them is tested here."""

    def __init__(self):
        self.fitted = []

    def __call__(self, study, on_stage, *, force):
        return run_study(study, on_stage, force=force, build_model=self.model, n_resampled=3)

    def model(self, study, n_hidden, covariates):
        model = PoissonGLM(bin_s=0.01, n_basis=2, ridge=3.0, covariates=covariates, n_harmonics=3)
        fit = model.fit

        def counted(recording):
            self.fitted.append(recording)
            return fit(recording)

        model.fit = counted
        return model


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_one_command_makes_tables_figures_and_a_page_and_goes_on(file, tmp_path, capsys):
    quick = QuickStudy()
    out = tmp_path / "study"
    asked = ["heading", str(file), str(out), "--n-hidden", "0", "4", "--elsewhere", str(file)]
    asked += ["--draws", "3"]
    assert main(asked, study_by=quick) == 0
    page = (out / "heading.html").read_text(encoding="utf-8")
    assert "yaw of the head" in page
    assert page.count("data:image/svg+xml") == 8
    assert "3 draws of tuning alone cannot say whether it exceeds this" in page
    assert "exceeds what tuning alone" not in page
    assert "p of local, tuning alone" in page
    tables = {path.stem for path in out.glob("*.csv")}
    assert tables == {
        "cells",
        "bits_per_spike",
        "evidence",
        "profiles",
        "weights",
        "repeats",
        "direction_error",
    }
    evidence = rows_of(out / "evidence.csv")
    assert {row["model"] for row in evidence} == {"Poisson regression", "CircuitGNN"}
    assert all(row["command"].startswith("spikeweft heading") for row in evidence)
    assert {row["n_hidden"] for row in evidence} == {"0", "4"}
    drawn = {
        (row["n_hidden"], row["direction_known"]): row["n_tuning_alone"]
        for row in evidence
        if row["model"] == "CircuitGNN"
    }
    assert drawn[("0", "True")] == "3"
    assert {drawn[key] for key in drawn if key != ("0", "True")} == {"2"}
    assert sum(row["head_direction_cell"] == "True" for row in rows_of(out / "cells.csv")) >= 7
    n_fits = len(quick.fitted)
    (out / "steps" / "half_1.npz").unlink()
    assert main(asked, study_by=quick) == 0
    assert len(quick.fitted) == n_fits + 1
    assert main([*asked, "--seed", "3"]) == 2
    assert "begun with other settings" in capsys.readouterr().err


@pytest.fixture(scope="module")
def studied(file, tmp_path_factory):
    """The findings of a study, and what was fitted for them."""
    quick, folder = QuickStudy(), tmp_path_factory.mktemp("studied") / "study"
    study = HeadDirectionStudy(recording=file, folder=folder, n_hidden=(4, 0), draws=2)
    return quick(study, lambda stage: None, force=False), quick.fitted


def test_a_control_is_fitted_to_the_time_that_the_circuit_is_fitted_to(studied):
    findings, fitted = studied
    n_uncoupled = sum(map(len, findings.uncoupled.values()))
    n_all = len(findings.fits) + n_uncoupled + len(findings.direction_error.fitted)
    durations_s = [round(recording.duration_s, 3) for recording in fitted]
    assert durations_s == [135.0] * n_all + [75.0] * 2  # nine tenths, and halves


def test_a_control_with_another_number_of_hidden_neurons_is_another_step(studied):
    findings, _ = studied
    names = {path.stem for path in (findings.study.folder / "steps").glob("circuit_*_error_*")}
    assert names == {f"circuit_0_hidden_with_direction_error_{error}" for error in (5, 10, 20)}


def test_bits_per_spike_of_all_models_have_the_same_null(studied):
    """The mean rates of the first nine tenths, those of CircuitGNN."""
    findings, _ = studied
    recording, angle = findings.prepared.recording, findings.prepared.angle
    tuning = fit_regression(design_of(recording.between(0.0, 0.8), angle), CAUSES["tuning"])
    test = design_of(recording.between(0.9, 1.0), angle)
    null_hz = recording.between(0.0, 0.9).rate_hz
    expected = replace(tuning, null_rate_hz=null_hz).score(test).per_neuron
    assert findings.regressions["tuning"] == pytest.approx(expected)


def test_halves_of_a_recording_are_held_against_halves_of_one_that_tuning_alone_makes(studied):
    findings, _ = studied
    found = {row.what: row.tuning_alone for row in repeats(findings)}
    first, second = findings.quick_uncoupled_halves[True]
    said = found["Poisson regression, direction known: weights of the two halves"]
    assert said == agreement(first, second)
    error, of_whole = (
        np.median(circuit.standard_error[circuit.informed])
        for circuit in (first, findings.quick_uncoupled[True][0])
    )
    assert error > 1.2 * of_whole  # half of the spikes


def test_what_tuning_alone_leaves_is_said_as_it_was_measured(studied):
    page = write_study(studied[0])
    (alone,) = (
        float(row["contrast_tuning_alone"])
        for row in rows_of(page.parent / "evidence.csv")
        if row["model"] == REGRESSION and row["direction_known"] == "True"
    )
    said = f"local less surround is {alone:.3g} of tuning alone".replace("-", "−")
    assert said in page.read_text(encoding="utf-8")


def judged_with_spread(findings, spread):
    """All circuits, with a contrast of 1, and controls that spread so far."""
    found = Evidence(
        observed=Contrast(0.5, -0.5),
        tuning_alone=[Contrast(spread, 0.0), Contrast(-spread, 0.0)],
        permuted=[Contrast(0.0, 0.0)] * 99,
    )
    return [row._replace(evidence=found) for row in judged(findings)]


def test_of_a_contrast_within_the_spread_of_its_controls_nothing_is_a_share(studied):
    findings, _ = studied
    above = direction_error_contrasts(findings, judged_with_spread(findings, 0.9))
    assert [row.share_of_recorded for row in above] == [row.contrast for row in above]
    within = direction_error_contrasts(findings, judged_with_spread(findings, 1.1))
    assert np.isnan([row.share_of_recorded for row in within]).all()


def test_a_share_is_said_in_words_where_it_is_no_part(studied, monkeypatch):
    explained = [DirectionErrorContrast(OURS, 20.0, 1.0, share) for share in (290.7, -0.5, 0.25)]
    monkeypatch.setattr(
        "spikeweft.head_direction.page.direction_error_contrasts", lambda *_: explained
    )
    page = write_study(studied[0]).read_text(encoding="utf-8")
    for said in ("all of it or more", "none", "25 %"):
        assert f"<td>{said}</td>" in page
    alts = re.findall(r'alt="([^"]*)"', page)
    assert len(set(alts)) == len(alts) == 8
    assert not set(alts) & set(re.findall(r"<h2[^>]*>([^<]*)</h2>", page))


def test_of_a_contrast_that_is_not_positive_nothing_is_a_share(studied):
    findings, _ = studied
    upside_down = {
        known: replace(
            circuit, weights=np.where(contrast(circuit).value > 0, -1, 1) * circuit.weights
        )
        for known, circuit in findings.quick.items()
    }
    turned = replace(findings, quick=upside_down)
    rows = direction_error_contrasts(turned, judged(turned))
    shares = [row.share_of_recorded for row in rows if row.model == REGRESSION]
    assert np.isnan(shares).all()


def test_a_pair_with_an_artefact_is_grey_among_the_weights_as_on_the_ring(studied):
    findings, _ = studied
    artefact = SortingArtefact(neurons=(0, 1), n_within=0, n_expected=9.0, p_value=1e-9)
    spoilt = replace(findings, prepared=replace(findings.prepared, artefacts=[artefact]))
    n_grey = []
    for each in (findings, spoilt):
        shown = weights_figure(each).figure.axes[0].images[0].get_array()
        n_grey.append(np.count_nonzero(~np.isfinite(np.ma.filled(shown, np.nan))))
    assert n_grey[1] == n_grey[0] + 2


def test_the_ring_is_drawn_even_where_two_cells_prefer_the_same_direction(studied):
    findings, _ = studied
    same = np.full(len(findings.prepared.chosen), 1.0)
    fits = {
        key: fit._replace(circuit=replace(fit.circuit, angle_rad=same))
        for key, fit in findings.fits.items()
    }
    shown = ring_figure(replace(findings, fits=fits)).figure.axes[0].images[0].get_array()
    drawn = ring_figure(findings).figure.axes[0].images[0].get_array()
    np.testing.assert_array_equal(np.ma.filled(shown, np.nan), np.ma.filled(drawn, np.nan))


@pytest.mark.parametrize(
    ("n_drawn", "alone", "said"),
    [
        (1, 0.0, "1 draw of tuning alone cannot say"),
        (18, 0.0, "18 draws of tuning alone cannot say"),
        (19, 0.0, "exceeds what tuning alone"),
        (19, 5.0, "does not exceed what tuning alone"),
    ],
)
def test_what_is_said_takes_enough_draws_and_a_larger_contrast(n_drawn, alone, said):
    found = Evidence(
        observed=Contrast(1.0, -1.0),
        tuning_alone=[Contrast(alone, 0.0)] * n_drawn,
        permuted=[Contrast(0.0, 0.0)] * 99,
    )
    rows = [Judged(model, 0, True, NOTHING, [], found) for model in (OURS, REGRESSION)]
    assert verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, 0.5)]).count(said) == 2


PATTERN = "local excitation with surround inhibition"


@pytest.mark.parametrize(
    ("observed", "alone", "said"),
    [
        (Contrast(1.0, -1.0), Contrast(0.0, 0.0), PATTERN),
        (Contrast(3.0, 1.0), Contrast(0.0, 0.0), "local less surround"),  # all excite
        (Contrast(-1.0, -3.0), Contrast(0.0, 0.0), "local less surround"),  # all inhibit
        (Contrast(3.0, -1.0), Contrast(0.0, -2.0), "local less surround"),  # as tuning alone
        (Contrast(1.0, -3.0), Contrast(2.0, 0.0), "local less surround"),
    ],
)
def test_a_pattern_is_named_only_where_both_of_its_parts_exceed_tuning_alone(observed, alone, said):
    found = Evidence(
        observed=observed, tuning_alone=[alone] * 19, permuted=[Contrast(0.0, 0.0)] * 99
    )
    assert found.holds
    rows = [Judged(model, 0, True, NOTHING, [], found) for model in (OURS, REGRESSION)]
    sentence = verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, 0.5)])
    assert f"CircuitGNN's {said} exceeds what tuning alone" in sentence
    assert (PATTERN in sentence) == (said == PATTERN)


def test_the_circuit_with_the_fewest_hidden_neurons_is_judged_wherever_it_stands():
    strong, weak = (
        Evidence(
            observed=Contrast(local, -local),
            tuning_alone=[Contrast(0.0, 0.0)] * 19,
            permuted=[Contrast(0.0, 0.0)] * 99,
        )
        for local in (1.0, -1.0)
    )
    rows = [
        Judged(OURS, n_hidden, True, NOTHING, [], found)
        for n_hidden, found in ((10, weak), (0, strong), (20, weak))
    ]
    rows.append(Judged(REGRESSION, 0, True, NOTHING, [], weak))
    sentence = verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, 0.5)])
    assert f"CircuitGNN's {PATTERN} exceeds" in sentence
    assert "would show 50 % of the contrast of CircuitGNN" in sentence
    beyond = verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, 290.7)])
    assert "would show at least the contrast of CircuitGNN" in beyond
    explained = [DirectionErrorContrast(OURS, 10.0, 1.0, 0.7)] + [
        DirectionErrorContrast(REGRESSION, error_deg, 1.0, share)
        for error_deg, share in ((10.0, 0.9), (20.0, 0.2))
    ]
    largest = "10° off the recorded one would show 90 % of the contrast of Poisson regression"
    assert largest in verdict(rows, explained)
    below = verdict(rows, [DirectionErrorContrast(OURS, 20.0, -1.0, -0.5)])
    assert "would show none of the contrast of CircuitGNN" in below
    unknown = verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, float("nan"))])
    assert unknown.endswith("This does not prove connections.")


def test_a_folder_of_something_else_is_not_touched(file, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("years of work")
    assert main(["heading", str(file), str(tmp_path)]) == 2
    assert "other files" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_recording_without_direction_is_sent_to_infer(tmp_path, capsys):
    path = tmp_path / "spikes.npz"
    rng = np.random.default_rng(2)
    np.savez(path, spike_times=np.sort(rng.random(500)) * 60, spike_units=rng.integers(0, 5, 500))
    assert main(["heading", str(path), str(tmp_path / "study")]) == 2
    assert "spikeweft infer" in capsys.readouterr().err
    assert not (tmp_path / "study").exists()


def test_cells_elsewhere_are_those_of_the_same_names(file, tmp_path):
    """Whatever their order; without one of them it is another recording."""
    recording = load(file).recording
    turned, other = tmp_path / "turned.npz", tmp_path / "other.npz"
    for path, whole in (
        (turned, recording.select(np.arange(N)[::-1])),
        (other, replace(recording, neuron_ids=tuple("abcdefghi"))),
    ):
        save_simulation(path, whole, Connectivity(weights=np.zeros((N, N))))
    same = prepare(file, None, None, np.random.default_rng(0)).recording
    found = same_cells(turned, same)
    assert found.neuron_ids == same.neuron_ids
    np.testing.assert_array_equal(found.n_spikes, same.n_spikes)
    quick, folder = QuickStudy(), tmp_path / "study"
    study = HeadDirectionStudy(recording=file, folder=folder, elsewhere=(turned, other), draws=1)
    with pytest.raises(InputError, match=r"lacks .* neurons, the first of them '0'"):
        quick(study, lambda stage: None, force=False)
    assert not folder.exists()  # said before anything is fitted
    assert not quick.fitted


def test_a_recording_elsewhere_too_short_to_be_scored_costs_no_fit(file, tmp_path):
    recording = load(file).recording
    short, quick = tmp_path / "short.npz", QuickStudy()
    moment = recording.restrict(np.array([[10.0, 10.15]]))
    save_simulation(short, moment, Connectivity(weights=np.zeros((N, N))))
    study = HeadDirectionStudy(recording=file, folder=tmp_path / "study", elsewhere=(short,))
    with pytest.raises(InputError, match="too short to be scored"):
        quick(study, lambda stage: None, force=False)
    assert not study.folder.exists()
    assert not quick.fitted


def test_starting_over_waits_for_who_is_at_work(file, tmp_path):
    """What is saved of its steps stays."""
    study = HeadDirectionStudy(recording=file, folder=tmp_path / "study", draws=1)
    saved = study.folder / "steps" / "half_1.npz"
    saved.parent.mkdir(parents=True)
    saved.write_bytes(b"hours of work")
    with (
        only_writer(study.folder / "lock", "busy"),
        pytest.raises(InputError, match="another process is writing"),
    ):
        QuickStudy()(study, lambda stage: None, force=True)
    assert saved.read_bytes() == b"hours of work"


def test_a_step_that_was_damaged_is_named_with_the_remedy(tmp_path):
    cache = StepCache(folder=tmp_path)
    cache.arrays("half_1", lambda: {"bits": np.arange(100.0)})
    path = tmp_path / "half_1.npz"
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"half_1.npz is damaged .* remove it and run again"):
        cache.arrays("half_1", dict)


@pytest.mark.parametrize("angle", [None, "yaw of the head"])
def test_time_in_which_the_direction_was_not_followed_is_left_out(tmp_path, angle):
    """By name or not: the last direction known is none of the next minute."""
    recording = unconnected_population(N, 150.0, np.random.default_rng(1), angle="yaw of the head")
    followed = recording.covariates["yaw of the head"]
    known = followed.times_s < 120.0
    seen = replace(followed, times_s=followed.times_s[known], values=followed.values[known])
    path = tmp_path / "cells.npz"
    half = replace(recording, covariates={"yaw of the head": seen})
    save_simulation(path, half, Connectivity(weights=np.zeros((N, N))))
    whole = prepare(path, angle, None, np.random.default_rng(0)).whole
    assert whole.duration_s == pytest.approx(120.0, abs=0.5)
