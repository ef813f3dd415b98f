import numpy as np
import pytest
from tests.check.conftest import DURATION_S, recorded

from spikeweft.check import recorded_time as clock
from spikeweft.check.findings import Severity
from spikeweft.data.recording import Recording


def test_an_interruption_that_no_epoch_marks_is_found(sound):
    cut = [times[(times < 50) | (times > 70)] for times in sound]
    (pause,) = clock.unmarked_gaps(recorded(cut)).numbers["pauses_s"]
    assert pause == pytest.approx((50.0, 70.0), abs=0.2)
    (said,) = recorded(cut).warnings()
    assert said.startswith("no neuron fires for 20.")
    marked = recorded(cut, epochs_s=np.array([[0.0, 50.0], [70.0, DURATION_S]]))
    assert clock.unmarked_gaps(marked).severity is Severity.FINE
    assert not any("no neuron fires" in said for said in marked.warnings())
    assert clock.gaps(marked).numbers["longest_gap_s"] == 20.0


def test_short_epochs_cost_the_time_that_cannot_be_scored(sound):
    starts = np.arange(0.0, DURATION_S, 1.0)
    finding = clock.gaps(recorded(sound, epochs_s=np.column_stack([starts, starts + 0.5])))
    assert finding.numbers["share_not_scored"] == pytest.approx(0.2)
    assert finding.severity is Severity.WARNING


def test_spikes_at_the_same_time_have_no_order():
    times, units = np.array([0.0, 0.01, 0.01, 0.02, 0.02]), np.array([0, 0, 1, 1, 1])
    recording = Recording.from_arrays(times, units)
    assert clock.share_of_simultaneous_spikes(recording) == pytest.approx(2 / 5)
