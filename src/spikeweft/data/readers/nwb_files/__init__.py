"""NWB files: units, intervals and variables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"file": ["nwb_contents"], "hdf5": ["check_survivable"]}
)
