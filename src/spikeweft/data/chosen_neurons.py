"""Which neurons are meant: by their numbers, or by true and false for each."""

import numpy as np
from jaxtyping import Int

from spikeweft.errors import InputError


def chosen_neurons(neurons: np.ndarray, n_neurons: int) -> Int[np.ndarray, " chosen"]:
    """Numbers of the neurons that are asked for, in the order given.

    Parameters
    ----------
    neurons
        Their numbers, or a truth value for each of all.
    n_neurons
        How many there are.

    Raises
    ------
    InputError
        Where one does not exist or is asked for twice, or there is not one truth value for each.
    """
    asked = np.asarray(neurons)
    if asked.dtype.kind == "b":
        if asked.shape != (n_neurons,):
            raise InputError(
                f"{asked.size} truth values do not choose from {n_neurons} neurons; give one for "
                "each neuron, or their numbers"
            )
        return np.flatnonzero(asked)
    chosen = asked.astype(np.int64)
    outside = chosen[(chosen < 0) | (chosen >= n_neurons)]
    if len(outside):
        raise InputError(
            f"there is no neuron {outside[0]}; choose from 0 to {n_neurons - 1}, each once"
        )
    numbers, times = np.unique(chosen, return_counts=True)
    if len(numbers) < len(chosen):
        raise InputError(f"neuron {numbers[times > 1][0]} is asked for twice; give each once")
    return chosen
