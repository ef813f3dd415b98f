from dataclasses import replace

import numpy as np
import pytest
from tests.benchmark.conftest import Broken, CoincidenceCounter, PatternOnly, case, row
from tests.reporting.conftest import ring

from spikeweft.benchmark.figures.circuits import circuit_panels
from spikeweft.benchmark.figures.draw import circuits_gone, draw_figures
from spikeweft.benchmark.figures.scores import score_panels
from spikeweft.benchmark.figures.stored_circuits import Stored, stored
from spikeweft.benchmark.rows import read_rows, write_rows
from spikeweft.benchmark.run import run, weights_file
from spikeweft.cli import main
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error


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
    assert f"the folder lacks 1 circuit, the first {lost.name};" in capsys.readouterr().out


def test_the_circuit_of_a_row_is_kept_in_the_unit_of_the_truth(tmp_path, here):
    table = run([case()], tmp_path)
    kept = stored(tmp_path, read_rows(table)[0])
    assert inference_error(kept.inferred, kept.truth).scale == pytest.approx(1.0, rel=1e-5)
    assert inference_error(kept.inferred, kept.truth).delta == pytest.approx(
        read_rows(table)[0].delta, rel=1e-4
    )


def test_each_network_has_its_own_oracle_among_the_fits_to_it():
    rows = [
        row(seed=seed, bits_per_spike_pooled=oracle - 0.01, oracle_bits_per_spike_pooled=oracle)
        for seed, oracle in ((1, 1.2), (2, 1.5))
    ]
    ax = score_panels({"ring": rows}, ["bits_per_spike_pooled"])
    upright = [line for line in ax.lines if len(set(line.get_xdata())) == 1]
    assert [line.get_xdata()[0] for line in upright if line.get_label()[-7:] == "oracles"] == [
        1.2,
        1.5,
    ]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["oracles"]


def test_no_profile_leaves_the_picture():
    """One that is ten times the truth's is drawn to its end."""
    weights, angle = ring(12, "broad inhibition")
    truth = Connectivity(weights=weights, angle_rad=angle)
    sample = Recording.from_arrays(
        np.array([0.1]), np.array([0]), n_neurons=12, epochs_s=np.array([[0.0, 1.0]])
    )
    wild = replace(truth, weights=10 * weights)
    ax = circuit_panels({"PoissonGLM": Stored(wild, truth, sample)})
    profiles = ax.figure.axes[3]
    low, high = profiles.get_ylim()
    drawn = np.concatenate([line.get_ydata() for line in profiles.lines])
    assert low <= np.nanmin(drawn) <= np.nanmax(drawn) <= high


def test_what_is_in_the_way_of_figures_is_named(tmp_path, here):
    table = run([case(PatternOnly)], tmp_path)
    (tmp_path / "figures").write_text("a file")
    with pytest.raises(InputError, match="figures cannot be made"):
        draw_figures(tmp_path)
    (tmp_path / "figures").unlink()
    (one,) = read_rows(table)
    circuit = weights_file(tmp_path, one)
    for content in (b"PK\x03\x04 damaged", circuit.read_bytes()[:200]):
        circuit.write_bytes(content)
        with pytest.raises(InputError, match=f"{circuit.name} is not the circuit of a fit"):
            draw_figures(tmp_path)
