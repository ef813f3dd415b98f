"""The findings as one self-contained page, in the report's style."""

from collections.abc import Mapping
from typing import Any

from spikeweft.check.findings import Checkup, Severity
from spikeweft.data.file_contents.sentences import counted, lasting
from spikeweft.reporting.page import render
from spikeweft.runtime.memory import gigabytes


def build_page(checkup: Checkup) -> str:
    """One self-contained HTML page about a recording; text from files is escaped."""
    facts = checkup.facts
    gravest_first = sorted(checkup.findings, key=lambda finding: -finding.severity)
    by_topic = {finding.topic: finding.numbers for finding in checkup.findings}
    return render(
        "check/page.html.jinja",
        source=checkup.source,
        facts=[
            counted(facts["n_neurons"], "neuron"),
            lasting(facts["duration_s"]),
            counted(facts["n_spikes"], "spike"),
        ],
        verdict=verdict(checkup),
        headlines=_headlines(by_topic),
        findings=[finding for finding in gravest_first if finding.severity > Severity.FINE],
        fine=[finding for finding in gravest_first if finding.severity is Severity.FINE],
    )


def verdict(checkup: Checkup) -> str:
    """All findings in one sentence."""
    numbers = {s: sum(f.severity is s for f in checkup.findings) for s in Severity}
    said = [
        counted(numbers[severity], severity.word)
        for severity in sorted(Severity, reverse=True)
        if numbers[severity] and severity is not Severity.FINE
    ]
    if not said:
        return "Nothing speaks against an inference."
    return f"{', '.join(said)}; {counted(numbers[Severity.FINE], 'question')} answered well."


def _headlines(by_topic: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str, str]]:
    error, cost = by_topic.get("expected error"), by_topic.get("time and memory")
    return [*(_of_error(error) if error else []), *(_of_cost(cost) if cost else [])]


def _of_error(numbers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    needed = numbers["minutes_needed"]["0.1"]
    return [
        (
            "Expected error Δ",
            f"{numbers['expected_delta']:.2g}",
            "of weights that are fitted one by one; 0 is perfect, 1 is no better than no "
            "connections.",
        ),
        (
            "For Δ = 0.1",
            "–" if needed is None else lasting(60 * needed),
            "of such a recording would be needed.",
        ),
    ]


def _of_cost(numbers: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (
            "Time",
            lasting(numbers["seconds"]),
            "that a fit of CircuitGNN will take on this machine, roughly; infer also fits "
            "SynapseModel and a Poisson GLM.",
        ),
        (
            "Memory",
            gigabytes(numbers["memory_mb"]),
            f"of {gigabytes(numbers['available_memory_mb'])} that are there for it.",
        ),
    ]
