import json

import numpy as np
import pytest

from spikeweft.cli import main


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def recording(elsewhere):
    rng = np.random.default_rng(0)
    times = np.sort(rng.uniform(0.0, 60.0, 3000))
    np.savez("pair.npz", spike_times=times, spike_units=rng.integers(0, 3, 3000))
    return "pair.npz"


def test_a_check_says_what_it_finds_and_writes_it_down(recording, elsewhere, capsys):
    assert main(["check", recording, "--json", "found.json", "--html", "page.html"]) == 0
    printed = capsys.readouterr()
    assert "refractory" in printed.out
    assert "quick fit" in printed.err
    found = json.loads((elsewhere / "found.json").read_text())
    assert found["n_spikes"] == 3000
    severities = {finding["topic"]: finding["severity"] for finding in found["findings"]}
    assert severities["refractory period"] == "warning"
    assert "refractory period" in (elsewhere / "page.html").read_text()
    assert main(["check", recording, "--json", "found.json"]) == 2
    assert "found.json exists already" in capsys.readouterr().err


def test_no_name_of_a_unit_reaches_the_terminal_as_a_command(elsewhere, capsys):
    rng = np.random.default_rng(0)
    train = np.sort(rng.uniform(0.0, 30.0, 600))
    ids = np.array(["\x1b[31ma", "b", "c"])
    np.savez(
        "copies.npz",
        spike_times=np.concatenate([train, train, rng.uniform(0.0, 30.0, 600)]),
        spike_units=np.repeat(np.arange(3), 600),
        neuron_ids=ids,
    )
    assert main(["check", "copies.npz"]) == 0
    printed = capsys.readouterr().out
    assert "\ufffd[31ma" in printed
    assert "\x1b[31ma" not in printed


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.npz", b""),
        ("random.npz", np.random.default_rng(0).bytes(5000)),
        ("random.nwb", np.random.default_rng(1).bytes(5000)),
        ("zip.npz", b"PK\x03\x04" + np.random.default_rng(2).bytes(5000)),
        ("hdf5.nwb", b"\x89HDF\r\n\x1a\n" + np.random.default_rng(3).bytes(5000)),
    ],
)
def test_unknown_content_is_one_sentence(elsewhere, capsys, name, content):
    (elsewhere / name).write_bytes(content)
    refused(["check", name, "--html", "page.html"], capsys)
    assert not (elsewhere / "page.html").exists()


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.999])
def test_a_truncated_file_is_one_sentence(recording, elsewhere, capsys, share):
    whole = (elsewhere / recording).read_bytes()
    (elsewhere / "cut.npz").write_bytes(whole[: int(share * len(whole))])
    refused(["check", "cut.npz"], capsys)


@pytest.mark.parametrize(
    "words",
    [
        "check",
        "check none.npz",
        "check pair.npz --minutes 0",
        "check pair.npz --minutes 0.00001",
        "check pair.npz --epochs wake",
        "check pair.npz --json none/found.json",
        "check pair.npz --html .",
    ],
)
def test_a_check_that_makes_no_sense_is_one_sentence(recording, elsewhere, capsys, words):
    before = sorted(elsewhere.iterdir())
    refused(words.split(), capsys)
    assert sorted(elsewhere.iterdir()) == before


def test_check_explains_itself_by_example(capsys):
    assert main(["check", "--help"]) == 0
    assert "Example: spikeweft check" in " ".join(capsys.readouterr().out.split())


def refused(words, capsys):
    capsys.readouterr()
    assert main(words) == 2
    printed = capsys.readouterr()
    (sentence,) = (s for s in printed.err.splitlines() if s.startswith("spikeweft: "))
    assert "Traceback" not in printed.err
    assert len(sentence) < 400
    assert printed.out == ""
