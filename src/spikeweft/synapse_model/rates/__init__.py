"""The rate of each neuron: what it shares with all others, its own past spikes, its inputs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "neuron_rate": ["NeuronRate", "RateParameters", "RatePrior"],
        "own_history": ["OwnHistory"],
        "population_coupling": ["share_of_state"],
        "shared_state": ["SharedState"],
        "slow_patterns": ["PatternState", "SlowPatterns"],
        "states": ["States"],
        "timeline": ["Timeline"],
    },
)
