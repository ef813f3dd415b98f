import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.results.test_result import small_result

from spikeweft.errors import InputError
from spikeweft.results.correlograms import Correlograms
from spikeweft.results.result import FILES, write_result
from spikeweft.results.unfinished_folder import CHECKPOINT, check_place, made_whole, partial_of


@pytest.fixture
def result():
    """All that a result can hold."""
    counts = np.ones((1, 3))
    of_pairs = Correlograms(
        first=np.array([0]),
        second=np.array([2]),
        lags_s=np.array([-0.001, 0.0, 0.001]),
        observed=counts,
        expected=counts,
        null=counts,
        connected=counts,
    )
    some = small_result(np.random.default_rng(0))
    return replace(some, second=some.glm, correlograms=of_pairs)


@pytest.fixture
def folder(tmp_path, result):
    """A result folder, with its report."""
    folder = tmp_path / "result"
    folder.mkdir()
    write_result(folder, result)
    (folder / "report.html").write_text("<p>")
    return folder


def make(folder, meanwhile=lambda partial: None):
    """Replace a folder by one with another report."""
    with made_whole(folder, {"seed": 1}, force=True) as partial:
        (partial / CHECKPOINT).write_bytes(b"steps")
        (partial / "report.html").write_text("<p>new")
        meanwhile(partial)


def test_all_files_of_a_result_are_known(folder):
    assert {path.name for path in folder.iterdir()} == {*FILES, "report.html"}
    assert check_place(folder, resume=False, force=True) == folder
    make(folder)
    assert {path.name for path in folder.iterdir()} == {"report.html"}


@pytest.mark.parametrize("name", ["notes.txt", "connections.csv", "figures"])
def test_a_result_that_holds_files_of_its_users_is_not_replaced(folder, name):
    (folder / name).mkdir()
    with pytest.raises(InputError, match=rf"result holds '{name}', which would be deleted"):
        check_place(folder, resume=False, force=True)


def test_files_that_a_user_adds_meanwhile_are_kept_and_no_training_is_lost(folder):
    with pytest.raises(InputError, match=r"holds 'notes\.txt'"):
        make(folder, lambda _: (folder / "notes.txt").write_text("precious"))
    assert (folder / "notes.txt").read_text() == "precious"
    assert (folder / "report.html").read_text() == "<p>"
    assert (partial_of(folder) / CHECKPOINT).exists()


def test_an_old_result_aside_that_holds_files_of_its_users_is_kept(folder):
    aside = Path(shutil.copytree(folder, folder.with_name("result.replaced")))
    (aside / "notes.txt").write_text("precious")
    with pytest.raises(InputError, match="replaced is in the way of replacing result"):
        check_place(folder, resume=False, force=True)
    shutil.rmtree(folder)
    make(folder)
    assert (aside / "notes.txt").read_text() == "precious"


def test_what_goes_wrong_elsewhere_is_not_said_of_the_folder(tmp_path):
    def lose(partial):
        raise ConnectionError("the scheduler is gone")

    with pytest.raises(ConnectionError, match="the scheduler is gone"):
        make(tmp_path / "result", lose)


@pytest.mark.parametrize("error", [InputError("no"), TypeError("no"), OSError("no")])
def test_an_error_before_the_first_step_leaves_nothing_to_go_on_from(tmp_path, error):
    with pytest.raises(type(error)), made_whole(tmp_path / "result", {}, force=False):
        raise error
    assert list(tmp_path.iterdir()) == []
