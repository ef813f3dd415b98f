import matplotlib as mpl
import pytest
from tests.reporting.conftest import one_axes, ring

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.plot_circuits import draw_profile
from spikeweft.reporting.plot_style import INFERRED, as_svg, short_names


def test_the_same_data_give_the_same_picture_whatever_the_users_settings():
    weights, angle = ring(12, "broad inhibition")
    circuit = Connectivity(weights=weights, angle_rad=angle)

    def picture():
        return as_svg(draw_profile(circuit, INFERRED, one_axes()))

    first = picture()
    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "black", "svg.hashsalt": None}):
        assert picture() == first
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", ["session1_unit_{}", "unit_{}_of_probe_A_in_session_1"])
def test_long_names_stay_different_when_they_are_shortened(name):
    names = [name.format(f"{number:03d}") for number in range(30)]
    short = short_names(names)
    assert len(set(short)) == len(names)
    assert short_names(["T1C1", *names])[0] == "T1C1"
    assert len(short_names(["session1_unit_001", "b"])[0]) == 12
