"""Recordings read from NWB, pynapple, Neo and NumPy files; `spikeweft.load` picks the reader."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "neo_objects": ["from_neo"],
        "npz": ["load_npz"],
        "nwb": ["load_nwb"],
        "pynapple_objects": ["from_pynapple", "to_pynapple"],
    },
)
