import numpy as np
import pytest
from tests.inference.asking import but, contents, interrupt
from tests.stand_ins import N_STEPS, SteppingCorrelation, ring_of, spikes
from tests.stand_ins import quick_infer as infer

import spikeweft.results.unfinished_folder as partial_module
from spikeweft.errors import InputError
from spikeweft.results.result import read_result
from spikeweft.results.unfinished_folder import partial_of
from spikeweft.simulation.storage import save_simulation


def test_two_inferences_do_not_share_a_folder(inference):
    def second(progress):
        if progress.step == 2:
            with pytest.raises(InputError, match="another process is at work"):
                infer(but(inference, resume=True))

    infer(inference, second)
    assert len(read_result(inference.folder).history) == N_STEPS


@pytest.mark.parametrize("step", [1, 3, N_STEPS])
def test_an_interrupted_inference_goes_on_to_the_same_result(inference, tmp_path, step):
    whole = infer(but(inference, folder=tmp_path / "whole"))
    with pytest.raises(KeyboardInterrupt):
        infer(inference, interrupt(step))
    assert not inference.folder.exists()
    with pytest.raises(InputError, match="--resume or start over with --force"):
        infer(inference)
    resumed = infer(but(inference, resume=True))
    assert np.array_equal(resumed.model_arrays["noise"], whole.model_arrays["noise"])
    for name in ("connectivity.nc", "glm.nc", "model.safetensors", "model.json"):
        assert contents(inference.folder)[name] == contents(tmp_path / "whole")[name]
    assert "checkpoint.safetensors" not in contents(inference.folder)


def test_resuming_with_nothing_to_resume_begins(inference):
    infer(but(inference, resume=True))
    assert inference.folder.exists()


@pytest.mark.parametrize("changes", [{"seed": 9}, {"n_hidden": 2}, {"minutes": 0.2}])
def test_another_inference_is_not_resumed(inference, changes):
    with pytest.raises(KeyboardInterrupt):
        infer(inference, interrupt(2))
    before = contents(partial_of(inference.folder))
    with pytest.raises(InputError, match=f"begun with another {next(iter(changes))}"):
        infer(but(inference, resume=True, **changes))
    assert contents(partial_of(inference.folder)) == before


def test_another_recording_is_not_resumed(inference, recording_file):
    with pytest.raises(KeyboardInterrupt):
        infer(inference, interrupt(2))
    save_simulation(recording_file, spikes(rate_hz=20.0), ring_of(4), force=True)
    with pytest.raises(InputError, match="begun with another sha256"):
        infer(but(inference, resume=True))


@pytest.mark.parametrize("name", ["checkpoint.safetensors", "run.json"])
def test_a_corrupt_checkpoint_is_refused_and_left_alone(inference, name):
    with pytest.raises(KeyboardInterrupt):
        infer(inference, interrupt(2))
    partial = partial_of(inference.folder)
    damaged = bytearray((partial / name).read_bytes())
    damaged[len(damaged) // 2 :] = b"?" * 7
    (partial / name).write_bytes(damaged)
    before = contents(partial)
    with pytest.raises(InputError, match=r"damaged.*--force"):
        infer(but(inference, resume=True))
    assert contents(partial) == before
    assert not inference.folder.exists()
    infer(but(inference, force=True))
    assert not partial.exists()


def test_an_interruption_while_writing_loses_no_training(inference, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(partial_module, "_put_in_place", interrupted)
        with pytest.raises(KeyboardInterrupt):
            infer(inference)
    steps = []

    class Noting(SteppingCorrelation):
        def advance(self):
            steps.append(self.step)

    infer(but(inference, resume=True), model=Noting)
    assert steps == [N_STEPS]


def test_what_was_to_replace_a_result_goes_on_and_replaces_it(inference):
    """Until then the old result stays."""
    infer(inference)
    before, again = contents(inference.folder), but(inference, seed=9, force=True)
    with pytest.raises(KeyboardInterrupt):
        infer(again, interrupt(2))
    assert contents(inference.folder) == before
    infer(but(again, resume=True))
    assert read_result(inference.folder).provenance["seed"] == 9
    assert not partial_of(inference.folder).exists()
