"""What an inference is asked for, in the types of whoever asks."""

import json
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
from tests.inference.asking import but
from tests.stand_ins import quick_infer as infer

from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.errors import InputError
from spikeweft.inference.settings import Inference
from spikeweft.results.result import read_result


@pytest.fixture
def as_users_may(monkeypatch):
    """Make an inference where types are not checked, as nobody does but these tests."""

    def make(**settings):
        with monkeypatch.context() as patch:
            patch.setattr(jaxtyping.config, "jaxtyping_disable", True)
            return Inference(**settings)

    return make


def test_what_others_call_a_number_or_a_path_is_one(as_users_may, recording_file, tmp_path):
    asked = as_users_may(
        recording=str(recording_file),
        folder=str(tmp_path / "result"),
        seed=np.int64(3),
        n_hidden=np.int32(1),
        minutes=np.float32(0.25),
        covariates=["speed"],
        event_window_s=list(USUAL_WINDOW_S),
    )
    assert json.loads(json.dumps(asked.settings()))["seed"] == 3
    assert (asked.folder, asked.covariates) == (Path(tmp_path / "result"), ("speed",))
    assert asked.command.endswith("--hidden 1 --covariates speed --seed 3 --minutes 0.25")
    infer(but(asked, covariates=()))
    assert read_result(tmp_path / "result").provenance["n_hidden"] == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"event_window_s": (1.0, -0.5)}, r"window from 1 to -0\.5 s is none; .* earlier first"),
        ({"event_window_s": (0.0, 0.0)}, "window from 0 to 0 s is none"),
        ({"event_window_s": (0.0, np.inf)}, "window from 0 to inf s is none"),
        ({"event_window_s": (np.nan, 1.0)}, "window from nan to 1 s is none"),
    ],
)
def test_settings_that_no_inference_can_use_are_refused(inference, changes, sentence):
    with pytest.raises(InputError, match=sentence):
        but(inference, **changes).check()


def test_a_window_without_events_is_not_in_the_command(inference):
    window = {"event_window_s": (-0.2, 0.4)}
    assert "--event-window-s" not in but(inference, **window).command
    assert "--event-window-s -0.2 0.4" in but(inference, **window, covariates=("cue",)).command


def test_there_is_a_choice_of_a_model_unless_one_alone_knows_what_is_asked(inference):
    assert inference.leaves_a_choice
    for asked in ({"n_hidden": 2}, {"covariates": ("speed",)}, {"rotated_by": "heading"}):
        assert not but(inference, **asked).leaves_a_choice
