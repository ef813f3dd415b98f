"""What is said of a file: how it names things, and which of its sentences are alarms."""

import math
from collections.abc import Iterable

_SHOWN = 12

_LONGEST = 80

_LONG_AGO_S = 1e6


class Alarm(str):
    """A warning of what makes results wrong or uncertain; others say what was done or left out."""

    __slots__ = ()


def shown(value: object) -> str:
    """A value as Python writes it, cut to what a sentence can hold."""
    written = repr(value)
    return written if len(written) <= _LONGEST else f"{written[:_LONGEST]}…{written[-1]}"


def listed(names: Iterable[object]) -> str:
    """The first names, quoted, and how many more there are."""
    quoted = [shown(str(name)) for name in names]
    first = ", ".join(quoted[:_SHOWN]) or "nothing"
    return first + (f" and {len(quoted) - _SHOWN} more" if len(quoted) > _SHOWN else "")


def units_named(names: Iterable[object]) -> str:
    """Units by name: "unit '3'", "units '3', '17'"."""
    names = list(names)
    return f"unit{'' if len(names) == 1 else 's'} {listed(names)}"


def span(first_s: float, last_s: float) -> str:
    """A stretch of time: by six digits, or to the second where a clock counts from long ago."""
    moments = (
        f"{time_s:,.0f}" if abs(time_s) >= _LONG_AGO_S else f"{time_s:.6g}"
        for time_s in (first_s, last_s)
    )
    return f"from {' to '.join(moments)} s"


def counted(number: int, thing: str) -> str:
    """A number of things, in the right form: 1 spike, 2 spikes."""
    return f"{number:,} {thing}" + ("" if number == 1 else "s")


def lasting(seconds: float) -> str:
    """A duration in the unit in which it is easily read, with two or three digits."""
    if not math.isfinite(seconds):
        return "more than can be recorded"
    for length_s, unit in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 1.5 * length_s:
            return f"{_plain(seconds / length_s)} {unit}"
    return f"{_plain(seconds)} s"


def _plain(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"
