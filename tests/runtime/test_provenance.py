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


def test_a_commit_with_the_same_package_is_of_this_code(tmp_path, monkeypatch):
    """A table or a text that has changed since does not matter, the package does."""
    code, text = tmp_path / "src" / "code.py", tmp_path / "text.md"
    code.parent.mkdir()
    monkeypatch.setattr(provenance, "__file__", str(code))

    def committed(content, words):
        code.write_text(content)
        text.write_text(words)
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        for said in (["add", "."], ["commit", "-m", words]):
            subprocess.run(["git", *who, *said], cwd=tmp_path, check=True, capture_output=True)
        provenance.commit.cache_clear()
        provenance.is_of_this_code.cache_clear()
        return provenance.commit()

    subprocess.run(["git", "init"], cwd=tmp_path, check=True, capture_output=True)
    first = committed("", "first")
    second = committed("", "second")
    assert first != second
    assert provenance.is_of_this_code(first)
    committed("changed = True", "third")
    assert not provenance.is_of_this_code(first)
    assert not provenance.is_of_this_code("0123456789ab")
    assert not provenance.is_of_this_code("")


def test_what_changed_code_made_is_of_no_code_that_can_be_named(monkeypatch):
    """It may have been changed in another way since."""
    provenance.is_of_this_code.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(provenance, "commit", lambda: "0123456789ab-dirty")
        assert not provenance.is_of_this_code("0123456789ab-dirty")
