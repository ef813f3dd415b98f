"""Graph networks from the literature: the published model (Yoon 2025), and NRI, its ancestor."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "departures": ["DEPARTURES", "STEADY_DESCENT", "Departure", "DescentPart"],
        "message_passing": ["messages"],
        "nri": ["NRI"],
        "nri_model": ["RelationalModel"],
        "yoon_gnn": ["YoonGNN"],
        "yoon_model": ["MessagePassing", "SpikePrediction", "StructureLearning", "YoonModel"],
    },
)
