"""Training: one loop that yields its progress, saves it, and resumes."""

import hashlib
import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from spikeweft.errors import CannotResumeError
from spikeweft.runtime.files import write_whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a fit stands after one step of training."""

    stage: str
    step: int
    loss: float
    """Negative log-likelihood of the training spikes, in nats per spike."""

    held_out_bits_per_spike: float
    seconds: float = 0.0
    """Time spent on training so far, interruptions left out."""

    seconds_left: float | None = field(default=None, compare=False)
    """Time that training is expected to go on, where something is known of it."""


@runtime_checkable
class Trainable(Protocol):
    """A fit that advances in steps and can be interrupted and resumed."""

    def advance(self) -> Progress | None:
        """Take one step; None if the fit is finished."""
        ...

    def state(self) -> dict[str, np.ndarray]:
        """Everything that the next steps depend on."""
        ...

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Continue from a state that `state` gave."""
        ...


def train(
    fit: Trainable, settings: Mapping[str, object], checkpoint: Path | None = None
) -> Iterator[Progress]:
    """Advance the fit to its end, saving each step to `checkpoint` where one is named.

    An existing checkpoint is resumed: its past progress is yielded again, then training goes on to
    the result that an uninterrupted run reaches.

    Raises
    ------
    CannotResumeError
        Where the checkpoint cannot be read or was made with other settings or data.
    """
    history: list[Progress] = []
    if checkpoint is not None and checkpoint.exists():
        history, state = read_checkpoint(checkpoint, settings)
        fit.restore(state)
        yield from history
    spent = history[-1].seconds if history else 0.0
    started = time.perf_counter()
    while (progress := fit.advance()) is not None:
        seconds = spent + time.perf_counter() - started
        history.append(replace(progress, seconds=seconds))
        if checkpoint is not None:
            write_checkpoint(checkpoint, settings, history, fit.state())
        yield history[-1]


def write_checkpoint(
    path: Path,
    settings: Mapping[str, object],
    history: list[Progress],
    state: Mapping[str, np.ndarray],
) -> None:
    """Write a checkpoint whole or not at all.

    Raises
    ------
    InputError
        Where the file system refuses.
    """
    # np.asarray keeps arrays without dims as they are; np.ascontiguousarray would add one.
    arrays = {name: np.asarray(value, order="C") for name, value in state.items()}
    header = {
        "settings": _as_json(settings),
        "history": json.dumps([asdict(progress) for progress in history]),
    }
    header["sha256"] = _digest(header, arrays)
    write_whole(path, save(arrays, metadata=header))


def read_checkpoint(
    path: Path, settings: Mapping[str, object]
) -> tuple[list[Progress], dict[str, np.ndarray]]:
    """Read a checkpoint made with the same settings and data.

    Raises
    ------
    CannotResumeError
        Where the file is damaged, or was made with other settings or data.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            header = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if header["sha256"] != _digest(header, state):
            raise ValueError("its content does not fit its checksum")
        history = [Progress(**row) for row in json.loads(header["history"])]
        made_with = json.loads(header["settings"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise CannotResumeError(
            f"the checkpoint {path} is damaged ({error}); run again with --force to start over"
        ) from error
    wanted = json.loads(_as_json(settings))
    if made_with.keys() != wanted.keys():
        raise CannotResumeError(
            f"the checkpoint {path} was made by another version of spikeweft or another method; "
            "use --force to start over"
        )
    if made_with != wanted:
        differ = sorted(key for key in wanted if made_with[key] != wanted[key])
        raise CannotResumeError(
            f"the checkpoint {path} was made with another {', '.join(differ)}; resume with the "
            "same settings and data, or use --force to start over"
        )
    return history, state


def _as_json(settings: Mapping[str, object]) -> str:
    """Settings as text; a number of NumPy's is the number that it is."""
    return json.dumps(dict(settings), sort_keys=True, default=np.generic.item)


def _digest(header: Mapping[str, str], arrays: Mapping[str, np.ndarray]) -> str:
    """Checksum of a checkpoint: the file format itself does not notice a changed number."""
    digest = hashlib.sha256(header["settings"].encode() + header["history"].encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
