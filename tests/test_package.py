"""What a user meets first: public names, versions, and what the README says."""

import re
import runpy
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

import numpy as np

import spikeweft
from spikeweft.cli import app
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring
from spikeweft.simulation.storage import save_simulation

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TABLE = runpy.run_path(str(ROOT / "benchmarks" / "readme_table.py"))


def test_few_names_are_public_and_each_is_there():
    assert len(spikeweft.__all__) <= 15
    for name in spikeweft.__all__:
        assert getattr(spikeweft, name).__name__ == name
    assert set(spikeweft.__all__) <= set(dir(spikeweft))
    assert not hasattr(spikeweft, "magic")


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, spikeweft; raise SystemExit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_one_version_is_named_everywhere():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = settings["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_readme_shows_every_command():
    commands = {name for name in app if not name.startswith("-")} - {"simulate"}
    shown = re.findall(r"^\| `spikeweft ([a-z]+(?: [a-z]+)*)", README, re.MULTILINE)
    assert set(shown) == {"simulate ring", *commands}


def test_the_readme_links_to_what_is_there():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_the_readme_shows_the_results_that_were_measured():
    assert TABLE["filled"](README) == README


def test_the_python_of_the_readme_runs_as_it_stands(tmp_path):
    network = replace(lnp_ring(), n_neurons=6)
    recording = simulate(network, 10.0, np.random.default_rng(0))
    save_simulation(tmp_path / "ring.npz", recording, network.connectivity)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    assert "bits per spike" in run.stdout
    assert (tmp_path / "connectivity.nc").exists()


def test_the_floor_plan_names_every_module():
    plan = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    modules = {path.stem for path in (ROOT / "src" / "spikeweft").glob("[a-z]*")}
    for module in modules:
        assert f"`{module}`" in plan, module
