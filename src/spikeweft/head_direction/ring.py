"""The ring of head-direction cells: each has a slot of its own by its preferred direction."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linear_sum_assignment

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.directions import N_SLOTS, interpolation, slot_angles
from spikeweft.errors import InputError
from spikeweft.head_direction.angular_profile import usable_pairs


def ring_slots(
    preferred_rad: Float[np.ndarray, " neuron"], n_slots: int = N_SLOTS
) -> Int[np.ndarray, " neuron"]:
    """One slot for each neuron, with the least total distance from the preferred directions.

    Raises
    ------
    InputError
        Where there are more neurons than slots, or a preferred direction is not known.
    """
    if not np.all(np.isfinite(preferred_rad)):
        raise InputError(
            "a neuron without a preferred direction has no place on the ring; leave it out"
        )
    if len(preferred_rad) > n_slots:
        raise InputError(
            f"{len(preferred_rad)} neurons do not fit on a ring of {n_slots} slots; choose fewer"
        )
    slot_rad = slot_angles(np.arange(n_slots), n_slots)
    apart = np.abs(np.angle(np.exp(1j * (preferred_rad[:, None] - slot_rad[None, :]))))
    return linear_sum_assignment(apart)[1].astype(np.int64)


LEAST_SHARE = 0.5
"""An interpolated weight is known where at least this share of it comes from known weights."""


def ring_matrix(
    circuit: Connectivity,
    sound: Bool[np.ndarray, "post pre"] | None = None,
    n_slots: int = N_SLOTS,
) -> Connectivity:
    """The full matrix of the ring, linear between the nearest cells in both directions (Yoon 2025).

    A cell has no weight to itself, so weights near the diagonal are unknown where cells are sparse.

    Parameters
    ----------
    circuit
        Weights between cells of known preferred directions.
    sound
        Pairs without sorting artefact; the others are not used.
    n_slots
        Slots of the ring, each a neuron of the returned circuit.

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
