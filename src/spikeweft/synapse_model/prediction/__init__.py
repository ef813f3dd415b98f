"""Spikes predicted from the past alone: own history, connections, and the state of all others."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "past_state": ["PastState", "past_states"],
        "causal_rates": ["CausalRates"],
        "held_out": ["HeldOut"],
        "number_of_patterns": ["choose_patterns"],
        "spike_prediction": ["SpikePrediction"],
        "time_scales": ["choose_time_scales"],
    },
)
