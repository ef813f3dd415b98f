"""The network that a stored circuit came from, built again from the circuit's metadata."""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.readers.npz_files.own_arrays import recording_arrays
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError
from spikeweft.runtime.files import writing_whole
from spikeweft.simulation.networks import Network
from spikeweft.simulation.neurons import LNPNeuron, ThresholdNeuron
from spikeweft.simulation.random_networks import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    SymmetricWiring,
)
from spikeweft.simulation.ring_networks import FlatInhibition, MexicanHat, RingNetwork

_EXACT_BELOW = 2**53
"""Whole numbers that a float holds exactly; netCDF 3 has no integers beyond 32 bits."""

_KINDS: dict[str, tuple[type, ...]] = {
    "network": (RingNetwork, RandomNetwork),
    "neuron": (ThresholdNeuron, LNPNeuron),
    "profile": (MexicanHat, FlatInhibition),
    "wiring": (SymmetricWiring, DirectedWiring, ExcitatoryInhibitoryWiring),
}


def network_from_metadata(metadata: Mapping[str, str | int | float]) -> Network:
    """The network whose `to_metadata` a simulated circuit carries.

    Raises
    ------
    InputError
        Where the metadata are not those of a simulated circuit, or lack an entry.
    """
    older = {"time_step_s": metadata["tick_s"]} if "tick_s" in metadata else {}
    return _build("network", {**metadata, **older})


def _build(role: str, metadata: Mapping[str, str | int | float]) -> Any:
    kinds = {kind.__name__: kind for kind in _KINDS[role]}
    name = str(_entry(metadata, role))
    if name not in kinds:
        raise InputError(f"the {role} {name!r} is not one of those known: {', '.join(kinds)}")
    kind = kinds[name]
    values: dict[str, Any] = {
        f.name: _build(f.name, metadata)
        if f.name in _KINDS
        else _of_type(f.type, f.name, _entry(metadata, f.name))
        for f in fields(kind)
    }
    return kind(**values)


def _of_type(kind: Any, name: str, value: Any) -> str | int | float:
    """The value, as a whole number where the field is one but the file could only hold a float."""
    if kind is not int or not isinstance(value, float) or not value.is_integer():
        return value
    if abs(value) >= _EXACT_BELOW:
        raise InputError(
            f"the circuit's {name}, about {value:g}, was rounded when it was stored as netCDF, so "
            "its network cannot be built again; use the .npz of `save_simulation`"
        )
    return int(value)


def _entry(metadata: Mapping[str, str | int | float], name: str) -> str | int | float:
    if name not in metadata:
        raise InputError(
            f"the circuit's metadata lack {name!r}, so its network cannot be built again; "
            "use a circuit that spikeweft simulated"
        )
    return metadata[name]


def save_simulation(
    path: str | Path, recording: Recording, truth: Connectivity, *, force: bool = False
) -> None:
    """Write spikes and true circuit into one `.npz` that `load` reads, whole or not at all.

    Raises
    ------
    InputError
        Where the file exists and `force` is not set, or cannot be written.
    """
    path = check_new_npz(path, force=force)
    arrays = {
        **recording_arrays(recording),
        "weights": truth.weights,
        **_details(truth),
        "network": np.array(json.dumps(dict(truth.metadata))),
    }
    with writing_whole(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def _details(truth: Connectivity) -> dict[str, np.ndarray]:
    """What else is known of the true connections."""
    details = {
        "latency_s": truth.latency_s,
        "excitatory_probability": truth.excitatory_probability,
    }
    return {name: values for name, values in details.items() if values is not None}


def check_new_npz(path: str | Path, *, force: bool = False) -> Path:
    """The path, where a new `.npz` may be written there.

    Raises
    ------
    InputError
        Where it has another ending, exists and `force` is not set, or lies in no folder.
    """
    path = Path(path)
    if path.suffix != ".npz":
        raise InputError(f"the recording is written as .npz, but {path} ends otherwise; rename it")
    if path.is_dir() or (path.exists() and not force):
        raise InputError(f"{path} exists already; choose another name or use --force")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent} to write {path.name} into; create it")
    return path
