"""Docstrings as this project writes them, made ready for Sphinx."""

import inspect
import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"(``[^`]*``|`[^`]*`|:\w+:`[^`]*`)")
_MARKUP_BY_ACCIDENT = re.compile(r"\||(?<=\w)_(?!\w)")


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect to autodoc, before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", _escape, priority=400)
    app.connect("autodoc-process-signature", _without_factories)
    app.connect("autodoc-process-bases", _without_object)
    app.connect("autodoc-skip-member", _is_from_elsewhere)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def escaped(lines: list[str]) -> list[str]:
    """Lines in which `|weight|` and `connectivity_` are words; formulas and code stay."""
    made, formula_indent = [], None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if formula_indent is not None and line.strip() and indent <= formula_indent:
            formula_indent = None
        if line.lstrip().startswith((".. math::", ">>>")):
            formula_indent = indent
        made.append(line if formula_indent is not None else _escaped(line))
    return made


def _escaped(line: str) -> str:
    parts = _CODE.split(line)
    parts[::2] = [_MARKUP_BY_ACCIDENT.sub(r"\\\g<0>", part) for part in parts[::2]]
    return "".join(parts)


def _escape(
    _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    lines[:] = escaped(lines)


def _is_from_elsewhere(
    _app: Sphinx, _what: str, _name: str, thing: Any, _skip: bool, _options: Any
) -> bool | None:
    """Leave out what other packages gave: imports, and methods that scikit-learn adds."""
    if not (inspect.isroutine(thing) or inspect.isclass(thing)):
        return None
    home = getattr(thing, "__module__", None) or "spikeweft"
    return None if home.startswith("spikeweft") else True


def _without_factories(
    _app: Sphinx,
    _what: str,
    _name: str,
    _object: Any,
    _options: Any,
    signature: str | None,
    returns: str | None,
) -> tuple[str | None, str | None]:
    """A default that a dataclass makes anew each time, as Python can be parsed."""
    return signature and signature.replace("<factory>", "..."), returns


def _without_object(
    _app: Sphinx, _name: str, _object: Any, _options: Any, bases: list[type]
) -> None:
    """A class that only extends `object` has no base to show."""
    if bases == [object]:
        bases.clear()
