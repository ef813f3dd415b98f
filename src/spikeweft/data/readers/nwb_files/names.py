"""Names of things in an NWB file: their own where no other has it, else with those around them."""

from collections import Counter
from collections.abc import Iterable
from typing import Any


def unique_names(things: Iterable[Any]) -> dict[str, Any]:
    """Each thing under a name that no other has."""
    things = list(things)
    shared = Counter(thing.name for thing in things)
    named: dict[str, Any] = {}
    for thing in things:
        name = thing.name if shared[thing.name] == 1 else _path(thing)
        named[name if name not in named else f"{name} ({thing.object_id})"] = thing
    return named


def _path(thing: Any) -> str:
    """Its name after those of what it lies in, as "behavior/Position/x"."""
    around = thing.parent
    parts = [thing.name]
    while around is not None and around.parent is not None:
        parts.append(around.name)
        around = around.parent
    return "/".join(reversed(parts))
