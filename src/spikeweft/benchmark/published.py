"""Results of Yoon (2025), to print beside ours: means of three seeds, Tables 1 to 3.

The paper's spikes and its test parts are not public, and its bits per spike are of time bins whose
width it does not give, so its Δ can be set beside ours and its bits per spike only with care.
"""

from typing import NamedTuple

NAN = float("nan")


class Published(NamedTuple):
    """One line of one table: Δ, and bits per spike where the method predicts spikes."""

    table: str
    method: str
    neuron_model: str
    delta: float
    bits_per_spike: float


PUBLISHED = (
    Published("1", "GNN", "threshold", 0.061, 0.882),
    Published("1", "GNN", "LNP", 0.049, 0.876),
    Published("1", "GLM", "threshold", 0.244, 0.695),
    Published("1", "GLM", "LNP", 0.238, 0.712),
    Published("1", "seqNMF", "threshold", 0.789, NAN),
    Published("1", "seqNMF", "LNP", 0.796, NAN),
    Published("1", "TCA", "threshold", 0.762, NAN),
    Published("1", "TCA", "LNP", 0.761, NAN),
    Published("2", "GNN", "threshold", 0.073, 0.916),
    Published("2", "GNN", "LNP", 0.058, 0.924),
    Published("2", "GLM", "threshold", 0.259, 0.724),
    Published("2", "GLM", "LNP", 0.245, 0.748),
    Published("2", "seqNMF", "threshold", 0.791, NAN),
    Published("2", "seqNMF", "LNP", 0.794, NAN),
    Published("2", "TCA", "threshold", 0.760, NAN),
    Published("2", "TCA", "LNP", 0.762, NAN),
    Published("3", "GNN", "threshold", 0.048, 2.652),
    Published("3", "GNN", "LNP", 0.043, 2.668),
    Published("3", "GLM", "threshold", 0.125, 2.534),
    Published("3", "GLM", "LNP", 0.117, 2.576),
    Published("3", "seqNMF", "threshold", 0.374, NAN),
    Published("3", "seqNMF", "LNP", 0.378, NAN),
    Published("3", "TCA", "threshold", 0.362, NAN),
    Published("3", "TCA", "LNP", 0.369, NAN),
)
