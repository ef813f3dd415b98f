import numpy as np
import pytest
from tests.data.file_contents.conftest import contents_of_trains, poisson_trains

from spikeweft.data.connectivity import Connectivity
from spikeweft.data.file_contents.chosen_recording import chosen_recording
from spikeweft.data.file_contents.contents import FileContents, SampledSeries
from spikeweft.data.file_contents.selection import Selection
from spikeweft.errors import InputError

QUALITY = ["good", "mua", "good", "noise"]
REGION = ["ADn", "ADn", "PoS", "PoS"]


@pytest.fixture
def contents():
    """Four units of 1, 2, 4 and 8 Hz, with columns, directions and a true circuit."""
    trains = [poisson_trains(1, rate_hz)[0] for rate_hz in (1.0, 2.0, 4.0, 8.0)]
    weights = np.arange(16.0).reshape(4, 4)
    return contents_of_trains(
        trains,
        unit_columns={"quality": QUALITY, "brain region": REGION},
        preferred_angle_rad=np.arange(4.0),
        truth=Connectivity(weights=weights),
    )


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ({}, [0, 1, 2, 3]),
        ({"units": "quality == 'good'"}, [0, 2]),
        ({"units": "quality == 'good' and `brain region` == 'ADn'"}, [0]),
        ({"units": "quality.isin(['good', 'mua'])"}, [0, 1, 2]),
        ({"units": "rate_hz > 3"}, [2, 3]),
        ({"exclude": ("1", "3")}, [0, 2]),
        ({"min_rate_hz": 1.5}, [1, 2, 3]),
        ({"units": "quality == 'good'", "min_rate_hz": 3.0}, [2]),
    ],
)
def test_units_are_chosen_by_what_is_known_of_them(contents, asked, kept):
    loaded = chosen_recording(contents, Selection(**asked))
    recording = loaded.recording
    assert recording.neuron_ids == tuple(str(unit) for unit in kept)
    np.testing.assert_array_equal(recording.n_spikes, contents.n_spikes[kept])
    np.testing.assert_array_equal(recording.preferred_angle_rad, kept)
    np.testing.assert_array_equal(loaded.truth.weights, contents.truth.weights[np.ix_(kept, kept)])
    assert bool(loaded.warnings) == (len(kept) < 4)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"units": "colour == 'red'"}, "its columns are 'id', 'n_spikes', 'rate_hz', 'quality'"),
        ({"units": "quality = 'good'"}, "cannot be chosen"),
        ({"units": "quality == 'best'"}, "none of the 4 units .* is left"),
        ({"exclude": ("7",)}, "no unit '7' to exclude; its units are '0', '1'"),
        ({"min_rate_hz": 50.0}, "none of the 4 units .* 50 Hz or more, the fastest at"),
        ({"covariates": ("speed",)}, "no covariate 'speed'; it has: none"),
        ({"epochs": "wake"}, "names no epochs"),
    ],
)
def test_what_is_not_there_is_one_sentence(contents, asked, sentence):
    with pytest.raises(InputError, match=sentence):
        chosen_recording(contents, Selection(**asked))


def test_an_expression_reaches_nothing_but_the_columns(contents):
    with pytest.raises(InputError, match="cannot be chosen"):
        chosen_recording(contents, Selection(units="@__import__('os').getpid() > 0"))


def test_two_units_of_one_name_are_refused():
    trains = poisson_trains(2)
    contents = contents_of_trains(trains)
    twice = FileContents.of_trains(contents.path, trains, ["7", "7"])
    with pytest.raises(InputError, match="several units with the id '7'"):
        chosen_recording(twice, Selection())


def series(values, times_s, unit=""):
    times_s = np.asarray(times_s, float)
    span_s = (float(times_s[0]), float(times_s[-1]))
    return SampledSeries(
        unit=unit, n_samples=len(times_s), span_s=span_s, read=lambda: (times_s, values)
    )


def with_series(**named):
    return contents_of_trains(poisson_trains(), series=named)


def test_degrees_become_radians_and_that_is_said():
    degrees = np.linspace(0, 359, 1000)
    contents = with_series(head=series(degrees, np.linspace(0, 100, 1000), "degrees"))
    recording, _, said = chosen_recording(contents, Selection())
    assert recording.covariates["head"].is_angle
    np.testing.assert_allclose(recording.covariates["head"].values, np.deg2rad(degrees))
    assert said == ("the covariate 'head' is in degrees and read as radians",)


def test_a_covariate_that_stops_early_ends_the_recording_where_it_is_needed():
    contents = with_series(speed=series(np.ones(200), np.arange(200) * 0.1))
    recording, _, said = chosen_recording(contents, Selection(covariates=("speed",)))
    assert recording.epochs_s[-1, 1] == pytest.approx(20.0)
    assert "samples from 0 to 19.9 s only; the other 79." in said[0]
    recording, _, said = chosen_recording(contents, Selection())
    assert recording.epochs_s[-1, 1] > 99
    assert "samples from 0 to 19.9 s only and keeps its nearest value elsewhere" in said[0]


@pytest.mark.parametrize("cut", ["samples", "values"])
def test_a_gap_in_a_covariate_is_left_out_where_it_is_needed_and_said_elsewhere(cut):
    times_s = np.arange(1000) * 0.1
    lost = (times_s > 30) & (times_s < 70)
    if cut == "values":
        contents = with_series(speed=series(np.where(lost, np.nan, 1.0), times_s))
    else:
        contents = with_series(speed=series(np.ones(1000)[~lost], times_s[~lost]))
    recording, _, said = chosen_recording(contents, Selection(covariates=("speed",)))
    assert recording.epochs_s[:, 1][0] == pytest.approx(30.1)
    assert recording.epochs_s[:, 0][1] == pytest.approx(69.9)
    assert "from 0 to 99.9 s with 1 gap of 39.8 s; the other 39.8 s are left out" in said[0]
    recording, _, said = chosen_recording(contents, Selection())
    assert len(recording.epochs_s) == 1
    assert "with 1 gap of 39.8 s and keeps its nearest value elsewhere; ask" in said[0]


def test_a_variable_that_is_written_down_where_it_changes_has_no_gaps():
    rng = np.random.default_rng(0)
    contents = with_series(
        contrast=series(np.arange(40.0), np.sort(rng.uniform(0, 99, 40)).round(2))
    )
    recording, _, said = chosen_recording(contents, Selection(covariates=("contrast",)))
    assert len(recording.epochs_s) == 1
    assert said == ()


@pytest.mark.parametrize(
    ("values", "times_s", "what"),
    [
        (np.ones(3), [0.0, 50.0, 20.0], "the times of the covariate 'odd' descend"),
        (np.ones(3), [0.0, np.nan, 20.0], "1 of the 3 times of the covariate 'odd' are not finite"),
        (np.full(3, np.nan), [0.0, 10.0, 20.0], "the covariate 'odd' holds no numbers"),
    ],
)
def test_what_is_no_covariate_costs_the_recording_only_where_it_is_needed(values, times_s, what):
    contents = with_series(odd=series(values, times_s))
    recording, _, (said,) = chosen_recording(contents, Selection())
    assert not recording.covariates
    assert said.startswith(f"the covariate 'odd' is left out: {what}")
    with pytest.raises(InputError, match=what):
        chosen_recording(contents, Selection(covariates=("odd",)))


def test_a_covariate_of_another_clock_is_refused_where_it_is_needed():
    contents = with_series(speed=series(np.ones(200), 1.7e9 + np.arange(200)))
    with pytest.raises(
        InputError,
        match=r"samples from 1,700,000,000 to 1,700,000,199 s, .* give both the same clock",
    ):
        chosen_recording(contents, Selection(covariates=("speed",)))
    recording, _, said = chosen_recording(contents, Selection())
    assert not recording.covariates
    assert "'speed' is left out: it has samples from 1,700,000,000 to" in said[0]


def test_a_long_series_is_read_only_where_it_is_asked_for():
    def refuse():
        raise AssertionError("it was read")

    channel = SampledSeries(unit="V", n_samples=36_000_000, span_s=(0.0, 100.0), read=refuse)
    recording, _, said = chosen_recording(with_series(sync=channel), Selection())
    assert not recording.covariates
    assert said == (
        "'sync' has 36,000,000 samples and is not read; ask for it by name if it is a covariate",
    )
    with pytest.raises(AssertionError, match="it was read"):
        chosen_recording(with_series(sync=channel), Selection(covariates=("sync",)))
