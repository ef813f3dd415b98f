"""What a user meets first: public names, versions, and what the README says."""

import ast
import pkgutil
import re
import runpy
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import spikeweft
from spikeweft.cli import app
from spikeweft.cli.apps import simulate_app
from spikeweft.simulation.networks import simulate
from spikeweft.simulation.ring_networks import lnp_ring
from spikeweft.simulation.storage import save_simulation

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "spikeweft"
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
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
    version = SETTINGS["project"]["version"]
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\n## {version} " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_page_of_the_command_line_shows_every_command():
    commands = {name for name in app if not name.startswith("-")} - {"simulate"}
    simulations = {f"simulate {name}" for name in simulate_app if not name.startswith("-")}
    page = (ROOT / "docs" / "command-line.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\| `spikeweft ([a-z]+(?: [a-z]+)*)", page, re.MULTILINE)
    assert set(shown) == simulations | commands


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_the_pages_of_the_repository_link_to_what_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text):
        assert (ROOT / target).exists(), target


def test_the_readme_can_be_read_in_four_minutes():
    assert len(README.split()) <= 900


@pytest.mark.parametrize("page", TABLE["PAGES"], ids=lambda page: page.name)
def test_tables_show_the_results_that_were_measured(page):
    text = page.read_text(encoding="utf-8")
    assert any(known in text for known in (" / 1.073 |", " / 1.224 |", "| 1,200 of 1,200 |"))
    assert TABLE["filled"](text) == text


@pytest.mark.slow
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


def floors(layers):
    """Names on each floor, the top one first."""
    return [set(re.split(r" *\| *", floor)) for floor in layers]


def test_the_floor_plan_is_the_one_that_is_checked():
    (contract,) = (
        c for c in SETTINGS["tool"]["importlinter"]["contracts"] if "floors" in c["name"]
    )
    table = re.findall(r"^\| (\d*) \| `(\w+)` \|", CONTRIBUTING, re.MULTILINE)
    shown, number = [], 0
    for floor, name in table:
        if floor:
            shown.append(set())
            number = int(floor)
        assert number == len(contract["layers"]) - len(shown) + 1
        shown[-1].add(name)
    assert shown == floors(contract["layers"])


def test_every_package_has_a_floor_and_hardly_a_file_lies_beside_them():
    (contract,) = (
        c for c in SETTINGS["tool"]["importlinter"]["contracts"] if "floors" in c["name"]
    )
    there = {path.stem for path in SOURCE.glob("[a-z]*") if path.stem != "__pycache__"}
    assert there == set.union(*floors(contract["layers"]))
    assert len(list(SOURCE.glob("*.py"))) <= 4


# ---- tables of contents


def packages():
    """Every package, by its dotted name."""
    tables = sorted(SOURCE.rglob("__init__.py"))
    return [".".join(path.parent.relative_to(SOURCE.parent).parts) for path in tables]


@pytest.mark.parametrize("package", packages())
def test_a_package_offers_what_its_table_of_contents_says(package):
    module = import_module(package)
    for found in pkgutil.iter_modules(module.__path__):
        assert found.name not in module.__all__, "it would hide the public name, once imported"
        import_module(f"{package}.{found.name}") if found.name != "__main__" else None
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), name
    assert module.__doc__ is not None
    assert module.__doc__.splitlines()[0].endswith(".")


def test_nothing_inside_imports_from_a_table_of_contents():
    known = set(packages())
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module in known:
                for alias in node.names:
                    folder = SOURCE.parent.joinpath(*node.module.split("."))
                    assert (folder / f"{alias.name}.py").exists(), f"{path}: {alias.name}"
