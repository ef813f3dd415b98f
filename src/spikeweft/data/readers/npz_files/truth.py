"""The true circuit that an `.npz` holds."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.npz_files.arrays import angles, check_one_each, numbers, texts
from spikeweft.errors import InputError


def read_truth(arrays: Mapping[str, np.ndarray], path: Path) -> Connectivity:
    """The true circuit that a file holds."""
    weights = numbers(arrays, "weights", path)
    if weights.ndim != 2:
        raise InputError(
            f"the weights in {path} have the shape {weights.shape}; give a square weights[post, "
            "pre]"
        )
    angle = angles(arrays, path)
    check_one_each(angle, len(weights), path)
    return Connectivity(
        weights=weights,
        neuron_ids=tuple(texts(arrays, "neuron_ids")),
        angle_rad=angle,
        latency_s=_like(weights, "latency_s", arrays, path),
        excitatory_probability=_like(weights[:, 0], "excitatory_probability", arrays, path),
        metadata=_network(arrays, path),
    )


def _like(
    wanted: np.ndarray, key: str, arrays: Mapping[str, np.ndarray], path: Path
) -> np.ndarray | None:
    """Another array of the truth, of the same shape as a known one; None where there is none."""
    if key not in arrays:
        return None
    values = numbers(arrays, key, path)
    if values.shape != wanted.shape:
        raise InputError(
            f"the {key} in {path} has the shape {values.shape}, not {wanted.shape} as the weights "
            "need; correct it or leave it out"
        )
    return values


def _network(arrays: Mapping[str, np.ndarray], path: Path) -> dict[str, str | int | float]:
    """The settings of the network that was simulated; none where they are not there."""
    if "network" not in arrays:
        return {}
    try:
        settings = json.loads(str(arrays["network"]))
    except (ValueError, RecursionError) as error:
        raise InputError(f"'network' in {path} is not JSON ({error}); leave it out") from error
    if not isinstance(settings, dict) or not all(
        isinstance(value, str | int | float) for value in settings.values()
    ):
        raise InputError(f"'network' in {path} holds no plain settings; leave it out")
    return settings
