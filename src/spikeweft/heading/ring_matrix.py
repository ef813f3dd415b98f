"""The weights between all slots of the ring, interpolated between the cells that were recorded."""

import numpy as np
from jaxtyping import Bool

from spikeweft.connectivity import Connectivity
from spikeweft.errors import InputError
from spikeweft.heading.placement import N_SLOTS, slot_angles
from spikeweft.heading.profile import usable_pairs
from spikeweft.hidden import interpolation

LEAST_SHARE = 0.5
"""An interpolated weight is known where at least this share of it comes from known ones."""


def ring_matrix(
    circuit: Connectivity,
    sound: Bool[np.ndarray, "post pre"] | None = None,
    n_slots: int = N_SLOTS,
) -> Connectivity:
    """The full matrix of the ring, linear between the nearest cells in both directions (Yoon 2025).

    A cell has no weight to itself, so near the diagonal nothing is known where cells are far apart.

    Parameters
    ----------
    circuit
        Weights between cells of known preferred directions.
    sound
        Pairs without sorting artefact; the others are not used.
    n_slots
        Slots of the ring; a neuron of the answer each.

    Raises
    ------
    InputError
        Where the circuit has no preferred directions, or a cell has none.
    """
    if circuit.angle_rad is None or not np.all(np.isfinite(circuit.angle_rad)):
        raise InputError(
            "a cell without a preferred direction has no place on the ring; leave it out"
        )
    angle_rad = slot_angles(np.arange(n_slots), n_slots)
    mix = interpolation(np.mod(circuit.angle_rad, 2 * np.pi), angle_rad)
    known = usable_pairs(circuit, sound)
    share = mix @ known @ mix.T
    error = circuit.standard_error
    variance = np.where(known, 0.0 if error is None else error, 0.0) ** 2
    is_known = share >= LEAST_SHARE
    total = np.where(is_known, share, 1.0)
    weights = np.where(is_known, mix @ np.where(known, circuit.weights, 0.0) @ mix.T / total, 0.0)
    spread = np.sqrt(mix**2 @ variance @ (mix**2).T) / total
    return Connectivity(
        weights=weights,
        neuron_ids=tuple(str(slot) for slot in range(n_slots)),
        standard_error=np.where(is_known, spread, np.inf),
        angle_rad=angle_rad,
    )
