"""Networks whose wiring is known, and the recordings that they make."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "head_direction_cells": ["unconnected_population"],
        "networks": ["Network", "simulate"],
        "neurons": ["LNPNeuron", "ThresholdNeuron"],
        "partial_observation": ["Observation", "observe"],
        "random_networks": [
            "DirectedWiring",
            "ExcitatoryInhibitoryWiring",
            "RandomNetwork",
            "SymmetricWiring",
            "random_network",
        ],
        "ring_networks": [
            "FlatInhibition",
            "MexicanHat",
            "RingNetwork",
            "lnp_ring",
            "profile_ii_lnp_ring",
            "profile_ii_threshold_ring",
            "threshold_ring",
        ],
        "storage": ["network_from_metadata", "save_simulation"],
    },
)
