"""Which neurons decide what all share.

Held-out spikes that the training part cannot have foretold say nothing about a model. A unit that
drifts into view late, or out of it, would otherwise decide for all others: at the rate that it had
in the training part, a hundred late spikes weigh more than all else that distinguishes two models.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.circuit_gnn.spike_prediction.synapses.traces import N_OWN
from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs

_FENCE = 10.0
"""By what factor the loss of a neuron that is an outlier exceeds what three in four lose."""

_UPPER_QUARTILE = 3.0
"""The upper quartile of half a χ² of one degree of freedom, the loss by chance, in medians.

The upper quartile itself would lie among the outliers where a quarter of a few neurons are.
"""

_LEAST_NATS_PER_SPIKE = 0.1
"""A rate that changes by half costs about so much; less is no reason to leave a neuron out."""

_LEAST_SPIKES = N_OWN + 2
"""A neuron of fewer spikes than it has parameters of its own says nothing of what it shares."""


_FEWEST = 2
"""Neurons that something is shared by."""


class Deciding(NamedTuple):
    """Which neurons decide what all share, and of the others, which do so little.

    Attributes
    ----------
    decides
        Neurons that fire in the training part, at a rate that foretells their held-out spikes. All
        of them, where all but one are nearly silent.
    nearly_silent
        Neurons of fewer training spikes than they have parameters of their own.
    """

    decides: Bool[np.ndarray, " neuron"]
    nearly_silent: Bool[np.ndarray, " neuron"]


def deciding_neurons(training: Recording, held_out: Recording, history_window_s: float) -> Deciding:
    """Neurons that the training part informs, and whose held-out spikes its rates foretell.

    Left out are those whose held-out spikes the training rate foretells far worse than those of
    most others; of the informed ones never more than half.
    """
    trained, held = (_scored(part, history_window_s) for part in (training, held_out))
    n_trained, n_held = trained.n_spikes, held.n_spikes
    nearly_silent = n_trained < _LEAST_SPIKES
    if np.count_nonzero(~nearly_silent) < _FEWEST:
        return Deciding(np.ones_like(nearly_silent), nearly_silent)
    nats = rate_change_nats(n_trained, trained.duration_s, n_held, held.duration_s)
    expected = n_trained * held.duration_s / trained.duration_s
    usual = max(_UPPER_QUARTILE * float(np.median(nats[~nearly_silent])), 1.0)
    per_spike = nats / np.maximum(np.maximum(n_held, expected), 1.0)
    changed = (nats > _FENCE * usual) & (per_spike > _LEAST_NATS_PER_SPIKE)
    return Deciding(~nearly_silent & ~changed, nearly_silent)


def rate_change_nats(
    n_trained: Int[np.ndarray, " neuron"],
    trained_s: float,
    n_held: Int[np.ndarray, " neuron"],
    held_s: float,
) -> Float[np.ndarray, " neuron"]:
    """Nats by which held-out spikes are less likely at the training rate than at their own."""
    expected = (n_trained + 0.5) * held_s / trained_s
    return n_held * np.log(np.maximum(n_held, 1e-9) / expected) - (n_held - expected)


def left_out(
    recording: Recording,
    modelled: Int[np.ndarray, " modelled"],
    deciding: Deciding,
) -> tuple[str, ...]:
    """Sentences on the neurons that fire but are not modelled, and on those that do not decide.

    Neurons that never fire are named by the recording.
    """
    is_modelled = _among(recording, modelled)
    no_say = (
        "so they decide nothing that all neurons share, and their weights have a prior of their own"
    )
    idle = ~deciding.decides
    sentences = (
        recording.named(
            ~is_modelled & (recording.n_spikes > 0),
            "do not fire in the part that trains, so nothing can be inferred about them, and a "
            "constant rate stands for them",
        ),
        recording.named(
            _among(recording, modelled[idle & deciding.nearly_silent]),
            f"fire fewer than {_LEAST_SPIKES} scored times in the part that trains, {no_say}",
        ),
        recording.named(
            _among(recording, modelled[idle & ~deciding.nearly_silent]),
            f"fire at quite another rate in the held-out part than before, {no_say}",
        ),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _among(recording: Recording, neurons: Int[np.ndarray, " some"]) -> Bool[np.ndarray, " neuron"]:
    return np.isin(np.arange(recording.n_neurons), neurons)


def _scored(part: Recording, history_window_s: float) -> Recording:
    return part.restrict(scored_epochs(part, history_window_s))
