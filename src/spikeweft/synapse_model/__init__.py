"""`SynapseModel`: which pairs of neurons are monosynaptically connected, with what latency."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"estimator": ["SynapseModel"], "synapse_fit": ["FittedSynapseModel"]}
)
