import matplotlib as mpl
from tests.reporting.conftest import one_axes, ring

from spikeweft.data.connectivity import Connectivity
from spikeweft.reporting.plot_circuits import draw_profile
from spikeweft.reporting.plot_style import INFERRED, as_svg


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
