"""MATLAB's files: the spikes of CellExplorer, and cell arrays of spike trains."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "trains": ["matlab_contents"],
        "variables": ["MatlabVariables"],
    },
)
