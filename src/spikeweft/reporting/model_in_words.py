"""The fitted model in words: what its weights are, how a spike acts, and how drive becomes rate."""

from collections.abc import Mapping
from typing import Any

from spikeweft.results.notices import NO_COUPLING
from spikeweft.results.result import finite

_KINDS = {
    NO_COUPLING: "Held-out spikes are predicted best where no neuron acts on another.",
    "free weights, exponential": "Each pair has a weight of its own, shrunk by a prior; the rate "
    "is exponential in the drive.",
    "free weights, structure not tried": "Each pair has a weight of its own, shrunk by a prior; "
    "whether the weights have a common pattern was not tried.",
    "free weights": "Each pair has a weight of its own, shrunk by a prior: held-out spikes do not "
    "speak for a common pattern.",
    "symmetric pair network": "A network makes each weight of numbers that describe the two "
    "neurons, the same both ways.",
    "sparse connections": "Most pairs are not connected; a weight is the area under what a spike "
    "adds to the log rate, its posterior mean.",
    "directed pair network": "A network makes each weight of numbers that describe the two neurons "
    "as sender and as receiver.",
}
"""How the words begin that a model has for the kind of its weights, and what they mean."""

_EXPONENTIAL_BELOW, _RECTIFIED_FROM = -8.0, 5.0
"""Bends of the link below which it is an exponential, and from which it is hardly smooth."""


def model_in_words(metadata: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Label, value and meaning of what is known of a fitted model.

    Parameters
    ----------
    metadata
        Those of the inferred circuit.
    """
    made = (_weights(metadata), _hidden(metadata), _kernel(metadata), _link(metadata))
    return [row for row in made if row is not None]


def _weights(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    if "structure" not in metadata:
        return None
    kind = str(metadata["structure"])
    meaning = next((words for start, words in _KINDS.items() if kind.startswith(start)), "")
    return "Weights", kind, meaning


def _hidden(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    gain = finite(metadata.get("held_out_nats_gained_by_hidden_neurons"))
    if gain is None or gain <= 0:  # not asked for, or not kept
        return None
    meaning = f"Together with them, held-out spikes are likelier, by {gain:.3g} nats in all."
    return "Hidden neurons", str(metadata["n_hidden"]), meaning


def _kernel(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    tau_s, latency_s = finite(metadata.get("tau_s")), finite(metadata.get("latency_s"))
    if tau_s is None or metadata.get("structure") == NO_COUPLING:  # through which nothing acts
        return None
    value = str(metadata.get("synaptic_kernel", f"{1e3 * tau_s:.3g} ms"))
    starts = f"after {1e3 * latency_s:.3g} ms" if latency_s else "at once"
    meaning = f"A spike acts {starts}, and then for {1e3 * tau_s:.3g} ms on average."
    return "Synaptic kernel", value, meaning


def _link(metadata: Mapping[str, Any]) -> tuple[str, str, str] | None:
    power, bend = finite(metadata.get("link_power")), finite(metadata.get("link_bend"))
    if power is None or bend is None:
        return None
    if bend < _EXPONENTIAL_BELOW:
        return (
            "Link",
            "exponential",
            "The rate is an exponential of the drive, as in a Poisson GLM.",
        )
    grows = "in proportion to it" if abs(power - 1.0) < 0.05 else f"with its power {power:.2g}"
    if bend < _RECTIFIED_FROM:
        text = (
            f"The rate is an exponential of weak drives, and grows {grows} where drives are strong."
        )
        return "Link", "softplus", text
    text = f"The rate is almost zero below a threshold of the drive, and grows {grows} above it."
    return "Link", "rectified", text
