import re
import subprocess

import pytest

from spikeweft.runtime import provenance


@pytest.fixture(autouse=True)
def asked_anew():
    provenance.commit.cache_clear()
    yield
    provenance.commit.cache_clear()


def test_code_names_the_commit_it_is_of():
    assert re.fullmatch(r"([0-9a-f]{12}(-dirty)?)?", provenance.commit())


def test_changed_code_is_not_that_of_its_commit(tmp_path, monkeypatch):
    code = tmp_path / "code.py"
    code.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(code))
    for words in (["init"], ["add", "."], ["commit", "-m", "first"]):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)
    assert re.fullmatch("[0-9a-f]{12}", provenance.commit())
    (tmp_path / "table.csv").write_text("delta\n0.1\n")
    provenance.commit.cache_clear()
    assert not provenance.commit().endswith("-dirty")
    code.write_text("changed = True")
    provenance.commit.cache_clear()
    assert provenance.commit().endswith("-dirty")


def test_code_outside_a_checkout_or_without_git_is_of_no_commit(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "code.py"))
    assert provenance.commit() == ""
    provenance.commit.cache_clear()
    monkeypatch.setenv("PATH", "")
    assert provenance.commit() == ""
