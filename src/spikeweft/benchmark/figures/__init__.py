"""Figures of a folder of studies: circuits, scores, curves, and what hidden neurons do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "draw": ["circuits_gone", "draw_figures"],
        "method_styles": ["STYLES"],
        "stored_circuits": ["stored"],
    },
)
