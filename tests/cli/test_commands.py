import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from tests.stand_ins import SteppingCorrelation, quick_infer, ring_of, spikes

from spikeweft import cli
from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.load import load
from spikeweft.results.result import read_result
from spikeweft.simulation.sparse_networks.poisson_neurons import SparsePoissonNetwork
from spikeweft.simulation.storage import save_simulation

GOOD = {"spike_times": np.arange(400) * 0.05, "spike_units": np.arange(400) % 4}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder of its own for each test."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def main(words, model=SteppingCorrelation):
    """The command line, with estimators that take no time."""
    return cli.main(words, infer_by=partial(quick_infer, model=model))


@pytest.fixture
def ring_file(elsewhere):
    save_simulation(elsewhere / "ring.npz", spikes(), ring_of(4))
    return "ring.npz"


@pytest.fixture
def refuses(elsewhere, capsys):
    """Check that a command ends with code 2 and one sentence, and leaves the folder as it was."""

    def check(*words, names=""):
        before = sorted(elsewhere.rglob("*"))
        capsys.readouterr()
        assert main([str(word) for word in words]) == 2
        printed = capsys.readouterr()
        assert printed.err.startswith("spikeweft: ")
        assert printed.err.count("\n") == 1
        assert "Traceback" not in printed.err
        assert names in printed.err
        assert sorted(elsewhere.rglob("*")) == before

    return check


def run_apart(*words):
    """Run the command line in a process of its own."""
    code = "from spikeweft.cli import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False
    )


# ---- what it does


def test_a_simulated_ring_is_a_recording_with_its_truth(elsewhere):
    words = "simulate ring OUT.npz --neuron-model lnp --minutes 0.05 --seed 1"
    assert main([*words.split(), "--recurrent-strength", "0.025"]) == 0
    loaded = load(elsewhere / "OUT.npz")
    assert loaded.recording.n_neurons == loaded.truth.n_neurons == 100
    assert loaded.recording.duration_s == pytest.approx(3.0)
    assert loaded.truth.metadata["recurrent_strength"] == 0.025


@pytest.mark.parametrize("neuron_model", ["threshold", "lnp"])
def test_the_same_seed_simulates_the_same_spikes(elsewhere, neuron_model):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        words = f"simulate ring {name}.npz --neuron-model {neuron_model} --minutes 0.02"
        assert main([*words.split(), "--seed", str(seed)]) == 0
    a, b, c = (load(elsewhere / f"{name}.npz").recording for name in "abc")
    assert np.array_equal(a.spike_times_s, b.spike_times_s)
    assert not np.array_equal(a.spike_times_s, c.spike_times_s)


def test_a_simulated_sparse_network_is_a_recording_with_its_truth(elsewhere, capsys):
    words = "simulate sparse OUT.npz --neuron-model poisson --n-observed 20 --minutes 0.5 --seed 1"
    assert main(words.split()) == 0
    loaded = load(elsewhere / "OUT.npz")
    assert loaded.recording.n_neurons == loaded.truth.n_neurons == 20
    assert loaded.recording.duration_s == pytest.approx(30.0)
    connected = loaded.truth.weights != 0
    np.testing.assert_array_equal(np.isfinite(loaded.truth.latency_s), connected)
    assert f"20 of 60 neurons, {len(loaded.recording.spike_times_s):,} spikes" in (
        capsys.readouterr().out
    )


def test_an_inference_scores_itself_where_the_truth_is_known(ring_file, elsewhere, capsys):
    assert main(["infer", ring_file, "result", "--seed", "2", "--minutes", "0.2"]) == 0
    printed = capsys.readouterr()
    assert "bits per spike" in printed.out
    assert "Δ" in printed.out
    assert "open result/report.html" in printed.out
    result = read_result(elsewhere / "result")
    assert result.model_settings == {"n_hidden": 0, "random_state": 2}


def test_the_result_is_named_after_the_recording_where_no_name_is_given(ring_file, elsewhere):
    assert main(["infer", ring_file, "--hidden", "3"]) == 0
    assert read_result(elsewhere / "ring").model_settings["n_hidden"] == 3


def test_progress_is_plain_lines_where_there_is_no_terminal(ring_file, capsys):
    assert main(["infer", ring_file, "result"]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "fitting a Poisson GLM to compare with" in lines
    assert any("averaging: step 1" in line and "about 0:04 left" in line for line in lines)


def test_progress_is_a_bar_on_a_terminal(ring_file, capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert main(["infer", ring_file, "result"]) == 0
    assert "━" in capsys.readouterr().err


def test_warnings_about_the_data_are_printed(elsewhere, capsys):
    np.savez("twins.npz", **{**GOOD, "n_units": 6})
    assert main(["infer", "twins.npz", "result"]) == 0
    printed = capsys.readouterr().err
    assert printed.count("warning: 2 of 6 neurons never fire") == 1
    assert printed.index("never fire") < printed.index("averaging: step")  # hours before the end


class Useless(SteppingCorrelation):
    """It has found no coupling, and predicts spikes worse than mean rates do."""

    def fit(self, X, y=None, **options):
        super().fit(X, **options)
        self.connectivity_ = Connectivity(
            weights=np.zeros((X.n_neurons, X.n_neurons)),
            neuron_ids=X.neuron_ids,
            metadata={"structure": "no coupling", "synaptic_kernel": "9.8 ms"},
        )
        self.warnings_ = ("1 of 4 neurons fire at quite another rate: 2",)
        return self

    def log_likelihood(self, X):
        return super().log_likelihood(X) - 1.0


def test_a_model_that_predicts_nothing_says_so_on_the_terminal(ring_file, capsys):
    assert main(["infer", ring_file, "result"], model=Useless) == 0
    printed = capsys.readouterr()
    assert "warning: 1 of 4 neurons fire at quite another rate: 2" in printed.err
    assert "no better than constant rates" in printed.err
    assert "The GLM predicts test spikes better (0.000 against −0.0" in printed.err
    assert "model: no coupling\n" in printed.out  # without a kernel, through which nothing acts


def test_a_result_is_scored_against_a_truth(ring_file, capsys):
    main(["infer", ring_file, "result"])
    capsys.readouterr()
    assert main(["score", "result", ring_file]) == 0
    printed = capsys.readouterr().out
    for words in ("spikeweft", "GLM", "bias", "variance", "Δ (profile)"):
        assert words in printed


def test_a_report_is_written_again(ring_file, elsewhere, capsys):
    main(["infer", ring_file, "result"])
    (elsewhere / "result" / "report.html").unlink()
    assert main(["report", "result"]) == 0
    assert (elsewhere / "result" / "report.html").read_text().startswith("<!doctype html>")
    assert main(["report", "result", "--beside", "result"]) == 0
    page = (elsewhere / "result" / "report.html").read_text()
    assert page.count('<option value="2"') > 0
    assert main(["report", "result", "--beside", "nowhere"]) == 2


def test_what_of_another_result_is_left_out_of_a_report_is_said(
    ring_file, elsewhere, capsys, monkeypatch
):
    main(["infer", ring_file, "result"])
    monkeypatch.setattr("spikeweft.reporting.explorer._LARGEST_BYTES", 0)
    capsys.readouterr()
    assert main(["report", "result", "--beside", "result"]) == 0
    assert "Left out, to keep this page small: spikeweft, result" in capsys.readouterr().err


def test_the_demo_shows_every_command_it_runs(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr("spikeweft.cli.commands.demo._DEMO_MINUTES", 0.05)
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    for words in ("simulate ring", "infer demo.npz demo", "score demo demo.npz", "report"):
        assert f"$ spikeweft {words}" in printed
    assert (elsewhere / "demo" / "report.html").exists()
    assert {path.name for path in elsewhere.iterdir()} == {"demo", "demo.npz"}
    assert main(["demo"]) == 2
    assert main(["demo", "--force"]) == 0


class Interrupted(SteppingCorrelation):
    """A fit that the user stops after three steps."""

    def advance(self):
        if self.step == 3:
            raise KeyboardInterrupt
        return super().advance()


def test_an_interrupted_inference_says_how_to_go_on(ring_file, elsewhere, capsys):
    assert main(["infer", ring_file, "result"], Interrupted) == 130
    assert "with --resume to continue" in capsys.readouterr().err
    assert main(["infer", ring_file, "result", "--resume"]) == 0
    assert (elsewhere / "result" / "report.html").exists()


def test_an_interrupted_demo_goes_on_with_the_same_spikes(elsewhere, capsys, monkeypatch):
    monkeypatch.setattr("spikeweft.cli.commands.demo._DEMO_MINUTES", 0.05)
    assert main(["demo"], Interrupted) == 130
    assert "run the same command without --force to continue" in capsys.readouterr().err
    simulated = (elsewhere / "demo.npz").stat().st_mtime_ns
    assert main(["demo"]) == 0
    printed = capsys.readouterr().out
    assert "simulate" not in printed
    assert "$ spikeweft infer demo.npz demo --resume" in printed
    assert (elsewhere / "demo.npz").stat().st_mtime_ns == simulated
    assert {path.name for path in elsewhere.iterdir()} == {"demo", "demo.npz"}


# ---- help


HEAVY = {"torch", "numba", "pynapple", "matplotlib", "xarray", "scipy", "pandas", "numpy"}


def test_help_comes_at_once_and_teaches():
    code = (
        "import sys; from spikeweft.cli import main; main(['--help']); "
        f"raise SystemExit(', '.join({HEAVY} & {{*sys.modules}}) or 0)"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert "spikeweft demo" in process.stdout


@pytest.mark.parametrize(
    "command", ["simulate ring", "simulate sparse", "infer", "score", "report", "demo"]
)
def test_every_command_explains_itself_by_example(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    assert f"Example: spikeweft {command}" in " ".join(capsys.readouterr().out.split())


def test_the_version_is_printed(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("0.")


# ---- what is refused


@pytest.mark.parametrize(
    "words",
    [
        "nonsense",
        "infer",
        "infer ring.npz result extra",
        "infer ring.npz result --colour red",
        "infer ring.npz result --hidden -1",
        "infer ring.npz result --hidden 1.5",
        "infer ring.npz result --minutes -1",
        "infer ring.npz result --minutes 0",
        "infer ring.npz result --minutes nan",
        "infer ring.npz result --seed -1",
        "infer ring.npz result --seed 99999999999",
        "infer ring.npz result --epochs wake",
        "infer ring.npz result --minutes 0.000001",
        "infer ring.npz none/result",
        "infer ring.npz ring.npz",
        "infer ring.npz ring.npz --force",
        "infer ring.npz result --block-s 5",
        "infer ring.npz result --event-window-s 0 1",
        "infer ring.npz result --covariates speed --event-window-s 1 0",
        "infer . result",
        "infer .",
        "infer ring.npz . --force",
        "infer ring.npz / --force",
        "demo / --force",
        "demo .",
        "simulate ring",
        "simulate ring out.npz --neuron-model hodgkin-huxley",
        "simulate ring out.npz --minutes -8",
        "simulate sparse out.npz --n-neurons 1",
        "simulate sparse out.npz --n-neurons 10000000",
        "simulate sparse out.npz --neuron-model poisson --n-observed 61 --minutes 0.1",
        "simulate sparse out.npz --neuron-model poisson --minutes 1e12",
        "simulate ring out.npz --minutes 1e12",
        "simulate ring out.npz --drive-amplitude nan",
        "simulate ring out.npz --drive-amplitude inf",
        "simulate ring out.npz --minutes 0.0000001",
        "simulate ring out.npz --seed -1",
        "simulate ring out.npz --recurrent-strength 0.3",
        "simulate ring out.csv",
        "simulate ring none/out.npz",
        "simulate ring ring.npz",
        "score none ring.npz",
        "report none",
        "report .",
    ],
)
def test_a_command_that_makes_no_sense_is_one_sentence(ring_file, refuses, words):
    refuses(*words.split())


@pytest.mark.parametrize(
    "words",
    [
        "infer ring.npz result --workers 1.5",
        "heading ring.npz out --hidden 0 1.5",
        "benchmark paper out --seeds 1.5",
        "benchmark sparse out --seeds 1.5 2",
    ],
)
def test_a_fraction_is_not_rounded(ring_file, refuses, words):
    refuses(*words.split(), names="1.5 is not a whole number")


def test_more_neurons_than_there_are_are_refused_before_anything_is_simulated(refuses, monkeypatch):
    monkeypatch.setattr(SparsePoissonNetwork, "simulate", None)
    words = "simulate sparse out.npz --neuron-model poisson --n-observed 61"
    refuses(*words.split(), names="61 of 60 neurons")


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"spike_times": np.zeros(0), "spike_units": np.zeros(0, int)}, "no spikes"),
        ({"spike_units": np.zeros(400, int)}, "at least two neurons"),
        ({"spike_times": np.full(400, np.nan)}, "not finite"),
        ({"spike_times": np.append(GOOD["spike_times"][1:], np.inf)}, "not finite"),
        ({"spike_units": np.zeros(3, int)}, "400 spike times but 3 spike units"),
        ({"start": 1000.0, "stop": 2000.0}, "no spike lies inside the epochs"),
        ({"weights": np.eye(3)}, "truth"),
        ({"spike_times": GOOD["spike_times"] * 1e-4}, "too short"),
    ],
)
def test_a_recording_that_makes_no_sense_is_one_sentence(refuses, changes, names):
    np.savez("bad.npz", **{**GOOD, **changes})
    refuses("infer", "bad.npz", "result", names=names)


@pytest.mark.parametrize(
    ("name", "content", "names"),
    [
        ("none.nwb", None, "there is no file"),
        ("text.nwb", b"no recording at all", "not an NWB file"),
        ("cut.nwb", b"\x89HDF\r\n\x1a\n" + bytes(64), "cannot be read"),
        ("cut.npz", b"PK\x03\x04" + bytes(64), "cannot be read"),
    ],
)
def test_a_file_of_another_kind_is_one_sentence(elsewhere, refuses, name, content, names):
    if content is not None:
        (elsewhere / name).write_bytes(content)
    refuses("infer", name, "result", names=names)


def test_a_folder_that_exists_is_one_sentence(ring_file, refuses):
    main(["infer", ring_file, "result"])
    refuses("infer", ring_file, "result", names="exists already")
    refuses("demo", "result", names="exists already")


def test_a_truth_of_another_size_is_one_sentence(ring_file, refuses):
    main(["infer", ring_file, "result"])
    np.savez("other.npz", weights=ring_of(5).weights)
    refuses("score", "result", "other.npz", names="5 neurons")
    refuses("score", "result", "result/sample.npz", names="no 'weights'")


def test_a_corrupt_checkpoint_is_one_sentence(ring_file, elsewhere, refuses):
    main(["infer", ring_file, "result"], Interrupted)
    (elsewhere / "result.partial" / "checkpoint.safetensors").write_bytes(b"nothing of use")
    refuses("infer", ring_file, "result", "--resume", names="damaged")


def test_the_shell_sees_the_same_codes(ring_file):
    missing = run_apart("infer", "none.nwb", "result")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == (
        "spikeweft: there is no file none.nwb; check the path to the recording\n"
    )
    assert run_apart("infer", "--nonsense").returncode == 2
    assert run_apart("simulate", "ring", "out.npz", "--minutes", "0.01").returncode == 0
