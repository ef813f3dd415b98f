"""Partial observation: some neurons of a simulated network are recorded, the others are hidden."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.runtime.whole_numbers import is_whole


class Observation(NamedTuple):
    """What is seen of a network, and which neurons are not.

    `recording` and `connectivity` hold the observed neurons alone, in ascending order; `observed`
    and `hidden` are indices into the whole network.
    """

    recording: Recording
    connectivity: Connectivity
    observed: Int[np.ndarray, " neuron"]
    hidden: Int[np.ndarray, " hidden"]


def observe(
    recording: Recording, connectivity: Connectivity, n_observed: int, rng: np.random.Generator
) -> Observation:
    """Keep a random choice of neurons and hide the others.

    Raises
    ------
    InputError
        Where fewer than two or more than all neurons would be observed, or the circuit is of
        another number of neurons.
    """
    n = recording.n_neurons
    check_n_observed(n_observed, n)
    if connectivity.n_neurons != n:
        raise InputError(
            f"the recording has {n} neurons but the circuit {connectivity.n_neurons}; give the "
            "circuit that made the recording"
        )
    observed = np.sort(rng.choice(n, n_observed, replace=False))
    return Observation(
        recording=recording.select(observed),
        connectivity=connectivity.select(observed),
        observed=observed,
        hidden=np.setdiff1d(np.arange(n), observed),
    )


def check_n_observed(n_observed: int, n_neurons: int) -> None:
    """Refuse to observe this many of this many neurons.

    Raises
    ------
    InputError
        Where it is no whole number from two to all of them.
    """
    if not is_whole(n_observed, 2) or n_observed > n_neurons:
        raise InputError(
            f"{n_observed} of {n_neurons} neurons cannot be observed; choose a whole number from 2 "
            f"to {n_neurons}"
        )
