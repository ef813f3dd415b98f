"""Independent pieces of work on all processors, with the same result on any number of them.

Libraries that split one small product over threads spend their time waiting for each other, above
all where processors are shared. Here every piece runs on its own thread, and results are put
together in the order of the pieces.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import TypeVar

import torch

Piece = TypeVar("Piece")

Result = TypeVar("Result")

N_SHARES = 16


def n_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def n_side_by_side() -> int:
    """Pieces that `side_by_side` works on at a time."""
    return 1 if getattr(_here, "is_piece", False) else n_processors()


def side_by_side(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """Results of the pieces, in their order.

    Pieces of a piece run one after the other: their processor is the one of the whole.
    """
    if getattr(_here, "is_piece", False):
        return [work(piece) for piece in pieces]
    return list(_pool(os.getpid()).map(work, pieces))


def shares(pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces in up to 16 shares, the same on any number of processors.

    Each share can be summed as it is worked on, so that few sums are kept at a time.
    """
    return [share for first in range(N_SHARES) if (share := pieces[first::N_SHARES])]


def one_by_one(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """The same results on the calling thread, for pieces too small to gain from others."""
    with on_one_thread():
        return [work(piece) for piece in pieces]


@contextmanager
def on_one_thread() -> Iterator[None]:
    """Make `side_by_side` run its pieces one after the other on this thread.

    For processes that work side by side and would otherwise take each other's processors.
    """
    was_piece, n_torch = getattr(_here, "is_piece", False), torch.get_num_threads()
    _begin()
    try:
        yield
    finally:
        _here.is_piece = was_piece
        torch.set_num_threads(n_torch)


_here = threading.local()


def _begin() -> None:
    _here.is_piece = True
    torch.set_num_threads(1)


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Threads on which PyTorch uses one thread each; a forked process makes its own."""
    return ThreadPoolExecutor(n_processors(), initializer=_begin)
