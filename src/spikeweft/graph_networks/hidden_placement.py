"""Where `YoonGNN` puts hidden neurons on the ring, and the mixtures that stand for them.

`CircuitGNN` has rules of its own (`data.directions`): they differ where gaps are equally wide.
"""

import numpy as np
from jaxtyping import Float


def hidden_angles(
    observed_rad: Float[np.ndarray, " neuron"], n_hidden: int
) -> Float[np.ndarray, " hidden"]:
    """Where on the ring hidden neurons are put (chosen; not published), in radians.

    One after the other into the middle of the widest gap between neurons; among equally wide gaps
    into the one farthest from the hidden neurons already there.
    """
    placed = np.zeros(0)
    for _ in range(n_hidden):
        taken = np.sort(np.concatenate([observed_rad, placed]) % (2 * np.pi))
        gap = np.diff(taken, append=taken[0] + 2 * np.pi)
        middle = taken + gap / 2
        apart = np.abs(np.angle(np.exp(1j * (middle[:, None] - placed[None, :]))))
        room = apart.min(1, initial=np.pi)
        widest = gap > gap.max() * (1 - 1e-6)
        placed = np.append(placed, middle[np.argmax(np.where(widest, room, -1.0))])
    return placed % (2 * np.pi)


def ring_interpolation(
    hidden_rad: Float[np.ndarray, " hidden"], observed_rad: Float[np.ndarray, " neuron"]
) -> Float[np.ndarray, "hidden neuron"]:
    """Weights of linear interpolation from the nearest observed neuron on either side."""
    order = np.argsort(observed_rad % (2 * np.pi))
    ascending = observed_rad[order] % (2 * np.pi)
    above = np.searchsorted(ascending, hidden_rad % (2 * np.pi)) % len(order)
    below = above - 1
    since = (hidden_rad - ascending[below]) % (2 * np.pi)
    gap = (ascending[above] - ascending[below]) % (2 * np.pi)
    share = np.where(gap > 0, since / np.where(gap > 0, gap, 1.0), 0.5)
    interpolation = np.zeros((len(hidden_rad), len(observed_rad)))
    hidden = np.arange(len(hidden_rad))
    interpolation[hidden, order[below]] = 1 - share
    interpolation[hidden, order[above]] += share
    return interpolation
