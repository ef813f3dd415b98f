"""spikeweft finds out, from spikes alone, which neurons drive which.

**Data** – a recording – come in; a **method** (`circuit_gnn`, `synapse_model`, `graph_networks`,
`baselines`) infers the connectivity and predicts spikes; **evaluation** compares it with the truth
and with what any method could reach; **reporting** shows it; **inference** does all of this in one
call.

Conventions, the same everywhere:

- Time is the first axis, neuron the last.
- Weights are `[post, pre]`: the row receives, the column sends. A positive weight excites: a spike
  of the presynaptic neuron raises the rate of the postsynaptic one. The diagonal is never scored.
- Units are SI and end the name: `bin_s`, `rate_hz`, `angle_rad`.
- Randomness is an argument; a seed given as `random_state` gives the same answer again.
- What a user can mend raises `InputError`, in one sentence.

>>> import numpy as np
>>> from spikeweft import Connectivity
>>> circuit = Connectivity(weights=np.array([[0.0, 0.5], [0.0, 0.0]]))  # neuron 1 drives neuron 0
>>> circuit.weights @ np.array([0.0, 1.0])  # the drive when neuron 1 has just fired
array([0.5, 0. ])
"""

import lazy_loader

# PyTorch alone takes seconds to import, and `spikeweft --help` needs none of it.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "baselines.glm.poisson_glm": ["PoissonGLM"],
        "circuit_gnn.estimator": ["CircuitGNN"],
        "data.connectivity": ["Connectivity"],
        "data.covariate": ["Covariate"],
        "data.readers.load": ["load"],
        "data.recording": ["Recording"],
        "errors": ["InputError"],
        "evaluation.circuit_error": ["inference_error"],
        "graph_networks.yoon_gnn": ["YoonGNN"],
        "reporting.result_page": ["build_report"],
        "results.result": ["read_result"],
        "simulation.networks": ["simulate"],
        "simulation.ring_networks": ["lnp_ring", "threshold_ring"],
        "synapse_model.estimator": ["SynapseModel"],
    },
)
