from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.errors import InputError
from spikeweft.runtime.training_loop import Progress, read_checkpoint, train, write_checkpoint

SETTINGS = {"seed": 1, "n_hidden": 0, "data": "abc"}


class RandomWalk:
    """A fit whose every step depends on all steps before it."""

    def __init__(self, n_steps: int = 8) -> None:
        self.n_steps = n_steps
        self.path = np.zeros(0)
        self.rng = np.random.default_rng(7)

    def advance(self) -> Progress | None:
        if len(self.path) == self.n_steps:
            return None
        self.path = np.append(self.path, self.path.sum() + self.rng.normal())
        return Progress(
            stage="walk",
            step=len(self.path),
            loss=float(self.path[-1]),
            held_out_bits_per_spike=float("nan") if len(self.path) == 1 else 0.5,
        )

    def state(self):
        return {"path": self.path, "n_drawn": np.array(len(self.path))}

    def restore(self, state):
        self.path = state["path"].copy()
        self.rng = np.random.default_rng(7)
        self.rng.normal(size=int(state["n_drawn"]))


def timeless(history):
    return [{**asdict(progress), "seconds": 0.0} for progress in history]


def test_training_yields_its_progress_to_the_end():
    history = list(train(RandomWalk(), SETTINGS))
    assert [progress.step for progress in history] == list(range(1, 9))
    assert np.all(np.diff([progress.seconds for progress in history]) >= 0)


@pytest.mark.parametrize("n_done", [1, 4, 7, 8])
def test_a_fit_that_was_interrupted_reaches_the_result_of_one_that_was_not(tmp_path, n_done):
    whole = RandomWalk()
    expected = list(train(whole, SETTINGS))
    checkpoint = tmp_path / "checkpoint.safetensors"
    interrupted = train(RandomWalk(), SETTINGS, checkpoint)
    for _ in range(n_done):
        next(interrupted)
    resumed = RandomWalk()
    history = list(train(resumed, SETTINGS, checkpoint))
    assert np.array_equal(resumed.path, whole.path)
    assert repr(timeless(history)) == repr(timeless(expected))
    assert np.all(np.diff([progress.seconds for progress in history]) >= 0)


def test_other_settings_are_not_resumed(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    list(train(RandomWalk(), SETTINGS, checkpoint))
    with pytest.raises(InputError, match=r"made with another data, seed; .*--force"):
        list(train(RandomWalk(), {**SETTINGS, "seed": 2, "data": "b"}, checkpoint))


def test_a_checkpoint_with_other_kinds_of_settings_is_of_another_version(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    list(train(RandomWalk(), {**SETTINGS, "recipe": 1}, checkpoint))
    with pytest.raises(InputError, match="made by another version of spikeweft"):
        list(train(RandomWalk(), SETTINGS, checkpoint))


def test_an_unfinished_write_leaves_the_last_checkpoint(tmp_path):
    checkpoint = tmp_path / "checkpoint.safetensors"
    list(train(RandomWalk(), SETTINGS, checkpoint))
    (tmp_path / "checkpoint.safetensors.tmp").write_bytes(b"half a checkpoint")
    history, _ = read_checkpoint(checkpoint, SETTINGS)
    assert len(history) == 8


@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_checkpoint_is_refused_or_unharmed(tmp_path, where, byte, cut):
    path = tmp_path / "checkpoint.safetensors"
    history = [Progress(stage="a", step=1, loss=1.5, held_out_bits_per_spike=float("nan"))]
    state = {"weights": np.arange(6.0).reshape(2, 3), "n": np.array(3), "mask": np.ones(3, bool)}
    write_checkpoint(path, SETTINGS, history, state)
    content = bytearray(path.read_bytes())
    place = int(where * len(content))
    content[place] = byte
    path.write_bytes(content[: place + 1] if cut else content)
    try:
        found_history, found = read_checkpoint(path, SETTINGS)
    except InputError:
        return
    assert repr(found_history) == repr(history)
    assert found.keys() == state.keys()
    assert all(np.array_equal(found[name], state[name]) for name in state)
    assert all(found[name].shape == state[name].shape for name in state)


@pytest.mark.parametrize("content", [b"", b"x", b"\x00" * 64, b"{}" * 40])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        read_checkpoint(path, SETTINGS)
