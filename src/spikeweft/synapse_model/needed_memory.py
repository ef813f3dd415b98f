"""How much memory a `SynapseModel` takes, by counting what its fit holds at a time."""

import math

from spikeweft.runtime.memory import MIB
from spikeweft.runtime.parallel import n_side_by_side
from spikeweft.synapse_model.connections.pair_counts import LONGEST_LAG_S
from spikeweft.synapse_model.connections.pair_posterior import CHUNK

_FIRST_MIB, _PER_PROCESSOR_MIB = 105.0, 155.0
"""What the smallest fit takes, and the hypotheses of some hundred pairs beside it (measured)."""

_WEIGHED, _AVERAGED = 22, 64
"""Bytes per ordered pair and lag: while hypotheses are weighed counts, expected ones and kernels;
then beside these the kernels of two views, their mean, and those that were known before."""

_PER_STEP = 40
"""Bytes per time step: the rate of a neuron, its counts, and what others send."""

_MOST_FRAMES, _FRAME_S, _PER_FRAME = 20_000, 0.05, 32
"""Frames by which slow patterns are found, and bytes per neuron of each, with copies."""


def needed_memory_mb(n_neurons: int, duration_s: float, step_s: float) -> float:
    """Memory in MiB that a fit takes beside what is in use already."""
    n_kernels = n_neurons**2 * LONGEST_LAG_S / step_s
    n_at_a_time = min(n_side_by_side(), math.ceil(n_neurons * (n_neurons - 1) / CHUNK))
    weighed_mb = _PER_PROCESSOR_MIB * n_at_a_time + _WEIGHED * n_kernels / MIB
    n_bytes = _PER_STEP * duration_s / step_s
    n_bytes += _PER_FRAME * n_neurons * min(duration_s / _FRAME_S, _MOST_FRAMES)
    return _FIRST_MIB + max(weighed_mb, _AVERAGED * n_kernels / MIB) + n_bytes / MIB
