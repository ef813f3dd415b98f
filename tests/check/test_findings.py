import pytest

from spikeweft.check.findings import percent


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "0 %"),
        (0.00123, "0.12 %"),
        (0.0456, "4.6 %"),
        (0.5, "50 %"),
        (0.9949, "99 %"),
        (0.9999, "over 99 %"),
        (1.0, "100 %"),
    ],
)
def test_a_share_is_never_said_in_powers_of_ten(share, said):
    assert percent(share) == said
