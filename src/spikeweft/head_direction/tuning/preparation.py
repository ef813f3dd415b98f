"""Before any circuit: the direction, the cells tuned to it, and warnings about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.load import load
from spikeweft.data.recording import Recording
from spikeweft.data.sorting_artefacts import (
    SortingArtefact,
    describe_artefacts,
    sorting_artefacts,
    sound_pairs,
)
from spikeweft.errors import InputError
from spikeweft.head_direction.angular_profile import contrast
from spikeweft.head_direction.ring import ring_slots
from spikeweft.head_direction.tuning.cells import HeadDirectionCells, head_direction_cells
from spikeweft.head_direction.tuning.decoding import Decoding, decode_direction
from spikeweft.head_direction.tuning.direction import find_angle, with_angle

FEWEST_CELLS = 5
"""Head-direction cells that a profile needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Head-direction cells of a recording, on the ring.

    Attributes
    ----------
    whole
        All neurons, where the direction is known.
    recording
        Head-direction cells alone, with their preferred directions.
    angle
        Name of the direction.
    cells
        Tuning of all neurons.
    chosen
        Indices of the head-direction cells.
    slots
        Their slots on the ring, one each, for the interpolated matrix.
    artefacts
        Pairs of them with a blind window.
    warnings
        What a user should know, one sentence each.
    """

    whole: Recording
    recording: Recording
    angle: str
    cells: HeadDirectionCells
    chosen: Int[np.ndarray, " cell"]
    slots: Int[np.ndarray, " cell"]
    decoding: Decoding
    artefacts: list[SortingArtefact]
    warnings: list[str]

    @property
    def sound(self) -> Bool[np.ndarray, "post pre"]:
        """Pairs of head-direction cells without sorting artefact."""
        return sound_pairs(self.artefacts, self.recording.n_neurons)


def prepare(
    path: Path, angle: str | None, epochs: str | None, rng: np.random.Generator
) -> Prepared:
    """Load a recording, find its direction and head-direction cells, and place them on the ring.

    Raises
    ------
    InputError
        Where there is no direction, fewer than `FEWEST_CELLS` head-direction cells, or no pair of
        them for a contrast.
    """
    loaded = load(path, epochs=epochs, covariates=() if angle is None else (angle,))
    name = find_angle(loaded.recording, angle)
    if angle is None:  # what is asked for by name leaves out the time in which it is missing
        loaded = load(path, epochs=epochs, covariates=(name,))
    whole, changes = with_angle(loaded.recording, name)
    cells = head_direction_cells(whole, name, rng)
    chosen = np.flatnonzero(cells.is_cell)
    if len(chosen) < FEWEST_CELLS:
        raise InputError(
            f"only {len(chosen)} of {whole.n_neurons} neurons follow '{name}', too few for a "
            f"profile; at least {FEWEST_CELLS} are needed, or use 'spikeweft infer'"
        )
    recording = replace(
        whole.select(chosen),
        preferred_angle_rad=cells.preferred_rad[chosen],
        covariates={name: whole.covariates[name]},
    )
    artefacts = sorting_artefacts(recording)
    _check_pairs(recording, artefacts)
    return Prepared(
        whole=whole,
        recording=recording,
        angle=name,
        cells=cells,
        chosen=chosen,
        slots=ring_slots(cells.preferred_rad[chosen]),
        decoding=decode_direction(recording, name),
        artefacts=artefacts,
        warnings=[
            *loaded.warnings,
            *changes,
            *recording.warnings(),
            *describe_artefacts(recording, artefacts),
        ],
    )


def _check_pairs(recording: Recording, artefacts: Sequence[SortingArtefact]) -> None:
    """Refuse cells whose directions, and pairs without artefact, give no contrast."""
    n = recording.n_neurons
    circuit = Connectivity(weights=np.zeros((n, n)), angle_rad=recording.preferred_angle_rad)
    contrast(circuit, sound_pairs(artefacts, n))
