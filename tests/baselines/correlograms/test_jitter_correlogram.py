import numpy as np

from spikeweft.baselines.correlograms.jitter_correlogram import jittered
from spikeweft.data.recording import Recording

STEP_S, N_LAGS, N_WINDOW = 0.001, 12, 10


def counts_of(post, pre):
    """Pairs by lag, of spikes in whole steps."""
    lags = post[:, None] - pre
    return np.bincount(lags[(lags >= 0) & (lags <= N_LAGS)], minlength=N_LAGS + 1)


def test_mean_and_variance_are_those_of_jittered_spikes():
    """A burst of each neuron in each of many windows; the last window has only seven steps."""
    rng = np.random.default_rng(0)
    n_steps = 407
    pre = np.flatnonzero(rng.random(n_steps) < 0.15)
    post = np.flatnonzero(rng.random(n_steps) < 0.3)
    recording = Recording.from_arrays(
        np.concatenate([pre, post]) * STEP_S,
        np.repeat([0, 1], [len(pre), len(post)]),
        epochs_s=np.array([[0.0, n_steps * STEP_S]]),
        time_resolution_s=STEP_S,
    )
    found = jittered(recording, STEP_S, N_LAGS, N_WINDOW)
    np.testing.assert_array_equal(found.observed[1, 0], counts_of(post, pre))
    start = post // N_WINDOW * N_WINDOW
    length = np.minimum(N_WINDOW, n_steps - start)
    drawn = np.array(
        [counts_of(start + rng.integers(0, length), pre) for _ in range(20_000)], dtype=float
    )
    error = drawn.std(0) / np.sqrt(len(drawn))
    assert np.all(np.abs(found.expected[1, 0] - drawn.mean(0)) < 4.5 * error)
    np.testing.assert_allclose(found.variance[1, 0], drawn.var(0), rtol=0.06)


def test_windows_begin_anew_with_each_epoch():
    """The same spikes an epoch later have the same windows."""
    rng = np.random.default_rng(1)
    times_s = rng.choice(400, 120, replace=False) * STEP_S
    neurons = rng.integers(0, 3, 120)

    def of(start_s):
        recording = Recording.from_arrays(
            times_s + start_s,
            neurons,
            epochs_s=np.array([[start_s, start_s + 0.4]]),
            time_resolution_s=STEP_S,
        )
        return jittered(recording, STEP_S, N_LAGS, N_WINDOW)

    for early, late in zip(of(0.0), of(0.7777), strict=True):
        np.testing.assert_allclose(early, late, atol=1e-9)
