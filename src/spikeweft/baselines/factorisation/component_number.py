"""How many components a factorisation of spikes needs, by what they explain of held-out data."""

from collections.abc import Callable

from spikeweft.errors import InputError

LEAST_GAIN = 0.01
"""Share of the held-out power by which one more component must raise what is explained."""

MOST_COMPONENTS = 20
"""Where the search ends; recordings that need more are cut off here."""


def n_components(asked: int | None, held_out_power: Callable[[int], float]) -> int:
    """Components after which one more explains less than `LEAST_GAIN` more of held-out data.

    Parameters
    ----------
    asked
        The number that a user asks for, which is taken as it is; None to look for one.
    held_out_power
        Share of the sum of squares of data that were not fitted, which a factorisation with so
        many components explains; below 1, and negative where it is worse than nothing.

    Raises
    ------
    InputError
        Where less than one is asked for.
    """
    if asked is not None:
        if asked < 1:
            raise InputError(f"{asked} components cannot be fitted; use at least 1, or None")
        return asked
    explained = held_out_power(1)
    for n in range(1, MOST_COMPONENTS):
        with_one_more = held_out_power(n + 1)
        if with_one_more < explained + LEAST_GAIN:
            return n
        explained = with_one_more
    return MOST_COMPONENTS
