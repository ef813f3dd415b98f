"""What must be said before a result is looked at: where its model falls short."""

from collections.abc import Sequence

import numpy as np

from spikeweft.results.result import Result

NO_COUPLING = "no coupling"
"""The kind of model whose neurons do not act on each other."""

_FEW_NEURONS = 8


def notices(result: Result) -> list[str]:
    """A model that predicts worse than mean rates or than the GLM, or has no coupling at all."""
    found = (_below_mean_rates(result), _below_glm(result), _no_coupling(result))
    return [sentence for sentence in found if sentence]


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
    if bits is None or glm is None or glm <= bits:
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
    return f"{bits:.3f}".replace("-", "−")
