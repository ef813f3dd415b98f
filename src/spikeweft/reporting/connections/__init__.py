"""Connections one by one: who sends to whom, how surely, and the coincidences that say so."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "plot_correlograms": ["draw_correlogram"],
        "plot_graph": ["draw_graph"],
        "probable": ["ProbableConnections"],
        "section": ["ConnectionsSection", "connections_section"],
    },
)
