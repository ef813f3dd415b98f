"""Time and peak memory of the fused messages against plain PyTorch: python benchmarks/messages.py.

Forward and backward together, both in one run on the same inputs, in turns. A time is the fastest
of its turns, since whatever else the machine does only adds to it.
Peak memory is that of a process of its own for each, beyond what it held before. The plain form
is left out where its messages would not fit into the memory that is free.
"""

import csv
import multiprocessing
import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from spikeweft.messages import messages, reference_messages

N_HIDDEN = 64
SIZES = ((50, 64), (100, 64), (200, 64), (400, 16), (1000, 4))
"""Neurons and batch; batches shrink so that the plain form stays within a few gigabytes."""

N_TURNS = 10
KIB, MIB = 2**10, 2**20

Result = TypeVar("Result")


def gradients(function: Callable[..., Tensor], n_neurons: int, n_batch: int) -> float:
    """Seconds of one forward and backward pass."""
    generator = torch.Generator().manual_seed(n_neurons)
    shapes = [(n_batch, n_neurons, N_HIDDEN)] * 2 + [(n_neurons, n_neurons)]
    inputs = [torch.randn(s, generator=generator, requires_grad=True) for s in shapes]
    upstream = torch.randn(shapes[0], generator=generator)
    start = time.perf_counter()
    torch.autograd.grad(function(*inputs), inputs, upstream)
    return time.perf_counter() - start


def seconds(n_neurons: int, n_batch: int, with_plain: bool) -> tuple[float, float]:
    """Fastest of some turns of the fused and of the plain form."""
    functions = [messages, reference_messages] if with_plain else [messages]
    for function in functions:
        gradients(function, n_neurons, n_batch)
    turns = [[gradients(f, n_neurons, n_batch) for f in functions] for _ in range(N_TURNS)]
    fused, *plain = (min(times) for times in zip(*turns, strict=True))
    return fused, plain[0] if plain else float("nan")


def peak_mib(fused: bool, n_neurons: int, n_batch: int) -> float:
    """Memory that one pass adds to the peak of a process that has made a small one."""
    function = messages if fused else reference_messages
    gradients(function, 2, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    gradients(function, n_neurons, n_batch)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * KIB / MIB


def alone(function: Callable[..., Result], *arguments: object) -> Result:
    """Result of a call in a fresh process."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(function, *arguments).result()


def plain_fits(n_neurons: int, n_batch: int) -> bool:
    """Whether five arrays of all messages fit into the memory that is free."""
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    free = int(known["MemAvailable"].split()[0]) * KIB
    return 5 * 4 * n_batch * n_neurons**2 * N_HIDDEN < free


def compare(n_neurons: int, n_batch: int) -> dict[str, float]:
    """One row of the table."""
    with_plain = plain_fits(n_neurons, n_batch)
    fused_s, plain_s = alone(seconds, n_neurons, n_batch, with_plain)
    fused_mib = alone(peak_mib, True, n_neurons, n_batch)
    plain_mib = alone(peak_mib, False, n_neurons, n_batch) if with_plain else float("nan")
    return {
        "n_neurons": n_neurons,
        "n_batch": n_batch,
        "n_hidden": N_HIDDEN,
        "n_threads": torch.get_num_threads(),
        "fused_s": round(fused_s, 5),
        "plain_s": round(plain_s, 3),
        "times_faster": round(plain_s / fused_s, 1),
        "fused_mib": round(fused_mib, 1),
        "plain_mib": round(plain_mib, 1),
        "times_smaller": round(plain_mib / fused_mib, 1),
    }


if __name__ == "__main__":
    rows = [compare(*size) for size in SIZES]
    with Path(__file__).with_suffix(".csv").open("w", newline="") as file:
        table = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
