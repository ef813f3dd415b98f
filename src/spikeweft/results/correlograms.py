"""Cross-correlograms of pairs of neurons, with what was expected of them."""

from dataclasses import dataclass, fields
from typing import NamedTuple, Self

import numpy as np
import xarray as xr
from jaxtyping import Float, Int


class Correlogram(NamedTuple):
    """The coincidences of one pair, by the lag of the postsynaptic spike behind the presynaptic.

    Attributes are as in `Correlograms`.
    """

    lags_s: Float[np.ndarray, " lag"]
    observed: Float[np.ndarray, " lag"]
    expected: Float[np.ndarray, " lag"]
    null: Float[np.ndarray, " lag"]
    connected: Float[np.ndarray, " lag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlograms:
    """Coincidences of some pairs, the most probably connected first.

    Lags are those of the first neuron behind the second: what the second sends to the first shows
    at positive lags, what it receives at negative ones.

    Attributes
    ----------
    first, second
        Indices of each pair's neurons, the first the smaller.
    lags_s
        Every lag, ascending; 0 is in the middle.
    observed
        Coincidences counted.
    expected
        Coincidences expected from the rate of each neuron alone.
    null
        Those, times the smooth bump that explains the pair best beside its connections.
    connected
        The null times what the connections do in the mean over what is believed of them.
    """

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    lags_s: Float[np.ndarray, " lag"]
    observed: Float[np.ndarray, "pair lag"]
    expected: Float[np.ndarray, "pair lag"]
    null: Float[np.ndarray, "pair lag"]
    connected: Float[np.ndarray, "pair lag"]

    @property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return len(self.first)

    def between(self, post: int, pre: int) -> Correlogram | None:
        """The correlogram of a pair, in whichever order it is kept; None where it is not."""
        ordered = (min(post, pre), max(post, pre))
        rows = np.flatnonzero((self.first == ordered[0]) & (self.second == ordered[1]))
        if len(rows) == 0:
            return None
        forwards = slice(None) if post < pre else slice(None, None, -1)
        counts = (self.observed, self.expected, self.null, self.connected)
        return Correlogram(self.lags_s, *(values[rows[0], forwards] for values in counts))

    def to_xarray(self) -> xr.Dataset:
        """Labelled arrays with dims `pair` and `lag`, the inverse of `from_xarray`."""
        counts = ("observed", "expected", "null", "connected")
        return xr.Dataset(
            {
                "first": ("pair", self.first),
                "second": ("pair", self.second),
                **{name: (("pair", "lag"), getattr(self, name)) for name in counts},
                "lags_s": ("lag", self.lags_s, {"units": "s"}),
            }
        )

    @classmethod
    def from_xarray(cls, data: xr.Dataset) -> Self:
        """Correlograms from labelled arrays."""
        return cls(**{field.name: data[field.name].values for field in fields(cls)})
