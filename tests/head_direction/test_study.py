"""The whole study: one command makes tables, figures and a page, and goes on where it stopped."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.cli import main
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.load import load
from spikeweft.errors import InputError
from spikeweft.head_direction.angular_profile import Contrast, Evidence
from spikeweft.head_direction.evidence import OURS, REGRESSION, DirectionErrorContrast, Judged
from spikeweft.head_direction.page import verdict
from spikeweft.head_direction.step_cache import StepCache
from spikeweft.head_direction.steps import run_study, same_cells
from spikeweft.head_direction.study import HeadDirectionStudy
from spikeweft.head_direction.tuning.preparation import prepare
from spikeweft.runtime.files import only_writer
from spikeweft.simulation.head_direction_cells import unconnected_population
from spikeweft.simulation.storage import save_simulation

N = 9


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
        self.fitted.append((n_hidden, covariates))
        return PoissonGLM(bin_s=0.01, n_basis=2, ridge=3.0, covariates=covariates, n_harmonics=3)


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
    assert "exceed what tuning alone" not in page
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
    nothing = Connectivity(weights=np.zeros((2, 2)), neuron_ids=("a", "b"))
    rows = [Judged(model, 0, True, nothing, [], found) for model in (OURS, REGRESSION)]
    assert verdict(rows, [DirectionErrorContrast(OURS, 20.0, 1.0, 0.5)]).count(said) == 2


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
