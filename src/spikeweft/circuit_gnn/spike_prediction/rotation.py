"""Ring circuits that an external input rotates: from which neuron each column's trace comes.

In Yoon (2025) the columns of W are shifted by k(t) = floor(N·g·θ(t)/2π) while the network runs.
The model reads θ in the same way: column m, the synapse of the ring's m-th place, has the trace of
the neuron k places further on. Sign and size of g are not known; held-out spikes choose them.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from spikeweft.circuit_gnn.spike_prediction.routes import Routes
from spikeweft.data.directions import N_SLOTS, interpolation
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

_ON_PLACE = 1e-3
"""Distance, in places, up to which a neuron is right on a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """An input θ that rotates a ring circuit.

    Attributes
    ----------
    covariate
        Name of the recording's covariate θ, an angle.
    gain
        Factor g of θ.
    places
        Place on the ring of each neuron, from 0 to `n_places`; each has its own.
    n_places
        How many places the ring has.
    stride
        Places by which the columns move at once: more than one where further neurons were put
        between those of a full ring.
    """

    covariate: str
    gain: float
    places: Int[np.ndarray, " column"]
    n_places: int
    stride: int = 1

    def shift(
        self, recording: Recording, times_s: Float[np.ndarray, " time"]
    ) -> Int[np.ndarray, " time"]:
        """Places by which the columns are shifted at each time."""
        theta = recording.covariates[self.covariate].at(times_s)
        n_steps = self.n_places // self.stride
        return self.stride * np.floor(n_steps * self.gain * theta / (2 * np.pi)).astype(np.int64)

    def routes(self, shift: Int[np.ndarray, " time"], n_columns: int) -> Routes:
        """Along which columns neurons send at each time; the first `n_columns` neurons have one.

        Neuron j sends from the place `shift` places before its own: along the column there, or,
        where no observed neuron is, along the nearest ones on either side.
        """
        step_rad = 2 * np.pi / self.n_places
        own = self.places[:n_columns]
        shares = interpolation(own * step_rad, np.arange(self.n_places) * step_rad)
        shares[own] = np.eye(n_columns)
        return Routes(self.sources, shares, shift)

    @property
    def sources(self) -> Int[np.ndarray, "shift place"]:
        """Neuron at each place after a shift; -1 where none is."""
        neuron_at = np.full(self.n_places, -1)
        neuron_at[self.places] = np.arange(len(self.places))
        place = np.arange(self.n_places)
        return neuron_at[(place + place[:, None]) % self.n_places]

    def with_neurons(
        self, angle_rad: Float[np.ndarray, " more"]
    ) -> tuple["Rotation", Float[np.ndarray, " more"]]:
        """The rotation of further columns too, each at the free place nearest to an angle.

        Also given are the angles of these places. A ring with too few free places is made finer.
        """
        rotation = self
        while rotation.n_places < len(self.places) + len(angle_rad):
            rotation = rotation._finer()
        return rotation._with_neurons(angle_rad)

    def _finer(self) -> "Rotation":
        """The same with a free place between any two."""
        return replace(
            self, places=2 * self.places, n_places=2 * self.n_places, stride=2 * self.stride
        )

    def _with_neurons(
        self, angle_rad: Float[np.ndarray, " more"]
    ) -> tuple["Rotation", Float[np.ndarray, " more"]]:
        free = np.setdiff1d(np.arange(self.n_places), self.places)
        added = []
        for angle in angle_rad:
            away = np.angle(np.exp(1j * (2 * np.pi * free / self.n_places - angle)))
            nearest = int(np.argmin(np.abs(away)))
            added.append(free[nearest])
            free = np.delete(free, nearest)
        places = np.concatenate([self.places, np.array(added, dtype=np.int64)])
        return replace(self, places=places), 2 * np.pi * np.array(added) / self.n_places


def ring_layout(angle_rad: Float[np.ndarray, " neuron"] | None) -> tuple[np.ndarray, int]:
    """Place of every neuron on the ring, and how many places there are.

    As few places as have every neuron right on one, so that a ring of which some neurons are
    missing keeps its spacing; else as many as neurons if these are about evenly spaced, or
    `N_SLOTS`.

    Raises
    ------
    InputError
        Where a preferred direction is missing, or two neurons would share a place.
    """
    if angle_rad is None or not np.all(np.isfinite(angle_rad)):
        raise InputError(
            "an input can rotate the circuit only where the preferred direction of every neuron is "
            "known; give preferred directions, or let the input enter as a covariate"
        )
    turns = np.mod(angle_rad, 2 * np.pi) / (2 * np.pi)
    apart = turns - turns[0]
    sizes = range(len(turns), N_SLOTS)
    exact = [n for n in sizes if np.abs(apart * n - np.rint(apart * n)).max() < _ON_PLACE]
    for n_places in (*exact[:1], len(turns), N_SLOTS):
        place = turns * n_places
        # A ring that begins half-way between two places is rounded to one side throughout.
        nearest = np.floor(place + 0.5 + 1e-6).astype(np.int64) % n_places
        if len(np.unique(nearest)) == len(nearest):
            return nearest, n_places
    raise InputError(
        f"some of the {len(angle_rad)} neurons prefer the same one of {N_SLOTS} directions, so the "
        "circuit cannot be rotated from neuron to neuron; let the input enter as a covariate"
    )
