"""The fits of a sweep: every combination of settings."""

import hashlib
import itertools
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError
from spikeweft.inference.settings import Inference


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The values of each setting of `Inference`; all combinations are fitted.

    Attributes
    ----------
    recordings
        Files to read.
    n_hidden, seeds, epochs, minutes
        As in `Inference`; None among epochs or minutes means all.
    n_bootstraps
        How many bootstraps to fit beside each recording itself; their seeds count from 1.
    block_s
        Approximate length of a bootstrap's blocks.
    covariates, event_window_s, rotated_by
        As in `Inference`, for all fits.
    units, exclude, min_rate_hz, units_table
        As in `Inference`, for all fits.
    """

    recordings: tuple[Path, ...]
    n_hidden: tuple[int, ...] = (0,)
    seeds: tuple[int, ...] = (0,)
    epochs: tuple[str | None, ...] = (None,)
    minutes: tuple[float | None, ...] = (None,)
    n_bootstraps: int = 0
    block_s: float = 10.0
    covariates: tuple[str, ...] = ()
    event_window_s: tuple[float, float] = USUAL_WINDOW_S
    rotated_by: str | None = None
    units: str | None = None
    exclude: tuple[str, ...] = ()
    min_rate_hz: float = 0.0
    units_table: str | None = None

    @property
    def chosen_units(self) -> dict[str, Any]:
        """What chooses units, as settings of `Inference`; none where all are used."""
        settings = {
            "units": self.units,
            "exclude": self.exclude,
            "min_rate_hz": self.min_rate_hz,
            "units_table": self.units_table,
        }
        return {name: value for name, value in settings.items() if value}

    @property
    def inputs(self) -> dict[str, Any]:
        """What else drives the neurons, as settings of `Inference`; none where nothing does."""
        settings = {"covariates": self.covariates, "rotated_by": self.rotated_by}
        named = {name: value for name, value in settings.items() if value}
        is_usual = self.event_window_s == USUAL_WINDOW_S
        return named if is_usual else {**named, "event_window_s": self.event_window_s}


def planned(grid: Grid, folder: Path) -> list[Inference]:
    """The fits, each with its own folder in `folder`, named by all that decides the fit.

    The name depends on the recording's content: when the file changes, its fits are others.

    Raises
    ------
    InputError
        Where a recording is missing, or a setting cannot be used.
    """
    fits = {
        name: inference
        for recording in grid.recordings
        for name, inference in _of_recording(recording, grid, Path(os.path.abspath(folder)))
    }
    for inference in fits.values():
        inference.check()
    return list(fits.values())


def _of_recording(recording: Path, grid: Grid, folder: Path) -> Iterator[tuple[str, Inference]]:
    if not recording.exists():
        raise InputError(f"there is no file {recording}; check the path to the recording")
    stem = f"{recording.stem}-{recording_digest(recording)[:8]}"
    bootstraps = [None, *range(1, grid.n_bootstraps + 1)]
    for n_hidden, seed, epochs, minutes, bootstrap in itertools.product(
        grid.n_hidden, grid.seeds, grid.epochs, grid.minutes, bootstraps
    ):
        words = {
            "hidden": n_hidden,
            "seed": seed,
            "epochs": None if epochs is None else _as_word(epochs),
            "minutes": None if minutes is None else f"{minutes:g}",
            "bootstrap": bootstrap,
            "block": None if bootstrap is None else f"{grid.block_s:g}",
            "inputs": _digest(grid.inputs),
            "units": _digest(grid.chosen_units),
        }
        name = "_".join(
            [stem, *(f"{key}{word}" for key, word in words.items() if word is not None)]
        )
        yield (
            name,
            Inference(
                recording=Path(os.path.abspath(recording)),
                folder=folder / name,
                n_hidden=n_hidden,
                seed=seed,
                epochs=epochs,
                minutes=minutes,
                bootstrap=bootstrap,
                block_s=grid.block_s,
                **grid.inputs,
                **grid.chosen_units,
            ),
        )


def _digest(settings: dict[str, Any]) -> str | None:
    """Eight letters that are others for other settings; None where there are none."""
    return _as_word(repr(settings))[-8:] if settings else None


def _as_word(label: str) -> str:
    """A label as a part of a file name, different for different labels."""
    plain = "".join(c if c.isalnum() or c in "+-" else "-" for c in label)
    return plain if plain == label else f"{plain}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
