"""Which neurons decide what all share.

Held-out spikes that the training part cannot have foretold say nothing about a model. A unit that
drifts into view late, or out of it, would otherwise decide for all others: at the rate that it had
in the training part, a hundred late spikes weigh more than all else that distinguishes two models.
"""

import numpy as np
from jaxtyping import Bool, Float, Int

from spikeweft.data.recording import Recording
from spikeweft.data.scored_time import scored_epochs

_FENCE = 10.0
"""A neuron this many interquartile ranges beyond the upper quartile is an outlier."""

_LEAST_NATS_PER_SPIKE = 0.1
"""A rate that changes by half costs about so much; less is no reason to leave a neuron out."""


def deciding_neurons(
    training: Recording, held_out: Recording, history_window_s: float
) -> Bool[np.ndarray, " neuron"]:
    """Neurons that fire in the training part, at a rate that foretells their held-out spikes.

    Left out are those whose held-out spikes the training rate foretells far worse than those of
    most others; never more than half of all.
    """
    trained, held = (_scored(part, history_window_s) for part in (training, held_out))
    n_trained, n_held = trained.n_spikes, held.n_spikes
    nats = rate_change_nats(n_trained, trained.duration_s, n_held, held.duration_s)
    expected = n_trained * held.duration_s / trained.duration_s
    fires = n_trained > 0
    lower, upper = np.quantile(nats[fires], [0.25, 0.75]) if fires.any() else (0.0, 0.0)
    beyond = nats > upper + _FENCE * max(upper - lower, 1.0)
    per_spike = nats / np.maximum(np.maximum(n_held, expected), 1.0)
    decides = fires & ~(beyond & (per_spike > _LEAST_NATS_PER_SPIKE))
    return decides if decides.sum() * 2 >= fires.sum() > 0 else np.ones_like(fires)


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
    decides: Bool[np.ndarray, " modelled"],
) -> tuple[str, ...]:
    """A sentence on the neurons that fire but are not modelled, and on those that do not decide.

    Neurons that never fire are named by the recording.
    """
    is_modelled = np.isin(np.arange(recording.n_neurons), modelled)
    sentences = (
        recording.named(
            ~is_modelled & (recording.n_spikes > 0),
            "do not fire in the part that trains, so nothing can be inferred about them, and a "
            "constant rate stands for them",
        ),
        recording.named(
            np.isin(np.arange(recording.n_neurons), modelled[~decides]),
            "fire at quite another rate in the held-out part than before, so they decide nothing "
            "that all neurons share, and their weights have a prior of their own",
        ),
    )
    return tuple(sentence for sentence in sentences if sentence)


def _scored(part: Recording, history_window_s: float) -> Recording:
    return part.restrict(scored_epochs(part, history_window_s))
