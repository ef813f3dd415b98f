"""Hidden neurons: where they lie among the observed ones, and how the circuit drives them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "mean_field": ["HiddenNeurons", "mean_field_traces"],
        "placement": ["mixtures_between"],
    },
)
