"""What all neurons share: the searches for link, synaptic kernel and rotation, and their stages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "stages": ["first_state", "refining_steps", "shared_stages"],
        "trials": ["Tried", "at_vertex", "tried_kernel", "tried_link"],
    },
)
