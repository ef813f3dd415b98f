"""Methods that `CircuitGNN` is compared with, one per file; none knows another."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "correlograms.cross_correlogram": ["CrossCorrelogram"],
        "correlograms.glmcc": ["GLMCC"],
        "correlograms.hollow_correlogram": ["HollowCorrelogram"],
        "correlograms.jitter_correlogram": ["JitterCorrelogram"],
        "correlograms.tspe": ["TSPE"],
        "factorisation.seqnmf": ["SeqNMF"],
        "factorisation.tca": ["TCA"],
        "glm.nemos_glm": ["NemosGLM"],
        "glm.poisson_glm": ["PoissonGLM"],
        "glm.shared_filter_glm": ["SharedFilterGLM"],
        "same_bin.inverse_covariance": ["InverseCovariance"],
        "same_bin.ising": ["Ising"],
        "same_bin.logistic_regression": ["LogisticRegressionL1"],
        "same_bin.same_bin_glm": ["SameBinGLM"],
    },
)
