"""Circuits of head-direction cells, beside controls that could say no."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "angular_profile": ["Contrast", "Profile", "contrast", "profile"],
        "figures": ["profile_figure"],
        "page": ["write_study"],
        "regression": ["fit_regression"],
        "ring": ["ring_matrix", "ring_slots"],
        "steps": ["run_study"],
        "study": ["Findings", "HeadDirectionStudy"],
    },
)
