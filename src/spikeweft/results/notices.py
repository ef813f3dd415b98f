"""What must be said before a result is looked at: where its model falls short."""

from collections.abc import Sequence

import numpy as np

from spikeweft.results.result import Result

NO_COUPLING = "no coupling"
"""The kind of model whose neurons do not act on each other."""

PAIR_NETWORK = "pair network"
"""Part of the name of each kind of model in which a network makes the weights."""

DIGITS = 3
"""Digits after the point in which scores are shown; what differs by less is a tie."""

_FEW_NEURONS = 8


def notices(result: Result) -> list[str]:
    """A model that has no score, predicts worse than mean rates or the GLM, or has no coupling."""
    found = (
        _without_score(result),
        _below_mean_rates(result),
        _below_glm(result),
        _no_coupling(result),
    )
    return [sentence for sentence in found if sentence]


def _without_score(result: Result) -> str:
    """Scores that are there, but not a number: −∞ where a spike was fired that cannot be."""
    lacking = [
        name
        for key, name in (("bits_per_spike", "the model"), ("glm_bits_per_spike", "the GLM"))
        if key in result.metrics and result.number(key) is None
    ]
    if not lacking:
        return ""
    whose = " and ".join(lacking)
    return (
        f"How well {whose} would predict test spikes is no finite number: a neuron fired where "
        "the model held that impossible, or no test spike can be scored. So nothing says that its "
        "circuit is right."
    )


def _below_mean_rates(result: Result) -> str:
    bits = result.number("bits_per_spike")
    if bits is None or bits > 0:
        return ""
    compared = f"({_shown(bits)} bits per spike, where mean rates have 0)"
    per_neuron = result.per_neuron("bits_per_spike_per_neuron")
    if per_neuron is not None and np.sum(per_neuron > 0) > np.sum(per_neuron <= 0) > 0:
        worse = [result.connectivity.neuron_ids[i] for i in np.flatnonzero(per_neuron <= 0)]
        return (
            f"Over all neurons, test spikes are predicted no better than by constant rates "
            f"{compared}, because of {_list(worse)}; half of the neurons have "
            f"{_shown(float(np.nanmedian(per_neuron)))} or more."
        )
    return (
        f"The model predicts test spikes no better than constant rates do {compared}; its circuit "
        "means nothing."
    )


def _below_glm(result: Result) -> str:
    bits, glm = result.number("bits_per_spike"), result.number("glm_bits_per_spike")
    if bits is None or glm is None or round(glm, DIGITS) <= round(bits, DIGITS):
        return ""
    return (
        f"The GLM predicts test spikes better ({_shown(glm)} against {_shown(bits)} bits per "
        "spike); look at its circuit too."
    )


def _no_coupling(result: Result) -> str:
    if result.connectivity.metadata.get("structure") != NO_COUPLING:
        return ""
    return (
        "No coupling between neurons was found: held-out spikes are predicted best where no neuron "
        "acts on another, so all weights are zero."
    )


def _list(names: Sequence[str]) -> str:
    shown, more = ", ".join(names[:_FEW_NEURONS]), len(names) - _FEW_NEURONS
    word = "neuron" if len(names) == 1 else "neurons"
    return f"{word} {shown} and {more} more" if more > 0 else f"{word} {shown}"


def _shown(bits: float) -> str:
    return f"{round(bits, DIGITS) + 0.0:.{DIGITS}f}".replace("-", "−")  # no −0.000
