"""The rate of each neuron: what it shares with all others, its own past spikes, its inputs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "neuron_rate": ["NeuronRate", "RateParameters"],
        "own_history": ["OwnHistory"],
        "shared_state": ["SharedState"],
        "timeline": ["Timeline"],
    },
)
