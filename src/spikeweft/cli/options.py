"""How values of options are read and checked, for all commands."""

from collections.abc import Sequence

from cyclopts import Parameter, Token
from cyclopts.validators import Number


def _finite_and_positive(_: type, value: float | None) -> None:
    if value is not None and not 0 < value < float("inf"):
        raise ValueError(f"{value:g} is not a positive number")


def _whole_number(_: type, tokens: Sequence[Token]) -> int:
    # cyclopts itself would round 1.5.
    try:
        return int(tokens[0].value)
    except ValueError:
        raise ValueError(f"{tokens[0].value} is not a whole number") from None


Minutes = Parameter(validator=_finite_and_positive)

Count = Parameter(converter=_whole_number, validator=Number(gte=0))

Seeds = Parameter(validator=Number(gte=0), consume_multiple=True)

GivenInPython = Parameter(parse=False)
"""Not an option: a function that a caller of `main` may put in place of the default."""

Names = Parameter(consume_multiple=True, show_default=False)
