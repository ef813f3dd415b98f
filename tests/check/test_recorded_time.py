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


def test_a_grid_is_named_only_where_one_was_found(rng):
    times_s, units = np.sort(rng.uniform(0.0, 10.0, 300)), np.arange(300) % 2
    fine = clock.time_resolution(Recording.from_arrays(times_s, units))
    assert fine.summary.startswith("Spike times lie on no grid coarser than 0.1 ms. ")
    coarse = clock.time_resolution(Recording.from_arrays(np.round(times_s, 3), units))
    assert coarse.summary.startswith("Spike times lie on a grid of 1 ms. ")


def test_a_short_stretch_without_a_gap_asks_for_more_time_not_for_other_epochs():
    short = Recording.from_arrays(
        np.linspace(0.01, 0.49, 40), np.arange(40) % 2, epochs_s=np.array([[0.0, 0.5]])
    )
    found = clock.gaps(short)
    assert "20 % is not scored" in found.summary
    assert found.remedy == "Record for longer."
