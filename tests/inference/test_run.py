import hashlib
import json
import os
from dataclasses import replace

import numpy as np
import pytest
from tests.inference.asking import but
from tests.stand_ins import N_STEPS, SpikeCorrelation, SteppingCorrelation, ring_of, spikes
from tests.stand_ins import quick_infer as infer

from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.evaluation.circuit_error import inference_error
from spikeweft.inference.run import score, write_report
from spikeweft.inference.settings import Inference
from spikeweft.results.result import read_result
from spikeweft.results.unfinished_folder import partial_of
from spikeweft.simulation.head_direction_cells import unconnected_population
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring
from spikeweft.simulation.storage import save_simulation


def test_a_result_folder_holds_all_that_was_found(inference):
    result = infer(inference)
    assert {path.name for path in inference.folder.iterdir()} == {
        "connectivity.nc",
        "glm.nc",
        "truth.nc",
        "model.safetensors",
        "model.json",
        "metrics.json",
        "history.csv",
        "provenance.json",
        "report.html",
        "sample.npz",
    }
    assert not partial_of(inference.folder).exists()
    read = read_result(inference.folder)
    assert np.array_equal(read.connectivity.weights, result.connectivity.weights)
    assert len(read.history) == N_STEPS


def test_the_scores_are_those_of_the_circuits(inference):
    result = infer(inference)
    metrics = json.loads((inference.folder / "metrics.json").read_text())
    error = inference_error(result.connectivity, result.truth)
    assert metrics["delta"] == pytest.approx(error.delta)
    assert metrics["delta_bias"] == pytest.approx(error.bias)
    assert metrics["glm_delta"] == pytest.approx(inference_error(result.glm, result.truth).delta)
    assert metrics["seconds"] > 0
    assert 10 < metrics["peak_memory_mb"] < 100_000
    assert {"bits_per_spike", "glm_bits_per_spike", "delta_variance", "delta_profile"} <= {*metrics}
    assert len(metrics["bits_per_spike_per_neuron"]) == 4


def test_the_last_tenth_is_never_seen_in_training(inference):
    infer(inference)
    seen = SteppingCorrelation.seen
    assert seen.epochs_s.tolist() == [[0.0, 18.0]]
    assert seen.spike_times_s.max() < 18.0


def test_constant_rates_gain_about_nothing_on_spikes_without_structure(inference):
    metrics = infer(inference).metrics
    assert metrics["bits_per_spike"] == pytest.approx(0.0, abs=1e-12)


def test_without_a_truth_nothing_is_scored_against_it(tmp_path):
    recording = spikes()
    path = tmp_path / "plain.npz"
    np.savez(path, spike_times=recording.spike_times_s, spike_units=recording.spike_neurons)
    metrics = infer(Inference(recording=path, folder=tmp_path / "result")).metrics
    assert not any("delta" in name or "oracle" in name for name in metrics)
    assert not (tmp_path / "result" / "truth.nc").exists()


def test_the_oracle_is_there_where_the_whole_network_is_known(tmp_path):
    network = lnp_ring()
    recording = simulate(network, 3.0, np.random.default_rng(0))
    save_simulation(tmp_path / "all.npz", recording, network.connectivity)
    metrics = infer(Inference(recording=tmp_path / "all.npz", folder=tmp_path / "a")).metrics
    assert metrics["oracle_bits_per_spike"] > metrics["bits_per_spike"]
    some = np.arange(60)
    save_simulation(
        tmp_path / "some.npz", recording.select(some), network.connectivity.select(some)
    )
    metrics = infer(Inference(recording=tmp_path / "some.npz", folder=tmp_path / "b")).metrics
    assert "oracle_bits_per_spike" not in metrics


def test_provenance_tells_how_to_get_the_same_result(inference, recording_file):
    infer(but(inference, minutes=0.2))
    provenance = read_result(inference.folder).provenance
    assert provenance["sha256"] == hashlib.sha256(recording_file.read_bytes()).hexdigest()
    assert provenance["seed"] == 3
    command = but(inference, minutes=0.2).command
    assert command.startswith(f"spikeweft infer {recording_file}")
    assert command.endswith("--seed 3 --minutes 0.2")
    assert {"python", "spikeweft", "numpy", "torch"} <= {*provenance["versions"]}


def test_the_command_of_a_given_model_does_not_choose_another(inference, tmp_path):
    """As the fits of a sweep: `infer` would choose the model by held-out spikes."""
    assert infer(inference).provenance["command"] == f"spikeweft reproduce {inference.folder}"
    hidden = but(inference, folder=tmp_path / "hidden", n_hidden=2)
    assert infer(hidden).provenance["command"] == hidden.command


class WithSettings(SpikeCorrelation):
    """One of them is of no kind that JSON knows."""

    def __init__(self, *, n_bins=1, names=(), kernel=None):
        self.n_bins, self.names, self.kernel = n_bins, names, kernel


def test_provenance_tells_what_was_compared_with(inference):
    other = WithSettings(n_bins=np.int64(2), names=("a",), kernel=Recording)
    infer(inference, baseline=other)
    provenance = read_result(inference.folder).provenance
    assert provenance["baseline"] == "WithSettings"
    told = {"n_bins": 2, "names": ["a"], "kernel": repr(Recording)}
    assert provenance["baseline_settings"] == told


def test_what_was_recorded_beside_the_spikes_can_be_read(tmp_path):
    """By its name; the command of the provenance names it too, and without it it is another fit."""
    times = np.arange(0.0, 20.0, 0.01)
    heading = Covariate(times_s=times, values=np.mod(times, 1.0) * 2 * np.pi, is_angle=True)
    recording = replace(spikes(), covariates={"heading": heading})
    save_simulation(tmp_path / "hd.npz", recording, ring_of(4))
    asked = Inference(
        recording=tmp_path / "hd.npz",
        folder=tmp_path / "result",
        covariates=("heading",),
        rotated_by="heading",
    )
    provenance = infer(asked).provenance
    assert "--covariates heading --rotated-by heading" in provenance["command"]
    assert (provenance["covariates"], provenance["rotated_by"]) == (["heading"], "heading")
    assert "--covariates" not in but(asked, covariates=()).command


def test_the_glm_is_given_what_the_model_is_given_and_predicts_better_by_it(tmp_path):
    """Neurons that follow a direction and do not hear each other."""
    recording = unconnected_population(4, 60.0, np.random.default_rng(1))
    save_simulation(tmp_path / "hd.npz", recording, ring_of(4))
    asked = Inference(recording=tmp_path / "hd.npz", folder=tmp_path / "without")
    without = infer(asked, baseline=None)
    with_it, rotated = (
        infer(but(asked, folder=tmp_path / name, **{name: value}), baseline=None)
        for name, value in (("covariates", ("direction",)), ("rotated_by", "direction"))
    )
    gained = with_it.metrics["glm_bits_per_spike"] - without.metrics["glm_bits_per_spike"]
    assert gained > 0.1
    assert np.array_equal(rotated.glm.weights, with_it.glm.weights)
    read = read_result(tmp_path / "covariates")
    assert read.provenance["glm_covariates"] == ["direction"]
    assert read.glm.metadata["covariates"] == "direction"
    assert without.provenance["glm_covariates"] == []


def test_the_same_seed_gives_the_same_circuit(inference, tmp_path):
    first, second = infer(inference), infer(but(inference, folder=tmp_path / "again"))
    assert np.array_equal(first.connectivity.weights, second.connectivity.weights)
    assert np.array_equal(first.model_arrays["noise"], second.model_arrays["noise"])


def test_only_the_first_minutes_are_used(inference):
    assert infer(but(inference, minutes=0.1)).metrics["duration_s"] == pytest.approx(6.0)


def test_a_heading_gives_every_neuron_a_place_on_the_ring(tmp_path):
    """Neurons that fire in one quarter of a turn each are placed in its middle."""
    times = np.arange(0.0, 20.0, 0.01)
    heading = Covariate(times_s=times, values=np.mod(times, 1.0) * 2 * np.pi, is_angle=True)
    quarter = (np.mod(times, 1.0) * 4).astype(int)
    recording = Recording.from_arrays(
        times, quarter, epochs_s=np.array([[0.0, 20.0]]), covariates={"heading": heading}
    )
    save_simulation(tmp_path / "hd.npz", recording, ring_of(4))
    result = infer(Inference(recording=tmp_path / "hd.npz", folder=tmp_path / "result"))
    middles = np.deg2rad([45.0, 135.0, 225.0, 315.0])
    assert SteppingCorrelation.seen.preferred_angle_rad == pytest.approx(middles, abs=0.1)
    assert result.sample.preferred_angle_rad == pytest.approx(middles, abs=0.1)


def test_warnings_about_the_data_are_kept_with_the_result(tmp_path):
    recording = spikes(n=5, duration_s=20.0, rate_hz=30.0)
    kept = (recording.spike_neurons != 4) | (recording.spike_times_s < 1.0)
    np.savez(
        tmp_path / "odd.npz",
        spike_times=np.append(recording.spike_times_s[kept], 25.0),
        spike_units=np.append(recording.spike_neurons[kept], 0),
        n_units=6,
        epoch_start=[0.0, 10.0],
        epoch_stop=[9.0, 20.0],
    )
    infer(Inference(recording=tmp_path / "odd.npz", folder=tmp_path / "result"))
    said = " | ".join(read_result(tmp_path / "result").warnings)
    for words in ("lie outside the epochs", "never fire", "fewer than 100", "1 gap ", "silent in"):
        assert words in said


def test_a_neuron_that_fires_only_where_the_models_are_scored_is_named(tmp_path):
    recording = spikes()
    kept = (recording.spike_neurons != 1) | (recording.spike_times_s > 18.5)
    times, neurons = recording.spike_times_s[kept], recording.spike_neurons[kept]
    path = tmp_path / "late.npz"
    np.savez(path, spike_times=times, spike_units=neurons, start=0.0, stop=20.0)
    result = infer(Inference(recording=path, folder=tmp_path / "result"))
    (said,) = (warning for warning in result.warnings if "alone" in warning)
    assert said.startswith("1 of 4 neurons fire in the last 2 s alone")
    assert said.endswith(": 1")


class Cautious(SteppingCorrelation):
    """It warns of what its fit left out."""

    warnings_ = ("neuron 2 decides nothing",)


def test_warnings_of_the_fit_are_kept_with_the_result(inference):
    infer(inference, model=Cautious)
    assert "neuron 2 decides nothing" in read_result(inference.folder).warnings


class WithHidden(SteppingCorrelation):
    """Held-out spikes were asked whether hidden neurons help."""

    gained_nats = 0.0

    def fit(self, X, y=None, **more):
        super().fit(X, y, **more)
        tried = {
            "n_hidden": self.n_hidden,
            "held_out_nats_gained_by_hidden_neurons": self.gained_nats,
        }
        self.connectivity_ = replace(self.connectivity_, metadata=tried)
        return self


class WithUsefulHidden(WithHidden):
    gained_nats = 12.0


def test_hidden_neurons_that_were_not_kept_are_said_to_be_none(inference):
    none_kept = infer(but(inference, n_hidden=3), model=WithHidden)
    (said,) = (warning for warning in none_kept.warnings if "hidden" in warning)
    assert said.startswith("3 hidden neurons were tried and not kept")
    assert said.endswith("the circuit has none")


def test_hidden_neurons_that_were_kept_are_no_warning(inference):
    kept = infer(but(inference, n_hidden=3), model=WithUsefulHidden)
    assert not any("hidden" in warning for warning in kept.warnings)


def test_every_file_of_a_result_can_be_read_by_others(inference):
    before = os.umask(0o022)
    try:
        infer(inference)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in inference.folder.iterdir()} == {0o644}


def test_a_bootstrap_is_fitted_to_blocks_and_scored_on_the_same_spikes(inference, tmp_path):
    plain = infer(inference)
    drawn = infer(but(inference, folder=tmp_path / "drawn", bootstrap=1, block_s=1.0))
    assert len(SteppingCorrelation.seen.epochs_s) == 18
    assert drawn.metrics["n_test_spikes"] == plain.metrics["n_test_spikes"]
    assert not np.array_equal(drawn.connectivity.weights, plain.connectivity.weights)
    assert drawn.provenance["bootstrap"] == 1
    assert "--bootstrap 1 --block-s 1.0" in but(inference, bootstrap=1, block_s=1.0).command


def test_a_result_is_scored_against_any_truth_of_its_size(inference, tmp_path):
    result = infer(inference)
    np.savez(tmp_path / "truth.npz", weights=ring_of(4).weights)
    errors = score(inference.folder, tmp_path / "truth.npz")
    assert errors["spikeweft"].delta == result.metrics["delta"]
    assert errors["GLM"].delta == result.metrics["glm_delta"]
    np.savez(tmp_path / "other.npz", weights=ring_of(5).weights)
    with pytest.raises(InputError, match="truth has 5 neurons but the inferred circuit has 4"):
        score(inference.folder, tmp_path / "other.npz")


def test_a_truth_with_names_is_scored_by_name(inference, tmp_path):
    result = infer(inference)
    names, order = np.array(result.connectivity.neuron_ids), np.array([2, 0, 3, 1])
    named = np.array([f"n{name}" for name in names])
    weights = ring_of(4).weights[np.ix_(order, order)]
    np.savez(tmp_path / "others.npz", weights=weights, neuron_ids=named)
    with pytest.raises(InputError, match="4 of 4 neurons, the first of them '0', are not in"):
        score(inference.folder, tmp_path / "others.npz")
    np.savez(tmp_path / "shuffled.npz", weights=weights, neuron_ids=names[order])
    errors = score(inference.folder, tmp_path / "shuffled.npz")
    assert errors["spikeweft"].delta == pytest.approx(result.metrics["delta"])


def test_a_numbered_truth_of_more_neurons_scores_those_that_were_used(inference, tmp_path):
    result = infer(but(inference, exclude=("1",)))
    np.savez(tmp_path / "truth.npz", weights=ring_of(4).weights)
    errors = score(inference.folder, tmp_path / "truth.npz")
    assert errors["spikeweft"].delta == pytest.approx(result.metrics["delta"])


def test_units_that_are_left_out_are_in_the_command_and_not_in_the_circuit(inference):
    asked = but(inference, exclude=("1",), units="n_spikes > 0")
    result = infer(asked)
    assert result.connectivity.neuron_ids == ("0", "2", "3")
    assert "--units 'n_spikes > 0' --exclude 1" in asked.command
    assert "3 of 4 units are used, as asked for" in result.warnings


def test_a_report_is_written_again(inference):
    infer(inference)
    (inference.folder / "report.html").unlink()
    path = write_report(inference.folder)
    assert path.read_text().startswith("<!doctype html>")
    with pytest.raises(InputError, match="no result folder"):
        write_report(inference.folder.parent / "none")
