"""Synapses: how a spike acts as time passes, and the traces that all spikes leave."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "synaptic_kernel": ["SynapticKernel"],
        "traces": ["TraceBuffer", "TraceParts", "Traces", "synaptic_traces"],
    },
)
