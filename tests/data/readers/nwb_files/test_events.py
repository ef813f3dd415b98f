"""Events in NWB files, and what stands for them beside the spikes."""

import numpy as np
import pytest

from spikeweft.data.readers.load import contents_of, load
from spikeweft.data.readers.pynapple_objects import from_pynapple
from spikeweft.errors import InputError

CUES_S = np.array([1.4, 3.3, np.nan, 7.3])

LONG = (np.arange(0.05, 10.0, 0.1), np.arange(0.07, 10.0, 0.13))


def add_trials(nwb):
    nwb.add_trial_column("cue_time", "when the cue came")
    nwb.add_trial_column("reaction_time", "after the cue")
    nwb.add_trial_column("contrast", "of the cue")
    nwb.add_trial_column("side", "left or right")
    nwb.add_trial_column("licks", "when it licked", index=True)
    for start_s, cue_s in zip((1.0, 3.0, 5.0, 7.0), CUES_S, strict=True):
        nwb.add_trial(
            start_time=start_s,
            stop_time=start_s + 0.9,
            cue_time=cue_s,
            reaction_time=0.2 + start_s / 100,
            contrast=0.5,
            side="left",
            licks=[start_s + 0.1, start_s + 0.2],
        )


def test_bumps_around_the_events_of_a_column_are_covariates(write_nwb):
    loaded = load(
        write_nwb(LONG, add_trials),
        covariates=["trials.cue_time"],
        event_window_s=(-0.2, 0.45),
    )
    bumps = loaded.recording.covariates
    assert len(bumps) == 10
    assert next(iter(bumps)) == "trials.cue_time at -0.1 s"
    assert bumps["trials.cue_time at +0.1 s"].at(CUES_S + 0.1)[[0, 1, 3]] == pytest.approx(
        1.0, abs=0.01
    )
    assert all(bump.at(np.array([0.5, 2.5, 5.4, 9.0])).max() == 0 for bump in bumps.values())
    assert "1 of 4 events 'trials.cue_time' have no time and are left out" in loaded.warnings


def test_only_what_is_on_the_clock_of_the_recording_is_an_event(write_nwb):
    path = write_nwb(LONG, add_trials)
    for name in ("reaction_time", "contrast"):
        with pytest.raises(InputError, match="are they counted from the start of each row"):
            load(path, covariates=[f"trials.{name}"])
    with pytest.raises(InputError, match=r"no covariate 'trials\.side'; it has: .*licks'$"):
        load(path, covariates=["trials.side"])
    with pytest.raises(InputError, match=r"window from 1 to -0\.5 s is none"):
        load(path, covariates=["trials.cue_time"], event_window_s=(1.0, -0.5))
    late = write_nwb(LONG, lambda nwb: nwb.add_trial(start_time=1e6, stop_time=1e6 + 1))
    with pytest.raises(InputError, match=r"the time that is used from 0\.05 to .* s has none"):
        load(late, covariates=["trials.start_time"])


def test_starts_and_stops_of_intervals_and_tables_of_events_are_events(write_nwb):
    event = pytest.importorskip("pynwb.event", reason="this pynwb writes no tables of events")

    def add(nwb):
        add_trials(nwb)
        licks = event.EventsTable(name="licks", description="at the spout")
        for time_s in (2.0, 2.5, 1e300):
            licks.add_row(timestamp=time_s)
        nwb.add_events_table(licks)

    path = write_nwb(LONG, add)
    assert contents_of(path).events.keys() >= {"trials.stop_time", "licks.timestamp"}
    loaded = load(path, covariates=["licks.timestamp"])
    assert len(loaded.recording.covariates) == 10
    assert loaded.warnings == ("1 of 3 events 'licks.timestamp' lie outside the epochs",)


def test_a_row_may_have_several_times_or_none_and_times_may_be_whole_numbers(write_nwb):
    def add(nwb):
        nwb.add_trial_column("sound", "when it came, in whole seconds")
        nwb.add_trial_column("licks", "when it licked", index=True)
        nwb.add_trial_column("bouts", "of licks", index=2)
        for start_s, licks in ((1, []), (3, [3.2, 3.4]), (5, [5.1])):
            bouts = [[float(start_s)], [start_s + 0.5, start_s + 0.7]]
            nwb.add_trial(
                start_time=float(start_s),
                stop_time=start_s + 0.9,
                sound=start_s,
                licks=licks,
                bouts=bouts,
            )

    path = write_nwb(LONG, add)
    events = contents_of(path).events
    assert events["trials.sound"].times_s.tolist() == [1, 3, 5]
    assert events["trials.licks"].times_s.tolist() == [3.2, 3.4, 5.1]
    assert events["trials.licks"].rows_s[:, 0].tolist() == [3, 3, 5]
    assert events["trials.bouts"].times_s.tolist() == [1, 1.5, 1.7, 3, 3.5, 3.7, 5, 5.5, 5.7]
    for name in ("sound", "licks", "bouts"):
        assert len(load(path, covariates=[f"trials.{name}"]).recording.covariates) == 10


def test_events_of_pynapple_give_what_those_of_a_file_give(write_nwb):
    nap = pytest.importorskip("pynapple")
    in_file = load(write_nwb(LONG, add_trials), covariates=["trials.start_time"]).recording
    spikes = nap.TsGroup({unit: nap.Ts(train) for unit, train in enumerate(LONG)})
    starts_s = np.array([1.0, 3.0, 5.0, 7.0])
    trials = nap.IntervalSet(starts_s, starts_s + 0.9)
    for given in (trials, nap.Ts(starts_s)):
        found = from_pynapple(spikes, covariates={"trials.start_time": given})
        assert found.covariates.keys() == in_file.covariates.keys()
        for name, bump in found.covariates.items():
            assert bump.values == pytest.approx(in_file.covariates[name].values)


def test_a_file_of_zarr_has_the_same_events(write_nwb, tmp_path):
    hdmf_zarr = pytest.importorskip("hdmf_zarr", reason="pip install hdmf-zarr")
    import pynwb

    path, folder = write_nwb(LONG, add_trials), tmp_path / "session.zarr"
    with (
        pynwb.NWBHDF5IO(path=path, mode="r") as from_file,
        hdmf_zarr.NWBZarrIO(path=str(folder), mode="w") as to_file,
    ):
        to_file.export(src_io=from_file, write_args={"link_data": False})
    in_hdf5, in_zarr = contents_of(path).events, contents_of(folder).events
    assert in_zarr.keys() == in_hdf5.keys()
    for name, events in in_hdf5.items():
        np.testing.assert_array_equal(in_zarr[name].times_s, events.times_s)
