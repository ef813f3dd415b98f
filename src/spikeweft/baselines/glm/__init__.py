"""Generalised linear models of each neuron on the spike history of all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "nemos_glm": ["NemosGLM"],
        "poisson_glm": ["PoissonGLM"],
        "shared_filter_glm": ["SharedFilterGLM"],
        "spike_history": ["SpikeHistory", "raised_cosine_basis"],
    },
)
