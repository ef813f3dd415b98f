"""Observed and expected spikes around another neuron's, for every pair and lag."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Int, UInt8

from spikeweft.data.sorting_artefacts import BLIND_S, SortingArtefact
from spikeweft.synapse_model.rates import rate_kernels as kernels
from spikeweft.synapse_model.rates.neuron_rate import NeuronRate
from spikeweft.synapse_model.rates.timeline import Timeline

LONGEST_LAG_S = 0.04

_FEWEST_EXPECTED = 1e-3

Kernels = Float[np.ndarray, "post pre lag"]
"""What a spike adds to the log rate at each lag from one step on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairCounts:
    """Coincidences of each unordered pair, by the lag of the first neuron behind the second.

    Expected are those under each neuron's own rate: at positive lags the first neuron's, which
    knows its past and what all others but the second send; at negative lags the second's. So a
    connection from the second to the first shows at positive lags only, and one back at negative
    lags only.

    Attributes
    ----------
    first, second
        Indices of the pair's neurons, the first the smaller.
    observed, expected
        Spikes at each lag, of which 0 is in the middle.
    step_s
        From lag to lag.
    """

    first: Int[np.ndarray, " pair"]
    second: Int[np.ndarray, " pair"]
    observed: Float[np.ndarray, "pair lag"]
    expected: Float[np.ndarray, "pair lag"]
    step_s: float

    @property
    def n_pairs(self) -> int:
        """How many pairs there are."""
        return len(self.first)

    @property
    def n_lags(self) -> int:
        """Positive lags, and as many negative ones."""
        return self.observed.shape[1] // 2

    @property
    def lags_s(self) -> Float[np.ndarray, " lag"]:
        """Every lag, ascending."""
        return np.arange(-self.n_lags, self.n_lags + 1) * self.step_s

    def of(self, pairs: np.ndarray) -> Self:
        """Some of the pairs."""
        return replace(
            self,
            first=self.first[pairs],
            second=self.second[pairs],
            observed=self.observed[pairs],
            expected=self.expected[pairs],
        )

    def without_artefacts(self, artefacts: Sequence[SortingArtefact]) -> Self:
        """The counts without the lags at which sorting misses one of two spikes.

        Of lags so short, and one step at least on either side of lag 0, since a lag of half a step
        may fall into it.
        """
        blind = {artefact.neurons for artefact in artefacts}
        rows = [p for p in range(self.n_pairs) if (self.first[p], self.second[p]) in blind]
        reach = min(max(1, math.ceil(BLIND_S / self.step_s - 1e-9)), self.n_lags)
        around = slice(self.n_lags - reach, self.n_lags + reach + 1)
        observed, expected = self.observed.copy(), self.expected.copy()
        observed[rows, around], expected[rows, around] = 0.0, _FEWEST_EXPECTED
        return replace(self, observed=observed, expected=expected)


def count_pairs_of(
    timeline: Timeline, rate_of: Callable[[int], NeuronRate], sent: Kernels | None = None
) -> PairCounts:
    """Count all pairs of neurons that fire under the rate of each neuron.

    Where fewer than two fire, all pairs are counted, and show nothing.

    Parameters
    ----------
    timeline
        The spikes.
    rate_of
        The fitted rate of a neuron, asked for once for each.
    sent
        Kernels that the rates contain; a pair's own is taken out of what it is expected to show.
    """
    n, n_lags = timeline.n_neurons, round(LONGEST_LAG_S / timeline.step_s)
    observed = np.zeros((n, n, n_lags + 1), dtype=np.float32)
    expected = np.zeros_like(observed)
    for post in range(n):
        neuron = rate_of(post)
        counts = neuron.counts
        for pre in range(n):
            if pre == post:
                continue
            effect = None if sent is None else sent[post, pre]
            observed[post, pre], expected[post, pre] = _around(
                timeline.trains[pre], counts, neuron.rate, effect, n_lags + 1
            )
    fires = np.array([len(train) > 0 for train in timeline.trains])
    some = np.flatnonzero(fires if fires.sum() > 1 else np.ones_like(fires))
    return _of_unordered_pairs(observed, expected, some, timeline.step_s)


def _around(
    train: Int[np.ndarray, " spike"],
    counts: UInt8[np.ndarray, " step"],
    rate: Float[np.ndarray, " step"],
    effect: Float[np.ndarray, " lag"] | None,
    n_lags: int,
) -> tuple[Float[np.ndarray, " count"], Float[np.ndarray, " count"]]:
    """Observed and expected spikes from each spike of a train on, as if it had no effect."""
    if effect is None or not effect.any():
        return kernels.counts_around_spikes(counts, rate, train, 0, n_lags)
    factor = np.exp(effect).astype(np.float32)
    kernels.scale_after_spikes(rate, train, 1 / factor, 1)
    found = kernels.counts_around_spikes(counts, rate, train, 0, n_lags)
    kernels.scale_after_spikes(rate, train, factor, 1)
    return found


def _of_unordered_pairs(
    observed: Float[np.ndarray, "post pre lag"],
    expected: Float[np.ndarray, "post pre lag"],
    neurons: Int[np.ndarray, " chosen"],
    step_s: float,
) -> PairCounts:
    """Lags from 0 on of both orders of each pair of some neurons, put side by side."""
    first, second = (neurons[index] for index in np.triu_indices(len(neurons), 1))

    def both(counts: np.ndarray) -> np.ndarray:
        ahead, back = counts[first, second], counts[second, first]
        middle = 0.5 * (ahead[:, :1] + back[:, :1])
        return np.concatenate([back[:, :0:-1], middle, ahead[:, 1:]], axis=1).astype(float)

    return PairCounts(
        first=first,
        second=second,
        observed=both(observed),
        expected=np.maximum(both(expected), _FEWEST_EXPECTED),
        step_s=step_s,
    )
