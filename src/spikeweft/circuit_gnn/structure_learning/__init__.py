"""From embeddings of the neurons to the weight of every pair."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "network_fit": ["NetworkShape", "NetworkTrainer", "StructureFit", "StructureProblem"],
        "pair_network": ["Embedding", "PairNetwork", "spectral_embedding"],
        "quadratic_form": ["ConditionalOptimum", "QuadraticLikelihood", "WeightLikelihood"],
    },
)
