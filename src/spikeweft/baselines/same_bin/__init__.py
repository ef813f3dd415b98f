"""Models of which neurons fire in the same time bin."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "inverse_covariance": ["InverseCovariance"],
        "ising": ["Ising"],
        "logistic_regression": ["LogisticRegressionL1"],
        "same_bin_counts": ["Snapshots"],
        "same_bin_glm": ["SameBinGLM"],
    },
)
