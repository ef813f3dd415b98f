"""The ring on which a model places head-direction cells: a slot each, by preferred direction."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from spikeweft.errors import InputError

N_SLOTS = 100
"""Slots of the ring (Yoon 2025)."""


def ring_slots(
    preferred_rad: Float[np.ndarray, " neuron"], n_slots: int = N_SLOTS
) -> Int[np.ndarray, " neuron"]:
    """Slot of each neuron, its own, with the least total distance from preferred directions.

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


def slot_angles(
    slots: Int[np.ndarray, " neuron"], n_slots: int = N_SLOTS
) -> Float[np.ndarray, " neuron"]:
    """Angle of each slot."""
    return 2 * np.pi * slots / n_slots
