"""Recordings from files and folders of many formats; `spikeweft.load` picks the reader."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "neo_objects": ["from_neo"],
        "sorting_folders.spikeinterface_objects": ["from_spikeinterface"],
        "pynapple_objects": ["from_pynapple", "to_pynapple"],
    },
)
