import numpy as np
import pytest

from spikeweft.baselines.factorisation.seqnmf import (
    N_LAGS,
    PENALTY,
    SeqNMF,
    Sequences,
    delayed,
    padded_counts,
    read_out,
    start,
    updated,
)
from spikeweft.data.recording import Recording
from spikeweft.errors import InputError

N = 6
NOTHING = np.zeros(0, dtype=np.int64)


def error(sequences, counts):
    return float(np.sum((counts.astype(float) - sequences.expected()) ** 2))


def planted(n_bins=2000, rate=0.05, seed=0):
    """Neuron 1 fires a bin after neuron 0, and 3 after 2, at random moments; 4 and 5 alone."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(0.01, (n_bins, N)).astype(np.float32)
    for first, second in ((0, 1), (2, 3)):
        moment = rng.random(n_bins) < rate
        counts[:, first] += moment
        counts[1:, second] += moment[:-1]
    return counts


def recorded(counts, bin_s=0.01):
    time, neuron = np.nonzero(counts)
    again = counts[time, neuron].astype(int)
    return Recording.from_arrays(
        np.repeat(time * bin_s + bin_s / 2, again),
        np.repeat(neuron, again),
        n_neurons=counts.shape[1],
        epochs_s=np.array([[0.0, len(counts) * bin_s]]),
        time_resolution_s=1e-3,
    )


def plain_expected(sequences):
    """The sum that defines the expected counts."""
    n_bins, n_neurons = len(sequences.course), sequences.pattern.shape[1]
    expected = np.zeros((n_bins, n_neurons))
    for time in range(n_bins):
        for lag in range(min(N_LAGS, time + 1)):
            expected[time] += sequences.pattern[lag] @ sequences.course[time - lag]
    return expected


def test_counts_are_the_sum_of_sequences_from_their_starts():
    rng = np.random.default_rng(0)
    sequences = Sequences(
        pattern=rng.random((N_LAGS, N, 3), dtype=np.float32),
        course=rng.random((20, 3), dtype=np.float32),
    )
    np.testing.assert_allclose(sequences.expected(), plain_expected(sequences), rtol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_without_the_penalty_updates_never_explain_less(seed):
    counts = planted(400, seed=seed)
    sequences = start(counts, 4, np.random.default_rng(seed))
    errors = [error(sequences, counts)]
    for _ in range(50):
        sequences = updated(sequences, counts, 0.0, NOTHING)
        errors.append(error(sequences, counts))
    assert np.all(np.diff(errors) <= 1e-5 * errors[0])
    assert errors[-1] < 0.7 * errors[0]


def overlap(sequences, counts):
    """The x-ortho penalty: sequences found in counts at moments at which another one is used."""
    found = sequences.found_in(counts)
    near = delayed(found, 1) + found + delayed(found, -1)
    return float((near.T @ sequences.course)[~np.eye(found.shape[1], dtype=bool)].sum())


def test_the_penalty_parts_sequences_that_explain_the_same_spikes():
    counts = planted(1000)
    ends = []
    for penalty in (0.0, 100 * PENALTY):
        sequences = start(counts, 4, np.random.default_rng(0))
        for _ in range(50):
            sequences = updated(sequences, counts, penalty, NOTHING)
        ends.append(overlap(sequences, counts))
    assert ends[1] < ends[0]


def test_held_out_counts_do_not_matter():
    counts, changed = planted(300), planted(300)
    held_out = np.arange(0, counts.size, 7)
    changed.reshape(-1)[held_out] = 9.0
    ends = []
    for data in (counts, changed):
        sequences = start(planted(300), 2, np.random.default_rng(0))
        for _ in range(5):
            sequences = updated(sequences, data, PENALTY, held_out)
        ends.append(read_out(sequences))
    np.testing.assert_array_equal(*ends)


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_sequence_is_found_with_its_order(seed):
    fitted = SeqNMF(random_state=seed).fit(recorded(planted(seed=seed)))
    assert fitted.n_components_ >= 2
    strongest = np.argsort(fitted.connectivity_.weights, axis=None)[-2:]
    assert {divmod(int(place), N) for place in strongest} == {(1, 0), (3, 2)}, "post, pre"


def test_as_many_sequences_are_fitted_as_are_asked_for():
    fitted = SeqNMF(n_components=3).fit(recorded(planted()))
    assert fitted.n_components_ == 3
    assert fitted.sequences_.course.shape[1] == 3


def test_an_empty_bin_parts_epochs():
    X = recorded(planted(100))
    two = Recording.from_arrays(
        X.spike_times_s,
        X.spike_neurons,
        n_neurons=N,
        epochs_s=np.array([[0.0, 0.5], [0.5, 1.0]]),
        time_resolution_s=1e-3,
    )
    counts = padded_counts(two, 0.01)
    assert len(counts) == 102
    assert np.all(counts[[50, 101]] == 0)
    assert counts.sum() == len(X.spike_times_s)


def test_a_recording_of_one_bin_is_refused():
    with pytest.raises(InputError, match="use a longer recording or shorter bins"):
        SeqNMF(bin_s=30.0).fit(recorded(planted()))
