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


@pytest.mark.parametrize(
    ("flag", "expression"),
    [
        ([True, None, False, True], "flag"),
        ([True, np.nan, False, True], "flag"),
        ([1.0, np.nan, 0.0, 1.0], "flag == 1"),
    ],
)
def test_a_unit_of_which_a_column_says_nothing_is_not_chosen(flag, expression):
    contents = contents_of_trains(poisson_trains(4), unit_columns={"flag": flag})
    recording, _, _ = chosen_recording(contents, Selection(units=expression))
    assert recording.neuron_ids == ("0", "3")


@pytest.mark.parametrize("expression", ["flag", "quality", "n_spikes", "flag + 1", "2"])
def test_numbers_and_texts_choose_no_units(expression):
    columns = {"flag": [1.0, np.nan, 0.0, 1.0], "quality": QUALITY}
    contents = contents_of_trains(poisson_trains(4), unit_columns=columns)
    with pytest.raises(InputError, match=r"give numbers or texts, .*; compare them, as in good =="):
        chosen_recording(contents, Selection(units=expression))


@pytest.mark.parametrize(
    ("bad_s", "sentence"),
    [
        (np.nan, "1 spike time .* first of unit '3'; remove them from the file, or exclude the"),
        (1e6, "1 spike .* of unit '3': padding, perhaps; remove them from the file, or exclude"),
    ],
)
def test_a_unit_with_impossible_times_costs_the_recording_only_where_it_is_chosen(bad_s, sentence):
    trains = poisson_trains(4)
    contents = contents_of_trains([*trains[:3], np.append(trains[3], bad_s)])
    for asked in ({}, {"units": "rate_hz > 1e9"}):
        with pytest.raises(InputError, match=sentence):
            chosen_recording(contents, Selection(**asked))
    asked = Selection(exclude=("3",), units="rate_hz > 1 and n_spikes > 100")
    recording, _, said = chosen_recording(contents, asked)
    assert recording.n_spikes.tolist() == [len(train) for train in trains[:3]]
    assert said == ("3 of 4 units are used, as asked for",)


def test_without_epochs_the_spikes_of_the_chosen_units_span_the_recording():
    trains = poisson_trains(4)
    contents = contents_of_trains([*trains[:3], np.append(trains[3], 150.0)])
    recording, _, _ = chosen_recording(contents, Selection(exclude=("3",)))
    ours = np.concatenate(trains[:3])
    assert recording.epochs_s[0] == pytest.approx([ours.min(), ours.max()])


def test_chosen_units_whose_spikes_last_no_time_are_refused():
    contents = contents_of_trains([*poisson_trains(2), np.array([5.0])])
    with pytest.raises(InputError, match="all lie at 5 s, which is no time at all; choose more"):
        chosen_recording(contents, Selection(exclude=("0", "1")))


def test_chosen_units_without_spikes_are_refused():
    contents = contents_of_trains([*poisson_trains(2), np.zeros(0)])
    with pytest.raises(InputError, match="hold no spikes; choose others"):
        chosen_recording(contents, Selection(exclude=("0", "1")))


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


def angle_of(name, values, unit=""):
    """The covariate that a series becomes, and what is said of it."""
    contents = with_series(**{name: series(values, np.linspace(0, 100, len(values)), unit)})
    recording, _, said = chosen_recording(contents, Selection())
    return recording.covariates[name], said


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(-np.pi, np.pi, 100).astype(np.float32),
        np.linspace(-np.pi, np.pi, 100).round(3),
        np.linspace(0, 6.284, 100),
    ],
)
def test_rounding_leads_no_angle_out_of_a_turn(values):
    covariate, said = angle_of("a", values, "rad")
    assert covariate.is_angle
    assert said == ()


def test_an_angle_that_only_its_name_tells_is_said():
    covariate, said = angle_of("heading", np.linspace(0, 6.28, 100))
    assert covariate.is_angle
    assert said == (
        "the covariate 'heading' is read as an angle in radians by its name alone; state the unit, "
        "or name it otherwise if it is none",
    )


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.linspace(0, 359, 100), "from 0 to 359 and is not read as one: in degrees? Give"),
        (np.linspace(0, 1, 100), "from 0 to 1 and is not read as one; give radians"),
        (np.tile([-1.0, 1.0], 50), "from -1 to 1 and is not read as one; give radians"),
    ],
)
def test_what_is_called_an_angle_and_cannot_be_one_is_said_with_its_range(values, sentence):
    covariate, said = angle_of("running direction", values)
    assert not covariate.is_angle
    assert sentence in said[0]


@pytest.mark.parametrize(("unit", "top"), [("rad", 12.57), ("degrees", 720.0)])
def test_more_than_a_turn_is_no_angle_whatever_its_unit(unit, top):
    covariate, said = angle_of("a", np.linspace(0, top, 100), unit)
    assert not covariate.is_angle
    assert "has values from 0 to 12.57 rad, beyond -π to 2π, and is not read as an" in said[-1]


def test_a_covariate_that_cannot_be_read_costs_the_recording_only_where_it_is_needed():
    def fail():
        raise InputError("the chunk cannot be read")

    damaged = SampledSeries(unit="", n_samples=10, span_s=(0.0, 100.0), read=fail)
    recording, _, said = chosen_recording(with_series(speed=damaged), Selection())
    assert not recording.covariates
    assert said == ("the covariate 'speed' is left out: the chunk cannot be read",)
    with pytest.raises(InputError, match="the chunk cannot be read"):
        chosen_recording(with_series(speed=damaged), Selection(covariates=("speed",)))


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
