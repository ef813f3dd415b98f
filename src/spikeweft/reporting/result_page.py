"""The page: headline numbers, figures, limits and provenance, put into the template."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from spikeweft.data.file_contents.sentences import counted
from spikeweft.reporting.connections.section import connections_section
from spikeweft.reporting.explorer import SCRIPT, SCRIPT_HASH, explorer
from spikeweft.reporting.model_in_words import model_in_words
from spikeweft.reporting.page import render
from spikeweft.reporting.result_figures import figures
from spikeweft.reporting.result_view import View, flat
from spikeweft.results.notices import DIGITS, notices
from spikeweft.results.result import Result

_SHORT_S, _LONG_S = 90.0, 90.0 * 60.0
"""Durations that are said in seconds, and in hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """One number in a row of them, and what it means in plain words."""

    label: str
    value: str
    meaning: str


def build_report(result: Result, beside: Mapping[str, Result] = MappingProxyType({})) -> str:
    """One self-contained HTML page about a result; it loads nothing from anywhere.

    Metrics that the result lacks are left out. Whatever comes from files is escaped.

    Parameters
    ----------
    result
        What the page is about.
    beside
        Other results of the same neurons, by the names to choose them by in the page.

    Raises
    ------
    InputError
        Where a result beside is of other neurons.
    """
    view = View.of(result)
    return render(
        "reporting/page.html.jinja",
        title=f"Inferred circuit of {view.inferred.n_neurons} neurons",
        source=str(result.provenance.get("recording", "")),
        facts=_facts(view),
        kind=[said for said in (view.statement("circuit_kind"), _shared_state(view)) if said],
        notices=notices(result),
        warnings=[*result.warnings, *_warnings(view)],
        headlines=_headlines(view),
        model=model_in_words(result.connectivity.metadata),
        connections=connections_section(view),
        figures=figures(view),
        explorer=explorer(view, {name: View.of(other) for name, other in beside.items()}),
        script=SCRIPT,
        script_hash=SCRIPT_HASH,
        limits=_limits(view),
        weight_name=view.weight_name,
        neurons=_neuron_rows(view),
        metrics=_metric_rows(view),
        provenance=flat(result.provenance),
    )


def _facts(view: View) -> list[str]:
    """The recording in a line."""
    n_spikes, duration_s = view.number("n_spikes"), view.number("duration_s")
    facts = [counted(view.inferred.n_neurons, "neuron")]
    if duration_s is not None:
        facts.append(_duration(duration_s))
    if n_spikes is not None:
        facts.append(counted(round(n_spikes), "spike"))
    facts.append("true wiring known" if view.truth is not None else "true wiring not known")
    return facts


def _warnings(view: View) -> list[str]:
    """Warnings that follow from the result itself."""
    warnings = []
    delta, glm_delta = view.number("delta"), view.number("glm_delta")
    if (
        delta is not None
        and glm_delta is not None
        and round(glm_delta, DIGITS) < round(delta, DIGITS)
    ):
        warnings.append(
            f"The GLM's circuit is closer to the truth (Δ {glm_delta:.3f} against {delta:.3f})."
        )
    if view.scale < 0:
        warnings.append(
            "Excitation and inhibition are interchanged against the truth: α is negative."
        )
    return warnings


def _shared_state(view: View) -> str | None:
    """How much all neurons share, in a sentence."""
    shares = view.per_neuron("state_share_per_neuron")
    if shares is None or not np.isfinite(shares).any():
        return None
    low, median, high = 100 * np.nanquantile(shares, [0.1, 0.5, 0.9])
    return (
        f"What all others do together explains {median:.0f} % of a typical neuron's spike counts "
        f"({low:.0f} to {high:.0f} % of most neurons'; deviance in 50 ms)."
    )


def _headlines(view: View) -> list[Headline]:
    made = (_delta(view), _bits(view), _oracle(view), _glm(view))
    return [headline for headline in made if headline is not None]


def _delta(view: View) -> Headline | None:
    delta = view.number("delta")
    label = "Inference error Δ"
    if view.truth is None:
        return Headline(
            label=label,
            value="not known",
            meaning="The distance from the true weights can only be measured where the wiring is "
            "known. For this recording it is not.",
        )
    if delta is None:
        return None
    meaning = (
        "Distance of the inferred weights from the true ones, once brought to the same scale: "
        "0 is perfect, 1 is no better than no connections."
    )
    bias, variance = view.number("delta_bias"), view.number("delta_variance")
    if bias is not None and variance is not None:
        meaning += f" Systematic part {bias:.3f}, scatter {variance:.3f}."
    return Headline(label=label, value=f"{delta:.3f}", meaning=meaning)


def _bits(view: View) -> Headline | None:
    bits = view.number("bits_per_spike")
    if bits is None:
        return None
    return Headline(
        label="Bits per spike",
        value=f"{bits:.3f}",
        meaning="Information of the model about each test spike beyond its neuron's mean rate; "
        "0 is none. Mean over neurons.",
    )


def _oracle(view: View) -> Headline | None:
    oracle, bits = view.number("oracle_bits_per_spike"), view.number("bits_per_spike")
    if oracle is None:
        return None
    meaning = "Bits per spike of the simulation's own rates: the most that any model can reach."
    if bits is not None and bits > 0 and oracle > 0:
        share = bits / oracle  # above 1 by chance
        part = f"{100 * share:.1f} %" if share <= 1 else "about all"
        meaning += f" spikeweft reaches {part} of it."
    return Headline(label="Oracle", value=f"{oracle:.3f}", meaning=meaning)


def _glm(view: View) -> Headline | None:
    glm, delta = view.number("glm_bits_per_spike"), view.number("glm_delta")
    meaning = (
        "Bits per spike of the field's standard, a GLM with coupling filters, on the same spikes."
    )
    meaning += _covariates_of_glm(view.result.provenance)
    if delta is not None:
        meaning += f" Its inference error is Δ\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{delta:.3f}."
    if glm is None:
        return None
    return Headline(label="Poisson GLM", value=f"{glm:.3f}", meaning=meaning)


def _covariates_of_glm(provenance: Mapping[str, Any]) -> str:
    """A sentence on what the GLM was given beside the spikes, where the model was given any."""
    rotating = [provenance["rotated_by"]] if provenance.get("rotated_by") else []
    of_model = [*provenance.get("covariates", ()), *rotating]
    if not of_model:
        return ""
    given = provenance.get("glm_covariates", ())
    if set(of_model) <= set(given):
        return f" Like the model, it was given {', '.join(given)}."
    return f" It was not given {', '.join(dict.fromkeys(of_model))}, which the model was."


def _limits(view: View) -> list[tuple[str, str]]:
    """What the page cannot tell, and why."""
    limits = [
        (
            "Whether there is a synapse.",
            "A weight is an effective coupling: how one neuron's spikes change another's rate, "
            "given all other recorded neurons. A chain through unrecorded cells looks the same.",
        ),
        (
            "What unrecorded neurons do.",
            "A hidden neuron or stimulus that drives two recorded ones can appear as a connection "
            "between them, however good the prediction is.",
        ),
        (
            "Much about pairs that are hardly ever active together.",
            "If one neuron is hardly ever active around the other's spikes, these say less about "
            "the weight between them than what is assumed beforehand."
            f"{_so_it_is_for(view)}",
        ),
        (
            "That a good prediction is a right circuit.",
            "In a strongly recurrent network the pattern of activity alone predicts nearly every "
            "spike. Bits per spike close to the best possible are necessary, not sufficient.",
        ),
        (
            "What happens in other states.",
            "The weights hold for the epochs used. In sleep, or in another task, the effective "
            "coupling may differ.",
        ),
    ]
    if view.truth is None:
        size = (
            "How large a weight is in absolute terms.",
            "Weights are in the model's own unit. Compare them within one matrix, not between "
            "methods or recordings.",
        )
        return [*limits, size]
    real = (
        "How well it would do on your data.",
        "Where the wiring is known, the network is usually simulated, and simulated neurons keep "
        "to a model's assumptions better than real ones do.",
    )
    return [*limits, real]


def _so_it_is_for(view: View) -> str:
    n = view.n_uninformed_pairs
    if n == 0:
        return ""
    if view.inferred.probability is not None:
        return (
            f" In grey: {counted(n, 'pair')} with a neuron that never fires; of all others the "
            "probability of a connection says how far to believe it."
        )
    return f" So it is for {counted(n, 'pair')}, shown in grey."


def _neuron_rows(view: View) -> list[list[str]]:
    """What there is to say of each neuron, in the order of the figures."""
    ours, share = map(view.per_neuron, ("bits_per_spike_per_neuron", "state_share_per_neuron"))
    glm = view.per_neuron("glm_bits_per_spike_per_neuron")
    angle, ids = view.inferred.angle_rad, view.inferred.neuron_ids
    inputs = np.where(view.inferred.informed, view.inferred.weights, 0.0)
    strongest = np.argmax(np.abs(inputs), axis=1)
    return [
        [
            ids[i],
            _cell(None if angle is None else np.rint(np.rad2deg(angle[i])) % 360, ".0f"),
            _cell(None if ours is None else ours[i], ".3f"),
            _cell(None if glm is None else glm[i], ".3f"),
            _cell(None if share is None else 100 * share[i], ".0f"),
            ids[strongest[i]] if inputs[i, strongest[i]] else "–",
            _cell(inputs[i, strongest[i]] or None, "+#.3g"),
        ]
        for i in view.order.neurons
    ]


def _cell(value: float | None, form: str) -> str:
    if value is None or not np.isfinite(value):
        return "–"
    return format(value, form).replace("-", "−")


def _metric_rows(view: View) -> list[tuple[str, str]]:
    """All metrics but those with one value per neuron."""
    single: dict[str, Any] = {
        name: value
        for name, value in view.result.metrics.items()
        if not isinstance(value, (list, tuple, np.ndarray))
    }
    return flat(single)


def _duration(seconds: float) -> str:
    if seconds < _SHORT_S:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < _LONG_S else f"{seconds / 3600:.3g} h"
