"""spikeweft finds out, from spikes alone, which neurons drive which.

A **recording** is cut into **windows** of time and heard as synaptic **traces**; spike
**prediction** over a learned **structure** is **fitted** to them, and its graph is the
**connectivity**; **metrics** compare it with the truth, **plots** and a **report** show it.
Each bold word is a module.

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

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spikeweft.baselines.glm.poisson_glm import PoissonGLM
    from spikeweft.circuit_gnn.estimator import CircuitGNN
    from spikeweft.data.connectivity import Connectivity
    from spikeweft.data.covariate import Covariate
    from spikeweft.data.readers.load import load
    from spikeweft.data.recording import Recording
    from spikeweft.errors import InputError
    from spikeweft.evaluation.metrics import inference_error
    from spikeweft.graph_networks.yoon_gnn import YoonGNN
    from spikeweft.reporting.result_page import build_report
    from spikeweft.results.result import read_result
    from spikeweft.simulation.ring_networks import lnp_ring, threshold_ring


__all__ = [
    "CircuitGNN",
    "Connectivity",
    "Covariate",
    "InputError",
    "PoissonGLM",
    "Recording",
    "YoonGNN",
    "build_report",
    "inference_error",
    "lnp_ring",
    "load",
    "read_result",
    "threshold_ring",
]

# Modules are imported when one of their names is first used: PyTorch alone takes seconds, and
# `spikeweft --help` needs none of them.
_HOME = {
    "CircuitGNN": "spikeweft.circuit_gnn.estimator",
    "Connectivity": "spikeweft.data.connectivity",
    "Covariate": "spikeweft.data.recording",
    "InputError": "spikeweft.errors",
    "PoissonGLM": "spikeweft.baselines.glm.poisson_glm",
    "Recording": "spikeweft.data.recording",
    "YoonGNN": "spikeweft.graph_networks.yoon_gnn",
    "build_report": "spikeweft.reporting.result_page",
    "inference_error": "spikeweft.evaluation.metrics",
    "lnp_ring": "spikeweft.simulation.ring_networks",
    "load": "spikeweft.data.readers.load",
    "read_result": "spikeweft.results.result",
    "threshold_ring": "spikeweft.simulation.ring_networks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'spikeweft' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *globals()]
