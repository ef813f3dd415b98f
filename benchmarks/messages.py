"""Time and peak memory of the fused messages against plain PyTorch: python benchmarks/messages.py.

Forward and backward together, both in one run on the same inputs, in turns. A time is the fastest
of its turns, since whatever else the machine does only adds to it. Peak memory is that of a
process of its own for each, beyond what it held before. The plain form is left out where its
messages would not fit into the memory that is free.

What bounds them: in the same process as the times, a matrix product gives the peak of arithmetic
and a copy that of memory traffic. The arithmetic of a message is counted as written, 4 operations
forward and 8 backward; the product, all of it fused multiply-adds, is a peak that additions and
comparisons cannot reach. The traffic of the fused form is each of its arrays once (the least there
can be), that of the plain form each array of all messages as often as its operations read or write
it.
"""

import math
import time
from collections.abc import Callable

import tables
import torch
from torch import Tensor

from spikeweft.graph_networks.message_passing import messages, reference_messages

WIDE, NARROW = 64, 8
SIZES = (
    *((n, 64, WIDE) for n in (50, 100, 200, 500, 1000)),
    *((n, 8, WIDE) for n in (50, 100, 200, 500, 1000)),
    *((n, 128, NARROW) for n in (50, 100, 200, 500)),
)
"""Neurons, batch and units of a message: those of the published model, of which the plain form
fits into memory for all neurons at the smaller batch, and those of `YoonGNN`."""

OPERATIONS = 4 + 8
"""Of a message: add, compare, multiply, add; add, compare and 3 times multiply and add."""

PLAIN_PASSES = 11
"""Reads and writes of an array of all messages: 1 by the sum, 2 by the ReLU, 1 by the product with
the weights; backward 1 by the product's gradient of the messages, 1 by that of the weights, 3 by
the ReLU, 2 by the sums over senders and receivers."""

PLAIN_ARRAYS = 5
"""Arrays of all messages that are allowed for when asking whether the plain form fits."""

FLOAT_BYTES = 4
N_TURNS = 10


def gradients(
    function: Callable[..., Tensor], n_neurons: int, n_batch: int, n_hidden: int
) -> float:
    """Seconds of one forward and backward pass."""
    generator = torch.Generator().manual_seed(n_neurons)
    shapes = [(n_batch, n_neurons, n_hidden)] * 2 + [(n_neurons, n_neurons)]
    inputs = [torch.randn(s, generator=generator, requires_grad=True) for s in shapes]
    upstream = torch.randn(shapes[0], generator=generator)
    return fastest(lambda: torch.autograd.grad(function(*inputs), inputs, upstream), 1)


def fastest(work: Callable[[], object], n_turns: int = 5) -> float:
    """Seconds of the fastest of some turns."""
    seconds = math.inf
    for _ in range(n_turns):
        start = time.perf_counter()
        work()
        seconds = min(seconds, time.perf_counter() - start)
    return seconds


def peak_gflop_per_s() -> float:
    """Arithmetic of a product of large matrices."""
    n = 2048
    a, b = torch.ones(n, n), torch.ones(n, n)
    return 2e-9 * n**3 / fastest(lambda: torch.mm(a, b))


def peak_gb_per_s() -> float:
    """Bytes read and written by a copy much larger than what caches usually hold."""
    source = torch.ones(2**28)
    copy = torch.zeros_like(source)
    return 2e-9 * FLOAT_BYTES * len(source) / fastest(lambda: copy.copy_(source))


def seconds(n_neurons: int, n_batch: int, n_hidden: int, with_plain: bool) -> tables.Row:
    """Fastest turns of the fused and of the plain form, and the machine's peaks."""
    functions = [messages, reference_messages] if with_plain else [messages]
    size = n_neurons, n_batch, n_hidden
    for function in functions:
        gradients(function, *size)
    turns = [[gradients(f, *size) for f in functions] for _ in range(N_TURNS)]
    fused, *plain = (min(times) for times in zip(*turns, strict=True))
    return {
        "n_threads": torch.get_num_threads(),
        "fused_s": fused,
        **({"plain_s": plain[0]} if plain else {}),
        "matmul_gflop_per_s": peak_gflop_per_s(),
        "copy_gb_per_s": peak_gb_per_s(),
    }


def peak_mib(fused: bool, n_neurons: int, n_batch: int, n_hidden: int) -> tables.Row:
    """Memory that one pass adds to that of a process that has made a small one."""
    function = messages if fused else reference_messages
    gradients(function, 2, 2, n_hidden)
    tables.forget_peak()
    before = tables.memory_mib("VmHWM")
    gradients(function, n_neurons, n_batch, n_hidden)
    return {"mib": tables.memory_mib("VmHWM") - before}


def message_gb(n_neurons: int, n_batch: int, n_hidden: int) -> float:
    """Size of an array of all messages."""
    return 1e-9 * FLOAT_BYTES * n_batch * n_neurons**2 * n_hidden


def fused_gb(n_neurons: int, n_batch: int, n_hidden: int) -> float:
    """Arrays of the fused form, each once: 3 forward, 5 backward, and the weights and gradient."""
    return 1e-9 * FLOAT_BYTES * (8 * n_batch * n_neurons * n_hidden + 3 * n_neurons**2)


def compare(n_neurons: int, n_batch: int, n_hidden: int) -> tables.Row:
    """One row of the table."""
    size = {"n_neurons": n_neurons, "n_batch": n_batch, "n_hidden": n_hidden}
    gb = message_gb(**size)
    with_plain = PLAIN_ARRAYS * 1e9 * gb < tables.free_mib() * tables.MIB
    row = tables.alone(seconds, {**size, "with_plain": with_plain})
    row["fused_mib"] = tables.alone(peak_mib, {**size, "fused": True})["mib"]
    fused_s = float(row["fused_s"])
    row["fused_gflop_per_s"] = OPERATIONS * gb / FLOAT_BYTES / fused_s
    row["fused_part_of_matmul"] = row["fused_gflop_per_s"] / float(row["matmul_gflop_per_s"])
    row["fused_gb_per_s"] = fused_gb(**size) / fused_s
    row["fused_part_of_copy"] = row["fused_gb_per_s"] / float(row["copy_gb_per_s"])
    if with_plain:
        plain_s = float(row["plain_s"])
        row["plain_mib"] = tables.alone(peak_mib, {**size, "fused": False})["mib"]
        row["times_faster"] = plain_s / fused_s
        row["times_smaller"] = row["plain_mib"] / row["fused_mib"]
        row["plain_gb_per_s"] = PLAIN_PASSES * gb / plain_s
        row["plain_part_of_copy"] = row["plain_gb_per_s"] / float(row["copy_gb_per_s"])
    rounded = {name: float(f"{value:.4g}") for name, value in row.items() if name != "n_threads"}
    return {**row, **rounded}


if __name__ == "__main__":
    tables.fill(
        __file__,
        __doc__,
        [dict(zip(("n_neurons", "n_batch", "n_hidden"), size, strict=True)) for size in SIZES],
        compare,
        ("torch", "numba"),
        [
            tables.Growth(
                "n_neurons",
                ("fused_s", "plain_s", "fused_mib", "plain_mib"),
                ("n_batch", "n_hidden"),
            )
        ],
    )
