import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spikeweft.data.epochs import intersection, union, without

spans = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=0, max_size=8)


def as_spans(drawn):
    return np.array([[start, start + length] for start, length in drawn], float).reshape(-1, 2)


def covered(epochs_s):
    """Which of the unit steps from 0 to 40 lie in them."""
    middle = np.arange(40) + 0.5
    return ((middle[:, None] > epochs_s[:, 0]) & (middle[:, None] < epochs_s[:, 1])).any(1)


@given(spans)
def test_a_union_covers_the_same_time_in_disjoint_epochs(drawn):
    merged = union(as_spans(drawn))
    np.testing.assert_array_equal(covered(merged), covered(as_spans(drawn)))
    assert np.all(merged[1:, 0] > merged[:-1, 1])


@given(spans, spans)
def test_an_intersection_is_the_time_in_both(first, second):
    both = intersection(union(as_spans(first)), union(as_spans(second)))
    np.testing.assert_array_equal(
        covered(both), covered(as_spans(first)) & covered(as_spans(second))
    )


@given(spans, spans)
def test_a_difference_is_the_time_in_the_first_alone(first, second):
    left = without(union(as_spans(first)), as_spans(second))
    np.testing.assert_array_equal(
        covered(left), covered(as_spans(first)) & ~covered(as_spans(second))
    )


def test_a_span_that_lasts_no_time_splits_no_epoch():
    epochs = np.array([[0.0, 10.0], [20.0, 30.0]])
    np.testing.assert_array_equal(without(epochs, np.array([[5.0, 5.0], [20.0, 20.0]])), epochs)


def test_forty_thousand_epochs_are_met_one_by_one():
    """A matrix of all pairs would take 12 GiB."""
    many = np.arange(40_000)[:, None] + np.array([0.0, 0.9])
    assert len(intersection(many, many + 0.5)) == 79_999
