"""Spike prediction and structure fitted together: the search for hyperparameters, then rounds."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "circuit_fit": ["CircuitFit", "stages_of"],
        "fit_state": ["Candidate", "FitState"],
        "shared_parameters": ["GAINS"],
        "problem": ["DIMENSIONS", "Problem"],
        "stage": ["Stage"],
    },
)
