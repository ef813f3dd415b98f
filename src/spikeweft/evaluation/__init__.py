"""Scores of a circuit and of a prediction, and how well any method could do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "limits": [
            "KnownNetwork",
            "cramer_rao_delta",
            "cramer_rao_delta_directed",
            "oracle_bits_per_spike",
        ],
        "metrics": [
            "InferenceError",
            "PredictionScore",
            "bits_per_spike",
            "inference_error",
            "precision_recall_area",
            "ring_profile",
        ],
    },
)
