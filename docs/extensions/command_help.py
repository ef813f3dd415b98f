"""The directive `command-help`: what every `spikeweft` command says of itself."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

from cyclopts import App
from docutils import nodes
from rich.console import Console
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from spikeweft.cli import app as spikeweft

_WIDTH = 84


class CommandHelp(SphinxDirective):
    """One section per command, with the help that it prints."""

    def run(self) -> list[nodes.Node]:
        """The sections."""
        return [_section(words) for words in commands(spikeweft)]


def commands(app: App, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words of every command that does something, groups of commands left out."""
    for name in sorted(name for name in app if not name.startswith("-")):
        command = app[name]
        if command.default_command is None:
            yield from commands(command, (*before, name))
        else:
            yield (*before, name)


def help_of(words: tuple[str, ...]) -> str:
    """What the command prints when asked with `--help`."""
    page = StringIO()
    spikeweft.help_print(words, console=Console(file=page, width=_WIDTH))
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines()).strip()


def _section(words: tuple[str, ...]) -> nodes.section:
    name = " ".join(("spikeweft", *words))
    section = nodes.section("", nodes.title("", name), ids=[nodes.make_id(name)])
    section += nodes.literal_block(help_of(words), help_of(words), language="text")
    return section


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
