import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.inference.asking import but, contents, interrupt
from tests.stand_ins import SteppingCorrelation, spikes
from tests.stand_ins import quick_infer as infer

from spikeweft.errors import InputError
from spikeweft.inference.settings import Inference
from spikeweft.results.result import read_result
from spikeweft.results.unfinished_folder import partial_of
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring
from spikeweft.simulation.storage import save_simulation


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_hidden": -1}, "-1 hidden neurons"),
        ({"minutes": 0.0}, "0 minutes"),
        ({"minutes": -2.0}, "-2 minutes"),
        ({"minutes": float("nan")}, "nan minutes"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**32}, "seed 4294967296"),
        ({"minutes": 1e-6}, "no spikes|too short"),
        ({"epochs": "wake"}, "no epochs 'wake'|names no epochs"),
        ({"covariates": ("speed",)}, "no covariate 'speed'; it has: none"),
        ({"rotated_by": "theta"}, "no covariate 'theta'"),
        ({"bootstrap": -1}, "bootstrap's seed -1"),
        ({"bootstrap": 1, "block_s": 0.1}, "blocks of 0.1 s cannot be used"),
        ({"bootstrap": 1, "block_s": 15.0}, "blocks of 15 s are too long"),
    ],
)
def test_settings_that_cannot_be_used_leave_nothing_behind(inference, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        infer(but(inference, **changes))
    assert [path.name for path in inference.folder.parent.iterdir()] == ["ring.npz"]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"spike_units": np.zeros(600, int)}, "at least two neurons"),
        ({"weights": np.eye(4)}, "no connection"),
        ({"weights": np.ones((5, 5))}, "truth .* has 5 neurons"),
        ({"spike_times": np.full(600, np.nan)}, "not finite"),
        ({"epoch_start": np.arange(20.0), "epoch_stop": np.arange(20.0) + 0.01}, "too short"),
    ],
)
def test_a_recording_that_cannot_be_used_leaves_nothing_behind(tmp_path, arrays, sentence):
    recording = spikes(rate_hz=7.5)
    plain = {"spike_times": recording.spike_times_s, "spike_units": recording.spike_neurons}
    np.savez(tmp_path / "bad.npz", **{**plain, **arrays})
    with pytest.raises(InputError, match=sentence):
        infer(Inference(recording=tmp_path / "bad.npz", folder=tmp_path / "result"))
    assert [path.name for path in tmp_path.iterdir()] == ["bad.npz"]


def failing(error):
    """A model whose fit ends with an error."""

    class Failing(SteppingCorrelation):
        def fit(self, X, y=None, **options):
            raise error

    return Failing


@pytest.mark.parametrize("error", [TypeError("no such model"), ConnectionError("it is gone")])
def test_an_error_that_no_user_made_leaves_no_interrupted_inference(inference, error):
    """It is not said of the disk either."""
    with pytest.raises(type(error), match=str(error)):
        infer(inference, model=failing(error))
    assert [path.name for path in inference.folder.parent.iterdir()] == ["ring.npz"]


def test_an_error_of_the_fit_itself_leaves_nothing_behind(inference):
    refuse = failing(InputError("these spikes cannot be fitted; record others"))
    with pytest.raises(InputError, match="cannot be fitted"):
        infer(inference, model=refuse)
    assert [path.name for path in inference.folder.parent.iterdir()] == ["ring.npz"]


def test_a_result_is_replaced_only_when_forced_and_only_by_a_whole_one(inference):
    infer(inference)
    before = contents(inference.folder)
    with pytest.raises(InputError, match="exists already"):
        infer(inference)
    with pytest.raises(KeyboardInterrupt):
        infer(but(inference, force=True, seed=4), interrupt(2))
    assert contents(inference.folder) == before
    infer(but(inference, force=True, seed=4))
    assert read_result(inference.folder).provenance["seed"] == 4
    assert {path.name for path in inference.folder.parent.iterdir()} == {"ring.npz", "result"}


def test_a_result_that_holds_files_of_its_users_is_not_replaced(inference):
    infer(inference)
    (inference.folder / "notes.txt").write_text("precious")
    before = contents(inference.folder)
    with pytest.raises(InputError, match=r"holds 'notes\.txt', which would be deleted"):
        infer(but(inference, force=True), model=failing(AssertionError("it was fitted")))
    assert contents(inference.folder) == before


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_that_is_no_result_is_never_replaced(inference, force):
    inference.folder.mkdir()
    (inference.folder / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match=r"exists already|not a result of spikeweft"):
        infer(but(inference, force=force))
    assert contents(inference.folder) == {"thesis.tex": b"precious"}


def test_a_folder_that_happens_to_be_called_as_ours_are_keeps_its_files(inference):
    """Those of the unfinished result and of the one that is being replaced."""
    result, text = inference.folder, {"thesis.tex": b"precious"}
    aside, partial = (result.with_name(result.name + end) for end in (".replaced", ".partial"))
    for place in (aside, partial):
        place.mkdir()
        (place / "thesis.tex").write_bytes(text["thesis.tex"])
    for choice in ({"force": True}, {"resume": True}):
        with pytest.raises(InputError, match="partial is not an interrupted inference"):
            infer(but(inference, **choice))
        assert contents(partial) == text
    shutil.rmtree(partial)
    infer(inference)
    assert contents(aside) == text
    before = contents(result)
    with pytest.raises(InputError, match="replaced is in the way of replacing result"):
        infer(but(inference, force=True))
    assert contents(aside) == text
    assert contents(result) == before


def test_a_result_needs_a_folder_to_lie_in(inference, tmp_path):
    with pytest.raises(InputError, match="no folder"):
        infer(but(inference, folder=tmp_path / "none" / "result"))


def test_a_full_disk_is_one_sentence(inference):
    def refuse(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"):
        infer(inference, build_page=refuse)


@pytest.mark.parametrize("largest", [700, 2_000, 30_000])
def test_a_file_that_grows_too_large_is_one_sentence(inference, largest):
    """The system refuses while it trains, or when the result is written; then there is room.

    What was reached before can be gone on from.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        with pytest.raises(InputError, match=r"result.* cannot be written to \(File too large\)"):
            infer(inference, build_page=lambda _: "<p>" * 20_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not inference.folder.exists()
    infer(but(inference, resume=True))
    assert read_result(inference.folder).provenance["seed"] == 3
    assert not partial_of(inference.folder).exists()


def test_where_nothing_can_be_written_nothing_is_left(inference):
    with pytest.raises(InputError, match=r"/proc.*(cannot be written to|no folder)"):
        infer(but(inference, folder=Path("/proc/result")))


def test_a_recording_too_large_for_the_memory_is_one_sentence(inference):
    refuse = failing(MemoryError("unable to allocate 1 TiB"))
    with pytest.raises(InputError, match=r"not enough memory .* 1 TiB"):
        infer(inference, model=refuse)
    assert [path.name for path in inference.folder.parent.iterdir()] == ["ring.npz"]


def test_times_that_are_not_in_seconds_are_refused(tmp_path):
    recording = spikes()
    np.savez(
        tmp_path / "microseconds.npz",
        spike_times=recording.spike_times_s * 1e6,
        spike_units=recording.spike_neurons,
    )
    with pytest.raises(InputError, match=r"are these microseconds\? .* divide by 1,000,000"):
        infer(Inference(recording=tmp_path / "microseconds.npz", folder=tmp_path / "result"))


def test_a_network_that_cannot_be_built_is_found_before_the_fit(tmp_path):
    network = lnp_ring()
    recording = simulate(network, 3.0, np.random.default_rng(0))
    metadata = {**network.connectivity.metadata, "n_neurons": "many"}
    truth = replace(network.connectivity, metadata=metadata)
    save_simulation(tmp_path / "ring.npz", recording, truth)
    with pytest.raises(InputError, match=r"'network' in .* cannot be built again"):
        infer(Inference(recording=tmp_path / "ring.npz", folder=tmp_path / "result"))
    assert [path.name for path in tmp_path.iterdir()] == ["ring.npz"]
