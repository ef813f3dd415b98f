"""The page of a study: its findings beside their controls."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spikeweft.data.file_contents.sentences import counted
from spikeweft.head_direction.angular_profile import Evidence
from spikeweft.head_direction.evidence import (
    OURS,
    REGRESSION,
    DirectionErrorContrast,
    Judged,
    Repeat,
    direction_error_contrasts,
    fewest_hidden,
    judged,
    repeats,
)
from spikeweft.head_direction.figures import (
    bits_figure,
    evidence_figure,
    profile_figure,
    regression_figure,
    ring_figure,
    tuning_figure,
    weights_figure,
)
from spikeweft.head_direction.study import N_DRAWN, N_JUDGED, Findings
from spikeweft.head_direction.tables import bits_by_model, profile_rows, write_tables
from spikeweft.reporting.page import Figure, render
from spikeweft.reporting.plot_style import Axes, write_figure
from spikeweft.runtime.files import write_whole

_LEAST_SHARE = 0.01
"""A share of a contrast is not printed more exactly than this."""


def write_study(findings: Findings) -> Path:
    """Write tables, figures (SVG and PNG) and `heading.html` into the study's folder."""
    circuits, agreements = judged(findings), repeats(findings)
    write_tables(findings, circuits, agreements)
    figures = _figures(findings, circuits)
    folder = findings.study.folder / "figures"
    folder.mkdir(exist_ok=True)
    for figure in figures:
        write_figure(figure.ax, folder / figure.anchor)
    page = findings.study.folder / "heading.html"
    write_whole(page, _page(findings, circuits, agreements, figures).encode())
    return page


def _page(
    findings: Findings,
    circuits: Sequence[Judged],
    agreements: Sequence[Repeat],
    figures: Sequence[Figure],
) -> str:
    prepared, explained = findings.prepared, direction_error_contrasts(findings, circuits)
    return render(
        "head_direction/page.html.jinja",
        source=findings.study.recording.name,
        facts=[
            f"{len(prepared.chosen)} head-direction cells of {prepared.whole.n_neurons} neurons",
            f"{prepared.recording.duration_s / 60:.1f} min with '{prepared.angle}'",
            f"direction decoded from held-out spikes with a median error of "
            f"{prepared.decoding.median_error_deg:.0f}°",
        ],
        verdict=verdict(circuits, explained),
        warnings=prepared.warnings,
        figures=figures,
        evidence=[_evidence_cells(row) for row in circuits],
        direction_errors=[
            (
                row.model,
                f"{row.error_deg:g}°",
                _number(row.contrast),
                _share(row.share_of_recorded),
            )
            for row in explained
        ],
        repeats=[(row.what, _number(row.value), _number(row.tuning_alone)) for row in agreements],
        bits=[
            (name, _number(float(np.nanmean(bits))), _number(float(np.nanmin(bits))))
            for name, bits in bits_by_model(findings).items()
        ],
        command=findings.study.command,
    )


def verdict(circuits: Sequence[Judged], explained: Sequence[DirectionErrorContrast]) -> str:
    """What both models with the direction among their causes show, and what they cannot."""
    said = " ".join(_sentence(fewest_hidden(circuits, model)) for model in (OURS, REGRESSION))
    unproved = "This does not prove connections"
    shares = [row for row in explained if np.isfinite(row.share_of_recorded)]
    if shares:
        worst = max(shares, key=lambda row: row.share_of_recorded)
        unproved += (
            f": unconnected neurons that follow a direction {worst.error_deg:g}° off the recorded "
            f"one would show {_part(worst.share_of_recorded)} of {worst.model}"
        )
    return f"With the direction among the causes: {said} {unproved}."


def _part(share: float) -> str:
    """A share of a contrast in words."""
    return "at least the contrast" if share >= 1 else f"{_share(share)} of the contrast"


def _sentence(row: Judged) -> str:
    """What one model says."""
    found = row.evidence
    if not np.isfinite(found.observed.value):
        return f"{row.model} calls no weight informed, as it does where nothing is coupled."
    if len(found.tuning_alone) < N_JUDGED:
        return (
            f"{row.model}'s local less surround is {_number(found.observed.value)}, of which "
            f"tuning alone gives {_number(found.of_tuning_alone)}; {_draws(found)} of tuning alone "
            f"cannot say whether it exceeds this by chance; {N_JUDGED} can."
        )
    pattern = "local excitation with surround inhibition"
    what = pattern if found.has_surround_inhibition else "local less surround"
    exceeds = "exceeds" if found.holds else "does not exceed"
    return (
        f"{row.model}'s {what} {exceeds} what tuning alone and shuffled directions produce (local "
        f"{_number(found.observed.local)}, surround {_number(found.observed.surround)}; of their "
        f"difference of {_number(found.observed.value)}, tuning alone gives "
        f"{_number(found.of_tuning_alone)}; p = {found.p_tuning:.3f} of {_draws(found)}, "
        f"p = {found.p_permuted:.3f} of shuffled directions)."
    )


def _figures(findings: Findings, circuits: Sequence[Judged]) -> list[Figure]:
    return [
        *_profile_figures(findings, circuits),
        _figure(
            "evidence",
            "The contrast and its controls",
            "Contrast of each circuit beside those of tuning alone and of shuffled directions.",
            "Mean weight of pairs within 30° less that of pairs from 30° to 120°.",
            evidence_figure(circuits),
        ),
        _figure(
            "weights",
            "Weights",
            "Weight matrices of the head-direction cells, sorted by preferred direction.",
            "Row receives, column sends; red excites. Grey: not informed by the spikes, or with a "
            "sorting artefact.",
            weights_figure(findings),
        ),
        _figure(
            "ring",
            "The full matrix of the ring",
            "Weight matrices of a ring of 100 slots, by number of hidden neurons.",
            "The same weights, interpolated between the cells to 100 slots by preferred direction, "
            "as in Yoon (2025). Grey: less than half of the interpolation is known.",
            ring_figure(findings),
        ),
        _figure(
            "bits",
            "Prediction",
            "Held-out bits per spike of each neuron under CircuitGNN and the regression.",
            "Bits per spike on the last tenth, over each neuron's mean rate, beside the plain "
            "regression with the same causes (GLM).",
            bits_figure(findings),
        ),
        _figure(
            "tuning",
            "Tuning",
            "Tuning curves of the head-direction cells, and how strongly each neuron is tuned.",
            "Left: rate in each direction. Right: the Rayleigh vector of each neuron beside the "
            "99th percentile of its own spikes, shifted in time.",
            tuning_figure(findings),
        ),
    ]


def _profile_figures(findings: Findings, circuits: Sequence[Judged]) -> list[Figure]:
    profiles = [row for circuit in circuits for row in profile_rows(circuit, findings)]
    quick = fewest_hidden(circuits, REGRESSION).evidence
    return [
        _figure(
            "profiles",
            "Profiles by number of hidden neurons",
            "Mean weight of CircuitGNN by difference of preferred directions, beside the range of "
            "tuning alone, a panel for each number of hidden neurons.",
            "Mean weight of CircuitGNN against the difference of preferred directions, as in "
            "Figure 5 of Yoon (2025), which has no controls. The model is not given the direction. "
            "Grey: the range of the same fit to spikes drawn from tuning and own history alone, "
            f"{N_DRAWN} draws. A profile within it is no evidence.",
            profile_figure(profiles, direction_known=False),
        ),
        _figure(
            "profiles_known",
            "Profiles beside a known direction",
            "Mean weight of CircuitGNN, which is given the direction, by difference of preferred "
            "directions, beside the range of tuning alone.",
            "The same with the direction among the causes. With the fewest hidden neurons: "
            f"{counted(findings.study.draws, 'draw')}; the others: {N_DRAWN}.",
            profile_figure(profiles, direction_known=True),
        ),
        _figure(
            "profiles_regression",
            "Profiles of the quick regression",
            "Mean weight of the Poisson regression by difference of preferred directions, without "
            "and with the direction, beside the range of tuning alone.",
            f"The same of a Poisson regression, with the range of {_draws(quick)}. Where the "
            "direction is among the causes, local less surround is "
            f"{_number(quick.of_tuning_alone)} of tuning alone, and "
            f"{_number(quick.observed.value)} of the recorded spikes.",
            regression_figure(profiles),
        ),
    ]


def _figure(anchor: str, title: str, alt: str, caption: str, ax: Axes) -> Figure:
    return Figure(anchor=anchor, title=title, alt=alt, caption=caption, ax=ax)


def _evidence_cells(row: Judged) -> list[str]:
    found = row.evidence
    of_tuning = (found.p_tuning, found.p_local, found.p_surround)
    enough = len(found.tuning_alone) >= N_JUDGED
    return [
        f"{row.model}{f', {row.n_hidden} hidden' if row.model == OURS else ''}",
        "yes" if row.direction_known else "no",
        _number(found.observed.local),
        _number(found.observed.surround),
        _number(found.observed.value),
        f"{_number(found.of_tuning_alone)} ({_draws(found)})",
        *(f"{p:.3f}" if enough else "too few draws" for p in of_tuning),
        f"{found.p_permuted:.3f}",
    ]


def _draws(found: Evidence) -> str:
    return counted(len(found.tuning_alone), "draw")


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−") if np.isfinite(value) else "–"


def _share(value: float) -> str:
    if value >= 1:
        return "all of it or more"
    if 0 < value < _LEAST_SHARE:
        return f"less than {_percent(_LEAST_SHARE)}"
    return "none" if value <= 0 else _percent(value)


def _percent(value: float) -> str:
    return f"{100 * value:.0f} %" if np.isfinite(value) else "–"
