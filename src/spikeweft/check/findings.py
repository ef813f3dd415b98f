"""What a check finds: one finding per question, with its severity, its numbers and a remedy."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

_NAMES_SHOWN = 8


class Severity(IntEnum):
    """How much a finding matters to an inference."""

    FINE = 0
    NOTE = 1
    WARNING = 2
    PROBLEM = 3

    @property
    def word(self) -> str:
        """Its name in lower case."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer to one question about a recording.

    Attributes
    ----------
    topic
        What was looked at, in a few words.
    severity
        How much it matters.
    summary
        What was found, in a sentence or two.
    remedy
        What to do about it; empty where there is nothing to do.
    numbers
        What was measured, by name, with units at the end of the names.
    """

    topic: str
    severity: Severity
    summary: str
    remedy: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """All findings about one recording, and the recording in a few facts."""

    source: str
    facts: Mapping[str, Any]
    findings: Sequence[Finding]

    @property
    def worst(self) -> Severity:
        """Severity of the worst finding."""
        return max((finding.severity for finding in self.findings), default=Severity.FINE)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as for JSON."""
        return {
            "recording": self.source,
            **self.facts,
            "worst": self.worst.word,
            "findings": [
                {
                    "topic": finding.topic,
                    "severity": finding.severity.word,
                    "summary": finding.summary,
                    "remedy": finding.remedy,
                    "numbers": dict(finding.numbers),
                }
                for finding in self.findings
            ],
        }


def listed(names: Iterable[str]) -> str:
    """Names in a row; of many, the first few and how many more there are."""
    names = list(names)
    more = len(names) - _NAMES_SHOWN
    return ", ".join(names[:_NAMES_SHOWN]) + (f" and {more} more" if more > 0 else "")


def percent(share: float) -> str:
    """A share with two digits, and never 100 % of less than all, nor 0 % of something."""
    if share >= 0.995:
        return "100 %" if share == 1 else "over 99 %"
    if 0 < share < 1e-4:
        return "under 0.01 %"
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"
