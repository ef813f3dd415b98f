import pytest

from spikeweft.baselines.factorisation.component_number import MOST_COMPONENTS, n_components
from spikeweft.errors import InputError


@pytest.mark.parametrize(
    ("explained", "expected"),
    [
        ([0.5, 0.505], 1),
        ([0.3, 0.5, 0.4], 2),
        ([0.1, 0.2, 0.3, 0.305, 0.9], 3),
        ([-0.1, -0.2], 1),
    ],
    ids=["no gain", "a loss", "a gain below one per cent", "worse than nothing"],
)
def test_components_are_added_while_they_help_to_explain_held_out_data(explained, expected):
    assert n_components(None, lambda n: explained[n - 1]) == expected


def test_the_search_ends_where_every_component_helps():
    assert n_components(None, lambda n: 0.02 * n) == MOST_COMPONENTS


def test_a_number_that_is_asked_for_is_taken():
    assert n_components(7, lambda n: pytest.fail(f"looked at {n} components")) == 7


def test_no_component_is_refused():
    with pytest.raises(InputError, match="0 components cannot be fitted; use at least 1"):
        n_components(0, lambda n: n)
