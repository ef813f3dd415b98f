"""The network that a stored circuit came from, built again from the circuit's metadata."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from spikeweft.errors import InputError
from spikeweft.simulate.network import Network
from spikeweft.simulate.neuron import LNPNeuron, ThresholdNeuron
from spikeweft.simulate.random import (
    DirectedWiring,
    ExcitatoryInhibitoryWiring,
    RandomNetwork,
    SymmetricWiring,
)
from spikeweft.simulate.ring import FlatInhibition, MexicanHat, RingNetwork

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
    return _build("network", metadata)


def _build(role: str, metadata: Mapping[str, str | int | float]) -> Any:
    kinds = {kind.__name__: kind for kind in _KINDS[role]}
    name = str(_entry(metadata, role))
    if name not in kinds:
        raise InputError(f"the {role} {name!r} is not one of those known: {', '.join(kinds)}")
    kind = kinds[name]
    values: dict[str, Any] = {
        f.name: _build(f.name, metadata) if f.name in _KINDS else _entry(metadata, f.name)
        for f in fields(kind)
    }
    return kind(**values)


def _entry(metadata: Mapping[str, str | int | float], name: str) -> str | int | float:
    if name not in metadata:
        raise InputError(
            f"the circuit's metadata lack {name!r}, so its network cannot be built again; "
            "use a circuit that spikeweft simulated"
        )
    return metadata[name]
