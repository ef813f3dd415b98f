"""Damage to the bytes of any file."""

from pathlib import Path

import numpy as np
from damaged_inputs import damaged


def cut_off(path: Path, rng: np.random.Generator) -> None:
    """Ends anywhere."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.integers(0, len(content) + 1)])


def flipped(path: Path, rng: np.random.Generator) -> None:
    """Bits are flipped, or a stretch is overwritten."""
    content = path.read_bytes()
    if content:
        path.write_bytes(damaged(content, rng))


def flipped_at_the_start(path: Path, rng: np.random.Generator) -> None:
    """Bits are flipped where most formats describe themselves."""
    content = path.read_bytes()
    n_first = min(len(content), int(rng.choice([16, 64, 256, 1024])))
    if n_first:
        path.write_bytes(damaged(content[:n_first], rng) + content[n_first:])


def extreme_words(path: Path, rng: np.random.Generator) -> None:
    """Some words of four bytes are as large, or as negative, as they can be."""
    content = bytearray(path.read_bytes())
    words = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\0\0", b"\0\0\xc0\x7f")
    for _ in range(rng.integers(1, 6)):
        start = 4 * int(rng.integers(0, max(1, len(content) // 4)))
        content[start : start + 4] = words[rng.integers(len(words))]
    path.write_bytes(content)


BYTES = (cut_off, flipped, flipped_at_the_start, extreme_words)
