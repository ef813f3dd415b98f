"""Inferred circuits in the file formats of other programs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "by_ending": ["Exported", "export_circuit"],
    },
)
