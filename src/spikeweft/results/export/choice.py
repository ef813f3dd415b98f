"""Which connections of a circuit are written."""

from typing import NamedTuple


class Choice(NamedTuple):
    """Which connections are written, as arguments of `Connectivity.to_sparse` and the like.

    Attributes
    ----------
    threshold
        Weights whose size is not above it are left out.
    min_probability
        Connections less probable than this are left out.
    """

    threshold: float = 0.0
    min_probability: float = 0.0
