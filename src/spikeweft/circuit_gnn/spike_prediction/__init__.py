"""From the spikes of all neurons to the rate of each: traces, drive, link function, likelihood."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "fisher_scoring": ["FisherScoring"],
        "hidden_neurons": ["HiddenNeurons", "mean_field_traces", "mixtures_between"],
        "likelihood": [
            "LikelihoodDerivatives",
            "likelihood_derivatives",
            "log_likelihood",
            "rate_hz",
        ],
        "link": ["Link", "LinkShape"],
        "link_path": ["LinkPath"],
        "model_inputs": ["CircuitTraces", "SynapticInputs"],
        "neuron_parameters": ["Estimate", "NeuronParameters"],
        "rotation": ["Rotation", "ring_layout"],
        "settings": ["FitSettings"],
        "synapses": ["SynapticKernel", "Traces", "synaptic_traces"],
    },
)
