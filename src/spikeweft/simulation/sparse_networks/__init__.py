"""Sparse networks of excitatory and inhibitory neurons with synaptic delays and shared states."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "integrate_and_fire": ["IntegrateAndFireNetwork"],
        "izhikevich": ["IzhikevichNetwork"],
        "poisson_neurons": ["SparsePoissonNetwork"],
        "sparse_network": ["BernoulliNetwork", "SparseNetwork"],
        "synapses": ["DelayedSynapses"],
    },
)
