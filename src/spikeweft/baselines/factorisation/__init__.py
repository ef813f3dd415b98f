"""Factorisations of spike counts, read as circuits: neurons of one component are connected."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "component_number": ["n_components"],
        "seqnmf": ["SeqNMF"],
        "tca": ["TCA"],
    },
)
