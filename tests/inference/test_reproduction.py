import datetime
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.conftest import learn_shortly
from tests.stand_ins import page_of_one_line, ring_of
from threadpoolctl import threadpool_limits

from spikeweft.baselines.glm.poisson_glm import PoissonGLM
from spikeweft.circuit_gnn.estimator import CircuitGNN
from spikeweft.cli import main
from spikeweft.data.covariate import Covariate
from spikeweft.data.readers.load import load
from spikeweft.errors import InputError
from spikeweft.inference import reproduction, run
from spikeweft.inference.reproduction import difference, reproduce
from spikeweft.inference.run import plain_settings
from spikeweft.inference.settings import Inference
from spikeweft.results.result import read_result, write_result
from spikeweft.runtime import parallel as threads
from spikeweft.simulation.storage import save_simulation


@pytest.fixture(autouse=True, scope="module")
def short_learning_for_all():
    """The bits of a network come again after any number of steps."""
    with pytest.MonkeyPatch.context() as patch:
        learn_shortly(patch)
        yield


def infer(**settings) -> None:
    """The real methods, and a page that takes no time."""
    run.infer(Inference(**settings), build_page=page_of_one_line)


def four_neurons(path, seconds):
    """Four neurons, one of which follows another: the whole method runs on them."""
    rng = np.random.default_rng(0)
    n_spikes = int(50 * seconds)
    ticks = rng.integers(0, int(seconds * 1e4) - 100, (4, n_spikes))
    ticks[1] = ticks[0] + 30
    units = np.repeat(np.arange(4), n_spikes)
    times = ticks.ravel() * 1e-4
    np.savez(
        path, spike_times=times, spike_units=units, start=0.0, stop=seconds, time_resolution_s=1e-4
    )
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A recording and its result."""
    place = tmp_path_factory.mktemp("made")
    recording = four_neurons(place / "four.npz", 6.0)
    infer(recording=recording, folder=place / "result", seed=2)
    return recording, place / "result"


@pytest.fixture
def recording(made):
    """The recording, which is there again after the test."""
    before = made[0].read_bytes()
    yield made[0]
    made[0].write_bytes(before)


@pytest.fixture
def result(made, tmp_path):
    return Path(shutil.copytree(made[1], tmp_path / "result"))


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_result_is_made_again_bit_by_bit(result):
    before = contents(result)
    made = reproduce(result)
    assert made.is_same
    assert {"weights", "standard errors", "GLM's weights"} <= {*made.compared}
    of_model = {f"model's {name}" for name in read_result(result).model_arrays}
    assert of_model <= {*made.compared}
    assert made.changes == {}
    assert contents(result) == before


@pytest.mark.slow
def test_a_bootstrap_is_made_again_too(tmp_path):
    recording = four_neurons(tmp_path / "long.npz", 20.0)
    infer(recording=recording, folder=tmp_path / "drawn", bootstrap=3, block_s=1.0)
    assert reproduce(tmp_path / "drawn").is_same


@pytest.mark.slow
def test_what_was_recorded_beside_the_spikes_is_read_again(tmp_path):
    """The model has a column for each, which made again is the same."""
    loaded = load(four_neurons(tmp_path / "four.npz", 6.0)).recording
    times = np.arange(0.0, 6.0, 0.01)
    speed = Covariate(times_s=times, values=np.sin(times), is_angle=False)
    other = Covariate(times_s=times, values=np.cos(3 * times), is_angle=False)
    with_both = replace(loaded, covariates={"speed": speed, "other": other})
    save_simulation(tmp_path / "run.npz", with_both, ring_of(4))
    for covariates in (("speed",), ("speed", "other")):
        folder = tmp_path / f"with {len(covariates)}"
        infer(recording=tmp_path / "run.npz", folder=folder, covariates=covariates)
        assert reproduce(folder).is_same
    one, two = (
        read_result(tmp_path / f"with {n}").model_arrays["neuron_parameters"] for n in (1, 2)
    )
    assert two.shape[1] == one.shape[1] + 1


@pytest.mark.slow
def test_responses_to_an_event_are_fitted_again_in_the_same_window(tmp_path):
    pynwb = pytest.importorskip("pynwb")
    loaded = load(four_neurons(tmp_path / "four.npz", 6.0)).recording
    nwb = pynwb.NWBFile(
        "made by a test", "test", datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC)
    )
    for neuron in range(4):
        nwb.add_unit(spike_times=loaded.spike_times_s[loaded.spike_neurons == neuron])
    for start_s in np.arange(0.5, 5.5):
        nwb.add_trial(start_time=start_s, stop_time=start_s + 0.5)
    with pynwb.NWBHDF5IO(path=tmp_path / "four.nwb", mode="w") as file:
        file.write(nwb)
    infer(
        recording=tmp_path / "four.nwb",
        folder=tmp_path / "result",
        covariates=("trials.start_time",),
        event_window_s=(-0.1, 0.55),
    )
    assert reproduce(tmp_path / "result").is_same
    made = read_result(tmp_path / "result")
    assert made.provenance["event_window_s"] == [-0.1, 0.55]
    assert "trials.start_time at +0.25 s" in made.sample.covariates


def test_one_changed_weight_is_found(result, capsys):
    was = read_result(result)
    weights = was.connectivity.weights.copy()
    weights[2, 1] += 0.5
    write_result(result, replace(was, connectivity=replace(was.connectivity, weights=weights)))
    (found,) = reproduce(result).differences
    assert (found.array, found.n_entries, found.where) == ("weights", 1, "post 2, pre 1")
    assert found.largest == pytest.approx(0.5)
    with pytest.raises(SystemExit) as ended:
        main(["reproduce", str(result)])
    assert ended.value.code == 1
    said = capsys.readouterr().out
    assert "post 2, pre 1" in said
    assert "the same bit by bit: standard errors" in said


def test_arrays_that_only_one_result_has_are_a_difference(result):
    """All others are compared, as where another version names one otherwise."""
    before = read_result(result)
    name, *others = before.model_arrays
    renamed = {"old_name": before.model_arrays[name]}
    kept = {other: before.model_arrays[other] for other in others}
    rewritten = result.with_name("rewritten")
    rewritten.mkdir()
    write_result(rewritten, replace(before, model_arrays={**kept, **renamed}))
    made = reproduce(rewritten)
    assert not made.is_same
    assert "weights" in made.compared
    was, now = made.differences
    assert (was.array, was.where) == ("model's old_name", "not there when made again")
    assert (now.array, now.where) == (f"model's {name}", "there only when made again")


def test_a_model_that_was_built_by_its_user_is_not_taken_for_another(result, monkeypatch):
    before = read_result(result)
    provenance = {**before.provenance, "model": "SynapseModel", "model_chosen_by_spikes": False}
    write_result(result, replace(before, provenance=provenance))
    monkeypatch.setattr(reproduction, "infer", pytest.fail)
    with pytest.raises(InputError, match="made by a SynapseModel that was built in Python"):
        reproduce(result)


class ReachedError(Exception):
    """It would be fitted."""


@pytest.fixture
def checked(result, monkeypatch):
    """What is said of a result with this provenance and these settings of a `CircuitGNN`."""

    def fit(*_, **__):
        raise ReachedError

    def check(settings=None, without=(), **provenance):
        before = read_result(result)
        given = {**before.provenance, "model": "CircuitGNN", "model_chosen_by_spikes": False}
        kept = {k: v for k, v in {**given, **provenance}.items() if k not in without}
        ours = {**plain_settings(CircuitGNN(random_state=2)), "neuron_ids": ["0", "1", "2", "3"]}
        changed = {**ours, **(settings or {})}
        write_result(result, replace(before, provenance=kept, model_settings=changed))
        reproduce(result)

    monkeypatch.setattr(reproduction, "infer", fit)
    return check


def test_a_model_with_settings_of_its_user_s_is_not_taken_for_the_usual_one(checked):
    for settings in ({"tau_s": 0.01}, {"n_hidden": 3}, {"random_state": 1}):
        with pytest.raises(InputError, match="made by a CircuitGNN that was built in Python"):
            checked(settings)
    with pytest.raises(ReachedError):
        checked()


def test_a_comparison_with_another_method_is_not_taken_for_the_usual_one(checked):
    with pytest.raises(InputError, match="compared with a GLMCC that was built in Python"):
        checked(baseline="GLMCC", baseline_settings={})
    with pytest.raises(InputError, match="compared with a PoissonGLM that was built in Python"):
        checked(baseline="PoissonGLM", baseline_settings=plain_settings(PoissonGLM(ridge=3.0)))


def test_a_result_of_an_older_version_which_says_less_is_made_again(checked):
    with pytest.raises(ReachedError):
        checked(without=("baseline", "baseline_settings"))


def test_the_recording_has_to_be_the_same(result, recording, capsys):
    moved = recording.rename(recording.with_name("moved.npz"))
    with pytest.raises(InputError, match=r"four\.npz does not exist; give its new path"):
        reproduce(result)
    assert main(["reproduce", str(result), "--recording", str(moved)]) == 0
    assert "the same bit by bit: weights" in capsys.readouterr().out
    moved.write_bytes(moved.read_bytes() + b" ")
    with pytest.raises(InputError, match=r"moved\.npz is not the one .* was made from"):
        reproduce(result, moved)


@pytest.mark.slow
def test_the_number_of_threads_changes_no_bit(result, recording, tmp_path, monkeypatch):
    """Three processors for the pieces of the work, and two threads in every library."""
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "n_processors", lambda: 3)
    threads._pool.cache_clear()
    torch.set_num_threads(2)
    try:
        with threadpool_limits(2):
            infer(recording=recording, folder=tmp_path / "threads", seed=2)
    finally:
        torch.set_num_threads(before)
        threads._pool.cache_clear()
    one, many = contents(result), contents(tmp_path / "threads")
    for name in ("connectivity.nc", "glm.nc", "model.safetensors", "sample.npz"):
        assert many[name] == one[name]


@pytest.mark.slow
def test_a_process_that_keeps_to_one_thread_finds_the_same(result, recording, tmp_path):
    with threads.on_one_thread(), threadpool_limits(1):
        infer(recording=recording, folder=tmp_path / "alone", seed=2)
    assert contents(tmp_path / "alone")["connectivity.nc"] == contents(result)["connectivity.nc"]


@pytest.mark.parametrize(
    ("was", "now", "largest"),
    [
        ([0.0, 1.0], [-0.0, 1.0], 0.0),
        ([np.inf, 1.0], [1.0, 1.0], np.inf),
        ([np.nan, 1.0], [np.nan, 1.5], 0.5),
        ([0.0], [0.0, 1.0], np.inf),
    ],
)
def test_every_bit_counts(result, was, now, largest):
    found = difference("numbers", np.array(was), np.array(now), read_result(result))
    assert found is not None
    assert found.largest == largest


@pytest.mark.parametrize("numbers", [[np.nan, np.inf, 0.0], [], [1, 2]])
def test_what_is_the_same_is_no_difference(result, numbers):
    assert difference("n", np.array(numbers), np.array(numbers), read_result(result)) is None
