"""NumPy's `.npz`: those that others made, and our own exactly."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "file": ["npz_contents"],
        "own_arrays": ["recording_arrays", "recording_from"],
        "truth": ["read_truth"],
    },
)
