import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.covariate import Covariate
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.results.result import Result, read_result, write_result
from spikeweft.runtime.training_loop import Progress

FILES = (
    "connectivity.nc",
    "glm.nc",
    "truth.nc",
    "model.safetensors",
    "model.json",
    "metrics.json",
    "history.csv",
    "provenance.json",
    "sample.npz",
)


def small_result(rng, **changes) -> Result:
    ids = ("<script>", "unité 2", "T3C1")
    sample = Recording(
        spike_times_s=np.array([10.001, 10.2, 14.5]),
        spike_neurons=np.array([0, 2, 2]),
        n_neurons=3,
        epochs_s=np.array([[10.0, 12.0], [14.0, 15.0]]),
        neuron_ids=ids,
        preferred_angle_rad=np.array([0.1, 2.0, np.nan]),
        covariates={
            "head_direction": Covariate(
                times_s=np.arange(0.0, 100.0, 0.5),
                values=np.arange(200) % 6.0,
                is_angle=True,
            )
        },
    )
    parts = {
        "connectivity": Connectivity(
            weights=rng.normal(size=(3, 3)),
            neuron_ids=ids,
            standard_error=np.full((3, 3), np.inf),
            angle_rad=np.array([0.1, 2.0, 4.0]),
            metadata={"method": "CircuitGNN", "seed": 1, "history_window_s": 0.02},
        ),
        "glm": Connectivity(weights=rng.normal(size=(3, 3)), neuron_ids=ids),
        "truth": Connectivity(weights=rng.normal(size=(3, 3)), neuron_ids=ids),
        "metrics": {
            "bits_per_spike": 1.25,
            "n_spikes": np.int64(3),
            "delta_bias": np.nan,
            "bits_per_spike_per_neuron": np.array([1.0, np.nan, 0.5]),
        },
        "history": [
            Progress(
                stage="structure, jointly",
                step=1,
                loss=-3.1,
                held_out_bits_per_spike=float("nan"),
                seconds=0.1,
            )
        ],
        "sample": sample,
        "warnings": ["neuron <b>1</b> never fires"],
        "provenance": {"seed": 1, "versions": {"numpy": "2.0"}},
        "model_arrays": {"weights": rng.normal(size=(3, 3)).T, "power": np.array(1.5)},
        "model_settings": {"history_window_s": 0.02, "embedding_sizes": (5, 6)},
    }
    return Result(**{**parts, **changes})


@pytest.fixture
def result():
    return small_result(np.random.default_rng(0))


def assert_same_circuit(one, other):
    np.testing.assert_array_equal(one.weights, other.weights)
    assert one.neuron_ids == other.neuron_ids
    assert dict(one.metadata) == dict(other.metadata)
    for name in ("standard_error", "angle_rad"):
        if getattr(one, name) is None:
            assert getattr(other, name) is None
        else:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_what_is_written_is_read_back(result, tmp_path):
    write_result(tmp_path, result)
    again = read_result(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    for name in ("connectivity", "glm", "truth"):
        assert_same_circuit(getattr(result, name), getattr(again, name))
    assert again.warnings == result.warnings
    assert again.provenance == result.provenance
    assert again.model_settings == {"history_window_s": 0.02, "embedding_sizes": [5, 6]}
    assert again.history[0].stage == "structure, jointly"
    assert again.history[0].loss == -3.1
    assert np.isnan(again.history[0].held_out_bits_per_spike)
    for name, array in result.model_arrays.items():
        np.testing.assert_array_equal(again.model_arrays[name], array)
        assert again.model_arrays[name].shape == array.shape


def test_the_sample_keeps_its_spikes_epochs_and_its_own_stretch_of_covariates(result, tmp_path):
    write_result(tmp_path, result)
    sample, again = result.sample, read_result(tmp_path).sample
    np.testing.assert_array_equal(again.spike_times_s, sample.spike_times_s)
    np.testing.assert_array_equal(again.spike_neurons, sample.spike_neurons)
    np.testing.assert_array_equal(again.epochs_s, sample.epochs_s)
    np.testing.assert_array_equal(again.preferred_angle_rad, sample.preferred_angle_rad)
    assert (again.time_resolution_s, again.neuron_ids) == (
        sample.time_resolution_s,
        sample.neuron_ids,
    )
    before, after = sample.covariates["head_direction"], again.covariates["head_direction"]
    assert after.is_angle
    assert len(after.times_s) < 15
    within = np.linspace(10.0, 15.0, 40)
    np.testing.assert_array_equal(after.at(within), before.at(within))


def test_a_sample_of_an_earlier_version_is_read(result, tmp_path):
    write_result(tmp_path, result)
    with np.load(tmp_path / "sample.npz") as file:
        arrays = dict(file)
    epochs_s = np.column_stack([arrays.pop("epoch_start"), arrays.pop("epoch_stop")])
    older = {
        "epochs_s": epochs_s,
        "tick_s": arrays.pop("time_resolution_s"),
        "preferred_angle_rad": arrays.pop("angle_rad"),
    }
    np.savez(tmp_path / "sample.npz", **arrays, **older)
    sample = read_result(tmp_path).sample
    np.testing.assert_array_equal(sample.epochs_s, result.sample.epochs_s)
    assert sample.time_resolution_s == result.sample.time_resolution_s
    np.testing.assert_array_equal(sample.preferred_angle_rad, result.sample.preferred_angle_rad)


def test_the_same_result_gives_the_same_bytes(result, tmp_path):
    folders = [tmp_path / name for name in ("one", "two", "three")]
    for folder in folders:
        folder.mkdir()
    write_result(folders[0], result)
    write_result(folders[1], result)
    write_result(folders[2], read_result(folders[0]))
    for name in FILES:
        first = (folders[0] / name).read_bytes()
        assert first == (folders[1] / name).read_bytes(), name
        assert first == (folders[2] / name).read_bytes(), name


def test_a_number_that_is_not_finite_is_null_in_json(result, tmp_path):
    write_result(tmp_path, result)
    text = (tmp_path / "metrics.json").read_text()
    metrics = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert metrics["delta_bias"] is None
    assert metrics["bits_per_spike_per_neuron"] == [1.0, None, 0.5]
    assert metrics["n_spikes"] == 3


def test_no_file_of_an_earlier_result_survives_a_later_one(result, tmp_path):
    write_result(tmp_path, result)
    write_result(tmp_path, small_result(np.random.default_rng(1), truth=None, glm=None))
    again = read_result(tmp_path)
    assert again.truth is None
    assert again.glm is None


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_named_in_one_sentence(result, tmp_path, name):
    write_result(tmp_path, result)
    (tmp_path / name).write_bytes(b"\x00\xffnot what it says it is")
    with pytest.raises(InputError, match=rf"{name} is damaged \(.+\); run 'spikeweft infer' again"):
        read_result(tmp_path)


@pytest.mark.parametrize("name", [name for name in FILES if name not in ("glm.nc", "truth.nc")])
def test_a_missing_file_is_named(result, tmp_path, name):
    write_result(tmp_path, result)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing"):
        read_result(tmp_path)


def test_a_missing_folder_is_named(result, tmp_path):
    with pytest.raises(InputError, match=r"no result folder .*nowhere"):
        read_result(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"no folder .*nowhere"):
        write_result(tmp_path / "nowhere", result)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", "[1, 2]"),
        ("provenance.json", "{}"),
        ("provenance.json", '{"warnings": "none"}'),
        ("provenance.json", '{"warnings": [], "covariates": 3}'),
        ("provenance.json", '{"warnings": [], "n_hidden": "x"}'),
        ("provenance.json", '{"warnings": [], "event_window_s": [1]}'),
        ("provenance.json", '{"warnings": [], "versions": 3}'),
        ("history.csv", "stage,step\nfirst,1\n"),
        ("history.csv", "stage,step,loss,held_out_bits_per_spike,seconds\nfirst,one\n"),
    ],
)
def test_a_file_of_another_kind_is_refused(result, tmp_path, name, content):
    write_result(tmp_path, result)
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=f"{name} is damaged"):
        read_result(tmp_path)


def test_a_history_with_more_columns_is_read(result, tmp_path):
    """Earlier versions wrote how many steps they expected."""
    write_result(tmp_path, result)
    lines = (tmp_path / "history.csv").read_text().splitlines()
    more = [f"{line},{last}" for line, last in zip(lines, ("n_steps", "9"), strict=True)]
    (tmp_path / "history.csv").write_text("\n".join(more))
    assert repr(read_result(tmp_path).history) == repr(result.history)


def test_nothing_pickled_is_ever_loaded(result, tmp_path):
    write_result(tmp_path, result)
    np.savez(tmp_path / "sample.npz", spike_times=np.array([print], dtype=object))
    with pytest.raises(InputError, match=r"sample\.npz is damaged"):
        read_result(tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate dimension names")  # of a damaged netCDF header
@given(
    name=st.sampled_from(FILES),
    where=st.floats(0.0, 1.0, exclude_max=True),
    byte=st.integers(0, 255),
    cut=st.booleans(),
)
def test_damage_anywhere_is_read_or_refused_but_never_crashes(tmp_path, name, where, byte, cut):
    if not (tmp_path / name).exists():
        write_result(tmp_path, small_result(np.random.default_rng(0)))
    whole = (tmp_path / name).read_bytes()
    at = int(where * len(whole))
    damaged = whole[:at] if cut else whole[:at] + bytes([byte]) + whole[at + 1 :]
    try:
        (tmp_path / name).write_bytes(damaged)
        with contextlib.suppress(InputError):
            read_result(tmp_path)
    finally:
        (tmp_path / name).write_bytes(whole)


@pytest.mark.parametrize("part", ["glm", "truth"])
def test_a_result_is_about_one_set_of_neurons(part):
    other = Connectivity(weights=np.zeros((4, 4)))
    with pytest.raises(
        InputError, match=f"the {part} has 4 neurons but the inferred circuit has 3"
    ):
        small_result(np.random.default_rng(0), **{part: other})


def test_a_result_without_a_second_circuit_still_loads(tmp_path):
    second = Connectivity(weights=np.eye(3))
    write_result(tmp_path, small_result(np.random.default_rng(0), second=second))
    assert read_result(tmp_path).second is not None
    (tmp_path / "second_circuit.nc").unlink()
    assert read_result(tmp_path).second is None
