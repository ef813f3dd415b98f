"""One step of a fit."""

from collections.abc import Callable
from typing import NamedTuple


class Step(NamedTuple):
    """One step of a plan, and the stage that it belongs to."""

    stage: str
    act: Callable[[], None]
