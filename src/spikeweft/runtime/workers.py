"""Pieces of one fit, made here or by other processes and machines, with the same results."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar, runtime_checkable

from spikeweft.runtime.memory import available_memory_mb

Data = TypeVar("Data")

Piece = TypeVar("Piece")

Result = TypeVar("Result")


@runtime_checkable
class Workers(Protocol):
    """Who works on pieces that do not depend on each other."""

    def number(self) -> int:
        """How many there are now, or will be: as many pieces are made at a time; at least one."""
        ...

    def available_memory_mb(self, n_pieces: int) -> float:
        """Memory in MiB that each has while they make so many pieces; infinite if not known."""
        ...

    def results(
        self, work: Callable[[Data, Piece], Result], data: Data, pieces: Sequence[Piece]
    ) -> Iterator[Result]:
        """Results of the pieces, in their order, as they come.

        `work` is a function of a module, and all that it takes and gives can be pickled.
        """
        ...


class Here:
    """One piece after the other, in this process, when its result is asked for."""

    def number(self) -> int:
        """One, which is this process."""
        return 1

    def available_memory_mb(self, n_pieces: int) -> float:  # noqa: ARG002
        """What this process could still take, in MiB."""
        return available_memory_mb()

    def results(
        self, work: Callable[[Any, Any], Any], data: Any, pieces: Sequence[Any]
    ) -> Iterator[Any]:
        """Results of the pieces, in their order."""
        return (work(data, piece) for piece in pieces)


HERE = Here()
