"""The evidence for each connection: a sharp onset after a spike, on what any pair may show."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "connection_prior": ["ConnectionPrior"],
        "correlograms": ["correlograms_of"],
        "empirical_bayes": ["infer_connections", "weigh_connections"],
        "indirect_bumps": ["IndirectBumps"],
        "kernel_shapes": ["KernelShapes"],
        "pair_counts": ["PairCounts", "count_pairs_of"],
        "pair_inference": ["PairInference"],
        "pair_posterior": ["PairPosterior", "posterior_of"],
        "smooth_null": ["SmoothNull"],
    },
)
