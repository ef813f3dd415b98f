"""Many fits over seeds, settings, bootstraps and recordings, on two cores or a cluster."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "grid": ["Grid", "planned"],
        "hidden_number": ["HiddenPoint", "hidden_curves"],
        "run": ["sweep"],
        "table": ["read_rows"],
    },
)
