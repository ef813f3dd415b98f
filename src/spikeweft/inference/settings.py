"""The settings of one inference."""

import shlex
from dataclasses import dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.file_contents.events import USUAL_WINDOW_S
from spikeweft.data.file_contents.selection import Selection
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.errors import InputError

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Inference:
    """What to infer from, how, and where to put the result.

    Numbers of NumPy's, lists, and paths that are texts are kept as what they stand for.

    Attributes
    ----------
    recording
        File to read.
    folder
        Result folder to make. Until it is whole it is called `folder` + ".partial".
    n_hidden
        Hidden neurons of the model.
    covariates
        Names of the recording's covariates and events that enter every rate.
    event_window_s
        From when to when after an event its response lasts, in seconds.
    rotated_by
        Name of the covariate, an angle, that rotates the circuit's ring, as an external input does.
    seed
        Seed of all random numbers.
    epochs
        Name of the epochs to use; all where None.
    units
        Expression over the columns of the units table, which the units to use satisfy; all where
        None.
    exclude
        Ids of units to leave out.
    min_rate_hz
        Units that fire less are left out.
    units_table
        Name of the table of units; the file's own where None.
    minutes
        Use only the first minutes of recorded time; all where None.
    bootstrap
        Seed of a bootstrap: the model is fitted to blocks of the recording that are drawn with
        replacement (`bootstrap.resampled`); to the recording itself where None. The last part, on
        which it is scored, stays as it is.
    block_s
        Approximate length of a block.
    resume
        Resume an interrupted inference, if there is one.
    force
        Replace a result that exists, once the new one is whole, and start an interrupted one over,
        unless `resume` is given too.
    """

    recording: Path
    folder: Path
    n_hidden: int = 0
    covariates: tuple[str, ...] = ()
    event_window_s: tuple[float, float] = USUAL_WINDOW_S
    rotated_by: str | None = None
    seed: int = 0
    epochs: str | None = None
    units: str | None = None
    exclude: tuple[str, ...] = ()
    min_rate_hz: float = 0.0
    units_table: str | None = None
    minutes: float | None = None
    bootstrap: int | None = None
    block_s: float = 10.0
    resume: bool = False
    force: bool = False

    def __post_init__(self) -> None:
        kept = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        kept |= {name: Path(kept[name]) for name in ("recording", "folder")}
        for name, value in kept.items():
            object.__setattr__(self, name, value)

    @property
    def command(self) -> str:
        """The command line that makes this inference, as `infer` does without a given model.

        Where `leaves_a_choice`, the model is then the better of two.
        """
        options = {
            "--hidden": self.n_hidden,
            "--covariates": self.covariates,
            "--event-window-s": self.event_window_s if self._names_a_window else (),
            "--rotated-by": self.rotated_by,
            "--seed": self.seed,
            "--epochs": self.epochs,
            "--units": self.units,
            "--exclude": self.exclude,
            "--min-rate-hz": self.min_rate_hz or None,
            "--units-table": self.units_table,
            "--minutes": self.minutes,
            "--bootstrap": self.bootstrap,
            "--block-s": None if self.bootstrap is None else self.block_s,
        }
        words = [str(self.recording), str(self.folder)]
        for option, value in options.items():
            values = value if isinstance(value, tuple) else (value,)
            words += [option, *map(str, values)] if values and value is not None else []
        return shlex.join(["spikeweft", "infer", *words])

    @property
    def leaves_a_choice(self) -> bool:
        """Whether nothing is asked for that `CircuitGNN` alone knows, so that spikes choose."""
        return self.n_hidden == 0 and not self.all_covariates

    @property
    def _names_a_window(self) -> bool:
        return bool(self.covariates) and self.event_window_s != USUAL_WINDOW_S

    @property
    def all_covariates(self) -> tuple[str, ...]:
        """Names of all covariates that the model reads, in whatever way."""
        rotating = () if self.rotated_by is None else (self.rotated_by,)
        return tuple(dict.fromkeys((*self.covariates, *rotating)))

    @property
    def selection(self) -> Selection:
        """What of the file is used."""
        return Selection(
            epochs=self.epochs,
            units=self.units,
            exclude=self.exclude,
            min_rate_hz=self.min_rate_hz,
            units_table=self.units_table,
            covariates=self.all_covariates,
            event_window_s=self.event_window_s,
        )

    def settings(self) -> dict[str, Any]:
        """All that decides the result; an interrupted inference resumes only with the same."""
        return {
            "recording": self.recording.name,
            "sha256": recording_digest(self.recording),
            "n_hidden": self.n_hidden,
            "covariates": list(self.covariates),
            "event_window_s": list(self.event_window_s),
            "rotated_by": self.rotated_by,
            "seed": self.seed,
            "epochs": self.epochs,
            "units": self.units,
            "exclude": list(self.exclude),
            "min_rate_hz": self.min_rate_hz,
            "units_table": self.units_table,
            "minutes": self.minutes,
            "bootstrap": self.bootstrap,
            "block_s": None if self.bootstrap is None else self.block_s,
            "spikeweft": version("spikeweft"),
        }

    def check(self) -> None:
        """Refuse settings that cannot be used.

        Raises
        ------
        InputError
            Where one cannot.
        """
        if self.n_hidden < 0:
            raise InputError(f"{self.n_hidden} hidden neurons are too few; give 0 or more")
        if self.minutes is not None and not 0 < self.minutes < np.inf:
            raise InputError(f"{self.minutes:g} minutes cannot be used; give a positive number")
        start_s, stop_s = self.event_window_s
        if not -np.inf < start_s < stop_s < np.inf:
            raise InputError(
                f"an event's window from {start_s:g} to {stop_s:g} s is none; give seconds after "
                "the event, the earlier first"
            )
        if not 0 <= self.seed <= _LARGEST_SEED:
            raise InputError(f"the seed {self.seed} is not between 0 and {_LARGEST_SEED}")
        if self.bootstrap is not None and not 0 <= self.bootstrap <= _LARGEST_SEED:
            raise InputError(
                f"the bootstrap's seed {self.bootstrap} is not between 0 and {_LARGEST_SEED}"
            )


def _plain(value: Any) -> Any:
    """A setting in Python's own types."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple, np.ndarray)):
        return tuple(_plain(part) for part in value)
    return value
