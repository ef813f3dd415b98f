"""What can break in the documentation without a build: links, lists of modules, commands."""

import re
import runpy
import shlex
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from cyclopts.exceptions import CycloptsError, MissingArgumentError

import spikeweft
from spikeweft.cli import app

ROOT = Path(__file__).parents[1]
DOCS, SOURCE = ROOT / "docs", ROOT / "src"
PAGES = sorted([*DOCS.glob("*.md"), *DOCS.glob("api/*.md")])
WITH_COMMANDS = [*PAGES, ROOT / "README.md"]


def text_of(page):
    return page.read_text(encoding="utf-8")


def listed(page, directive):
    """Lines of all blocks of a directive, options left out."""
    blocks = re.findall(rf"{directive}.*?\n(.*?)```", text_of(page), re.DOTALL)
    lines = [line.strip() for block in blocks for line in block.splitlines()]
    return {line for line in lines if line and not line.startswith(":")}


def in_toctrees():
    found = set()
    for page in PAGES:
        for entry in listed(page, r"\{toctree\}"):
            found.add((page.parent / f"{entry}.md").resolve())
    return found


def packages():
    """All packages below spikeweft but its command line, which has a page of its own."""
    tables = (SOURCE / "spikeweft").rglob("__init__.py")
    names = {".".join(path.parent.relative_to(SOURCE).parts) for path in tables}
    return names - {"spikeweft", "spikeweft.cli"}


def own_names():
    """Packages that offer names, and not those that are offered one package up already."""
    offered = {name: {*import_module(name).__all__} for name in packages()}
    return {
        name
        for name, names in offered.items()
        if names and (name.count(".") == 1 or not names & offered[name.rpartition(".")[0]])
    }


def links_of(page):
    return re.findall(r"\]\((?!https?:)([^)#\s]+)\)", text_of(page))


def cells_of(page):
    return re.findall(r"```\{code-cell\} ipython3\n(.*?)```", text_of(page), re.DOTALL)


def is_there(name):
    """Whether a dotted name below spikeweft is a module, or something in one."""
    words = name.split(".")
    for n in range(len(words), 0, -1):
        try:
            found = import_module(".".join(["spikeweft", *words[:n]]))
        except ModuleNotFoundError:
            continue
        for word in words[n:]:
            found = getattr(found, word, None)
        return found is not None
    return False


def commands_in(text):
    """Commands in code, and whether they stand in a block and so are meant to be typed."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    for block in re.findall(r"```.*?\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if match := re.match(r"\s*[!$]? ?spikeweft (.+)$", line):
                yield match[1], True
    prose = re.sub(r"```.*?\n(.*?)```", "", text, flags=re.DOTALL)
    for span in re.findall(r"`spikeweft ([^`]+)`", prose):
        yield " ".join(span.split()), False


def parses(words, is_whole):
    """Whether the command line knows such a command and its options."""
    placeholders = {"STUDY": "paper"}
    tokens = [placeholders.get(word, word.strip("[].")) for word in shlex.split(words)]
    try:
        app.parse_args(tokens, exit_on_error=False, print_error=False)
    except MissingArgumentError:
        return not is_whole
    except CycloptsError:
        return False
    return True


def test_every_page_is_in_a_toctree():
    assert in_toctrees() == {page.resolve() for page in PAGES} - {(DOCS / "index.md").resolve()}


def test_every_public_package_is_in_the_reference():
    areas = [page for page in DOCS.glob("api/*.md") if page.name != "index.md"]
    documented = [name for page in areas for name in listed(page, r"autosummary::")]
    assert set(documented) == own_names() | {"spikeweft.errors", "spikeweft.estimator"}
    assert len(documented) == len(set(documented))


def test_the_reference_names_what_the_package_offers():
    assert listed(DOCS / "api/index.md", "autosummary::") == set(spikeweft.__all__)


def test_what_the_method_page_says_computes_an_equation_is_there():
    names = re.findall(r"`((?:[a-z_]+\.)+\w+)`", text_of(DOCS / "method.md"))
    assert len(names) > 20
    assert [name for name in names if not is_there(name)] == []
    assert not is_there("circuit_gnn.spike_prediction.fisher_scoring.no_such_step")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorials_use_public_names_only(page):
    for cell in cells_of(page):
        found = re.findall(r"^from (spikeweft[\w.]*) import (\([^)]*\)|.*)$", cell, re.MULTILINE)
        for package, names in found:
            offered = import_module(package)
            assert package in {*packages(), "spikeweft", "spikeweft.estimator"}, package
            if hasattr(offered, "__all__"):
                assert set(re.findall(r"\w+", names)) <= set(offered.__all__), package


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_every_command_that_is_named_is_one(page):
    for words, is_whole in commands_in(text_of(page)):
        assert parses(words, is_whole), f"spikeweft {words}"


def test_a_command_that_is_none_would_be_found():
    assert parses("infer recording.nwb result --epochs wake", True)
    assert not parses("infer recording.nwb --colour red", False)
    assert not parses("inver recording.nwb", False)
    assert not parses("infer", True)
    text = "Do `spikeweft check X`:\n```\n$ spikeweft report a\n```\n"
    assert list(commands_in(text)) == [("report a", True), ("check X", False)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_somewhere(page):
    for target in links_of(page):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_python_of_a_page_compiles(page):
    for cell in cells_of(page):
        code = "\n".join(line for line in cell.splitlines() if not re.match(r"!|%%|:tags:", line))
        compile(code, page.name, "exec")


def test_links_and_cells_are_found_where_they_are():
    """Otherwise the two tests before this one check nothing."""
    assert sum(len(links_of(page)) for page in PAGES) > 20
    assert sum(len(cells_of(page)) for page in PAGES) > 20


def test_what_the_build_needs_is_an_extra():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extra = {
        re.split("[>=]", name)[0] for name in settings["project"]["optional-dependencies"]["docs"]
    }
    assert {"sphinx", "myst-nb", "furo", "ipykernel", "latex2mathml"} == extra


def test_every_row_that_was_measured_is_told_of():
    pytest.importorskip("sphinx")
    measured = runpy.run_path(str(DOCS / "extensions/measured.py"))
    for table in measured["tables"]():
        origins = list(measured["origins"](table))
        last = int(origins[-1].rows.split("–")[-1])
        assert last == len(table.read_text(encoding="utf-8").splitlines()) - 1, table
    assert measured["command_in_readme"](ROOT / "benchmarks/glm.csv") == "python benchmarks/glm.py"
