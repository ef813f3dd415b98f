"""What a head-direction study asks for, and what it finds."""

import shlex
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.recording_digest import recording_digest
from spikeweft.head_direction.regression import Causes
from spikeweft.head_direction.tuning.preparation import Prepared

N_DRAWN = 2
"""Uncoupled recordings to which every CircuitGNN is fitted, to see the size of their contrast."""

N_JUDGED = 19
"""Uncoupled recordings for the CircuitGNN that is judged: its least p value is then 1/20."""

ERRORS_DEG = (5.0, 10.0, 20.0)
"""Direction errors of the surrogates, rms."""

CAUSES = {
    "tuning": Causes(own_spikes=False, others_spikes=False),
    "tuning + own history": Causes(others_spikes=False),
    "coupling + own history": Causes(direction=False),
    "tuning + coupling + own history": Causes(),
}
"""The regressions that spikeweft is compared with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadDirectionStudy:
    """What to study, and where to put the results.

    Attributes
    ----------
    recording
        File to read.
    folder
        Folder to make; an unfinished one is resumed.
    angle
        Name of the direction; the only angle where None.
    n_hidden
        Numbers of hidden neurons to fit CircuitGNN with.
    epochs
        Name of the epochs to use; all where None.
    elsewhere
        Recordings of the same neurons, such as sleep, that only test.
    draws
        Uncoupled recordings for the CircuitGNN that is judged, the one with the direction among
        its causes and the fewest hidden neurons; every other has `N_DRAWN`.
    seed
        Seed of all random numbers.
    """

    recording: Path
    folder: Path
    angle: str | None = None
    n_hidden: tuple[int, ...] = (0, 5, 10, 20)
    epochs: str | None = None
    elsewhere: tuple[Path, ...] = ()
    draws: int = N_JUDGED
    seed: int = 0

    @property
    def command(self) -> str:
        """The command line that makes this study."""
        words = [str(self.recording), str(self.folder)]
        words += ["--angle", self.angle] if self.angle is not None else []
        words += ["--epochs", self.epochs] if self.epochs is not None else []
        words += ["--n-hidden", *map(str, self.n_hidden), "--draws", str(self.draws)]
        words += ["--seed", str(self.seed)]
        words += ["--elsewhere", *map(str, self.elsewhere)] if self.elsewhere else []
        return shlex.join(["spikeweft", "heading", *words])

    def n_drawn(self, n_hidden: int, direction_known: bool) -> int:
        """How many uncoupled recordings the control of a fit has."""
        return self.draws if direction_known and n_hidden == min(self.n_hidden) else N_DRAWN

    @property
    def settings(self) -> dict[str, Any]:
        """All that decides the result; files by their content."""
        return {
            "spikeweft": version("spikeweft"),
            "recording": recording_digest(self.recording),
            "angle": self.angle,
            "epochs": self.epochs,
            "seed": self.seed,
            "elsewhere": [recording_digest(path) for path in self.elsewhere],
        }


class Fit(NamedTuple):
    """One circuit, and bits per spike of every neuron on the last tenth."""

    circuit: Connectivity
    bits: Float[np.ndarray, " neuron"]


class DirectionErrorCircuits(NamedTuple):
    """Circuits of direction-error surrogates: by regression and by CircuitGNN, one per error."""

    quick: list[Connectivity]
    fitted: list[Connectivity]


class Elsewhere(NamedTuple):
    """A circuit fitted to other data, and how the first one predicts them."""

    name: str
    circuit: Connectivity
    bits: Float[np.ndarray, " neuron"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All that a study found.

    Attributes
    ----------
    regressions
        Bits per spike of each regression in `CAUSES`, over the null of `fits`.
    quick
        Coupling by regression, with and without the direction among the causes.
    quick_uncoupled
        The same from many draws of spikes by tuning and own history alone.
    quick_halves
        The same from each half of the recording.
    quick_uncoupled_halves
        The same from each half of one uncoupled draw.
    direction_error
        Coupling, with the direction, of surrogates whose direction has each of `ERRORS_DEG`: by
        regression, and by CircuitGNN with the fewest hidden neurons, from the time of `fits`.
    fits
        CircuitGNN by number of hidden neurons, with and without the direction, from all but the
        last tenth of the time.
    uncoupled
        CircuitGNN on uncoupled spikes, each in the same way, and from the same time, as the one in
        `fits`.
    halves
        CircuitGNN without the direction and hidden neurons, on each half.
    """

    study: HeadDirectionStudy
    prepared: Prepared
    regressions: dict[str, Float[np.ndarray, " neuron"]]
    quick: dict[bool, Connectivity]
    quick_uncoupled: dict[bool, list[Connectivity]]
    quick_halves: dict[bool, list[Connectivity]]
    quick_uncoupled_halves: dict[bool, list[Connectivity]]
    direction_error: DirectionErrorCircuits
    fits: dict[tuple[int, bool], Fit]
    uncoupled: dict[tuple[int, bool], list[Connectivity]]
    halves: list[Connectivity]
    elsewhere: list[Elsewhere]
