"""Scores of a circuit and of a prediction, and how well any method could do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "circuit_agreement": ["agreement", "correlation", "precision_recall_area"],
        "circuit_error": ["InferenceError", "inference_error", "ring_profile"],
        "connection_detection": [
            "Certainty",
            "ConnectionOrder",
            "certainty",
            "connection_order",
            "evidence",
            "latency_share",
            "matthews_correlation",
        ],
        "cramer_rao": ["cramer_rao_delta", "cramer_rao_delta_directed"],
        "known_network": ["KnownNetwork"],
        "oracle": ["oracle_bits_per_spike"],
        "prediction": ["PredictionScore", "bits_per_spike"],
    },
)
