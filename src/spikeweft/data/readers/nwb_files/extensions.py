"""What extensions of NWB define and the installed libraries cannot build: left out, and named."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

_OWN = ("core", "hdmf-common", "hdmf-experimental")
"""Namespaces of NWB itself; what cannot be built of these is damage."""


@contextmanager
def without_foreign_parts(
    opened: Callable[[], AbstractContextManager[Any]],
) -> Iterator[tuple[Any, tuple[str, ...]]]:
    """An NWB file that is open, and a sentence on each thing in it that could not be built.

    An extension may come to define what NWB has since defined otherwise, as versions of ndx-events
    do; the units of such files are sound. Each attempt leaves out one thing more.

    Parameters
    ----------
    opened
        Opens the file for reading, anew at each call.
    """
    from hdmf.build import ConstructError

    left_out: list[Any] = []
    while True:
        with opened() as file:
            root = file.read_builder()
            for builder in left_out:
                _remove(root, builder.path)
            try:
                nwb = file.read()
            except ConstructError as error:
                left_out.append(_to_leave_out(error, [builder.path for builder in left_out]))
                continue
            yield nwb, tuple(_about(left_out))
            return


def _remove(root: Any, path: str) -> None:
    _, *around, name = path.split("/")
    group = root
    for step in around:
        group = group.groups.get(step)
        if group is None:  # it went with something around it
            return
    group.groups.pop(name, None)
    group.datasets.pop(name, None)


def _to_leave_out(error: Any, gone: Sequence[str]) -> Any:
    """What failed; where that is gone already, and others refer to it, what was around it.

    Raises
    ------
    ConstructError
        Where no extension has defined that.
    """
    from hdmf.build import DatasetBuilder, GroupBuilder

    builder = error.args[0]
    if not isinstance(builder, GroupBuilder | DatasetBuilder):
        raise error
    while builder.path in gone and builder.parent is not None:
        builder = builder.parent
    if builder.parent is None or builder.attributes.get("namespace", "core") in _OWN:
        raise error
    return builder


def _about(left_out: Sequence[Any]) -> Iterator[str]:
    for builder in left_out:
        if any(builder.path.startswith(f"{other.path}/") for other in left_out):
            continue
        known = builder.attributes
        yield (
            f"{builder.name!r} is left out, since this version of pynwb cannot build its type, "
            f"{known.get('neurodata_type')} of the extension {known['namespace']}"
        )
