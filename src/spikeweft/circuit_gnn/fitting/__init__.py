"""Spike prediction and structure fitted together: what all neurons share, then rounds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "circuit_fit": ["CircuitFit", "stages_of"],
        "fit_state": ["Candidate", "FitState"],
        "problem": ["DIMENSIONS", "Problem"],
        "shared_parameters": ["shared_stages"],
        "stage": ["Stage"],
    },
)
