"""Methods that read the cross-correlogram of each pair of neurons."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "cross_correlogram": ["CrossCorrelogram"],
        "glmcc": ["GLMCC"],
        "hollow_correlogram": ["HollowCorrelogram"],
        "jitter_correlogram": ["JitterCorrelogram"],
        "tspe": ["TSPE"],
    },
)
