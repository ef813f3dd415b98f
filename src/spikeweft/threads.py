"""Independent pieces of work on all processors, with the same result on any number of them.

Libraries that split one small product over threads spend their time waiting for each other, most
of all where processors are shared. Here every piece runs on one thread of its own, and results are
put together in the order of the pieces.
"""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import torch

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def n_processors() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> list[Result]:
    """Results of the pieces, in their order."""
    return list(_pool(os.getpid()).map(work, pieces))


@cache
def _pool(_process: int) -> ThreadPoolExecutor:
    """Threads that each run PyTorch on themselves alone; a forked process makes its own."""
    return ThreadPoolExecutor(n_processors(), initializer=torch.set_num_threads, initargs=(1,))
